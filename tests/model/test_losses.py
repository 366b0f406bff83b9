"""Every term against its equation, written with loops in float64."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from toy import LOSS

from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignPartsOutput
from alignparts.model.losses import (
    Targets,
    alignment_losses,
    coverage_loss,
    global_loss,
    mask_loss,
    overlap_loss,
    pairs_of,
    partness_loss,
    text_loss,
    weighted_sum,
)

B, K, N, A, D = 3, 4, 7, 3, 5
PI = torch.tensor([[2, -1, 0, 1], [-1, 0, -1, -1], [-1, -1, -1, -1]])


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(B, K, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def partlets() -> Tensor:
    return torch.randn(B, K, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def targets() -> Targets:
    generator = torch.Generator().manual_seed(2)
    part = torch.tensor([[0, 0, 1, 2, -1, 2, 1], [0, 0, 0, -1, -1, -1, -1], [-1] * 7])
    parts = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()
    vectors = torch.randn(B, A + 2, D, generator=generator, dtype=torch.float64)
    return Targets(
        part=part,
        text=vectors[:, :A],
        parts=parts,
        category=torch.tensor([0, 1, 2]),
        class_text=torch.randn(B, D, generator=generator, dtype=torch.float64),
        classes=torch.zeros(0, D, dtype=torch.float64),
        negatives=torch.zeros(B, 0, D, dtype=torch.float64),
        negative_parts=torch.zeros(B, 0, dtype=torch.bool),
    )


def matched(b: int) -> list[tuple[int, int]]:
    return [(k, int(a)) for k, a in enumerate(PI[b]) if a >= 0]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def points_of(targets: Targets, b: int) -> list[int]:
    return [i for i in range(N) if targets.part[b, i] >= 0]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def test_mask_loss_is_equation_10(logits: Tensor, targets: Targets) -> None:
    expected = []
    for b in range(B):
        terms = []
        for k, a in matched(b):
            p = {i: sigmoid(float(logits[b, k, i])) for i in points_of(targets, b)}
            g = {i: float(targets.part[b, i] == a) for i in p}
            bce = mean([-math.log(p[i] if g[i] else 1 - p[i]) for i in p])
            dice = 2 * sum(p[i] * g[i] for i in p) / (sum(p.values()) + sum(g.values()))
            terms.append(bce + 1 - dice)
        expected.append(mean(terms))
    found = mask_loss(logits, targets.masks, targets.labeled, pairs_of(PI, torch.float64))
    assert found.item() == pytest.approx(mean(expected), rel=1e-12)


def test_partness_loss_is_equation_11() -> None:
    partness = torch.randn(B, K, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    expected = mean(
        [
            -math.log(sigmoid(float(partness[b, k]) * (1 if PI[b, k] >= 0 else -1)))
            for b in range(B)
            for k in range(K)
        ]
    )
    assert partness_loss(partness, PI).item() == pytest.approx(expected, rel=1e-12)


def naive_text(partlets: Tensor, targets: Targets, tau: float) -> float:
    shapes = []
    for b in range(B):
        texts = [t for t, valid in zip(targets.text[b], targets.parts[b], strict=True) if valid]
        texts += [
            t for t, valid in zip(targets.negatives[b], targets.negative_parts[b], strict=True) if valid
        ]
        terms = []
        for k, a in matched(b):
            z = partlets[b, k] / partlets[b, k].norm()
            scores = [math.exp(float(z @ t / t.norm()) / tau) for t in texts]
            terms.append(-math.log(scores[a] / sum(scores)))
        shapes.append(mean(terms))
    return mean(shapes)


def test_text_loss_is_equation_9(partlets: Tensor, targets: Targets) -> None:
    found = text_loss(partlets, targets, pairs_of(PI, torch.float64), 0.07)
    assert found.item() == pytest.approx(naive_text(partlets, targets, 0.07), rel=1e-12)


def test_text_loss_with_the_categorys_other_parts(partlets: Tensor, targets: Targets) -> None:
    more = torch.randn(B, 2, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    wider = replace(
        targets, negatives=more, negative_parts=torch.tensor([[True, True], [True, False], [False, False]])
    )
    found = text_loss(partlets, wider, pairs_of(PI, torch.float64), 0.5)
    assert found.item() == pytest.approx(naive_text(partlets, wider, 0.5), rel=1e-12)
    assert found > text_loss(partlets, targets, pairs_of(PI, torch.float64), 0.5)


def test_coverage_loss_is_equation_12(logits: Tensor, targets: Targets) -> None:
    expected = []
    for b in range(B):
        index = points_of(targets, b)
        terms = []
        for k, a in matched(b):
            excess = [sigmoid(float(logits[b, k, i])) - float(targets.part[b, i] == a) for i in index]
            terms.append(abs(sum(excess) / len(index)))
        expected.append(mean(terms))
    found = coverage_loss(logits, targets.masks, targets.labeled, pairs_of(PI, torch.float64))
    assert found.item() == pytest.approx(mean(expected), rel=1e-12)


def test_overlap_loss_is_equation_13(logits: Tensor, targets: Targets) -> None:
    expected = [
        mean(
            [(sum(sigmoid(float(logits[b, k, i])) for k in range(K)) - 1) ** 2 for i in points_of(targets, b)]
        )
        for b in range(B)
    ]
    assert overlap_loss(logits, targets.labeled).item() == pytest.approx(mean(expected), rel=1e-12)


def naive_global(z: Tensor, t: Tensor, category: list[int], tau: float) -> float:
    unit = [[x / x.norm() for x in side] for side in (z, t)]
    s = [[math.exp(float(a @ b) / tau) for b in unit[1]] for a in unit[0]]
    n = len(s)
    rows = [
        -math.log(sum(s[i][j] for j in range(n) if category[i] == category[j]) / sum(s[i])) for i in range(n)
    ]
    columns = [
        -math.log(
            sum(s[i][j] for i in range(n) if category[i] == category[j]) / sum(s[i][j] for i in range(n))
        )
        for j in range(n)
    ]
    return (mean(rows) + mean(columns)) / 2


@pytest.mark.parametrize("category", [[0, 1, 2], [0, 1, 0], [2, 2, 2]])
def test_global_loss_is_equation_14(targets: Targets, category: list[int]) -> None:
    z = torch.randn(B, D, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    found = global_loss(z, targets.class_text, torch.tensor(category), targets.classes, 0.07)
    assert found.item() == pytest.approx(
        naive_global(z, targets.class_text, category, 0.07), rel=1e-9, abs=1e-12
    )
    if len(set(category)) == B:  # all different: the plain cross-entropies against the identity
        s = (
            torch.nn.functional.normalize(z, dim=1)
            @ torch.nn.functional.normalize(targets.class_text, dim=1).T
            / 0.07
        )
        label = torch.arange(B)
        both = torch.nn.functional.cross_entropy(s, label) + torch.nn.functional.cross_entropy(s.T, label)
        assert found.item() == pytest.approx(both.item() / 2, rel=1e-12)


def test_all_classes_stand_against_a_shape(targets: Targets) -> None:
    z = torch.randn(B, D, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    text, category = targets.class_text, targets.category
    printed = global_loss(z, text, category, targets.classes, 0.07)
    # The batch holds every class once: nothing changes. Its row in the table is not read: prompts differ.
    assert torch.allclose(global_loss(z, text, category, text, 0.07), printed)
    elsewhere = torch.tensor([1, 2, 0])
    assert torch.allclose(global_loss(z, text, elsewhere, text[[2, 0, 1]] + 0.0, 0.07), printed)
    # One class more adds its exponential to every row's denominator, and to no column's.
    more = torch.cat([text, -text[:1]])
    unit = torch.nn.functional.normalize
    rows = unit(z, dim=1) @ unit(more, dim=1).T / 0.07
    columns = rows[:, :B]
    naive = (
        (rows.logsumexp(1) - columns.diagonal()).mean() + (columns.logsumexp(0) - columns.diagonal()).mean()
    ) / 2
    assert torch.allclose(global_loss(z, text, category, more, 0.07), naive)


def output_of(logits: Tensor, partlets: Tensor) -> AlignPartsOutput:
    generator = torch.Generator().manual_seed(6)
    return AlignPartsOutput(
        mask_logits=logits,
        partness=torch.randn(B, K, generator=generator, dtype=logits.dtype),
        partlets=partlets,
        global_embedding=torch.randn(B, D, generator=generator, dtype=logits.dtype),
        fused=torch.zeros(B, N, 2, dtype=logits.dtype),
    )


def test_total_is_the_weighted_sum(logits: Tensor, partlets: Tensor, targets: Targets) -> None:
    losses = alignment_losses(output_of(logits, partlets), targets, LOSS)
    weights = LOSS.model_dump(exclude={"tau"}, by_alias=True)
    total = losses.pop("total").item()
    assert total == pytest.approx(sum(weights[name] * value.item() for name, value in losses.items()))
    for changed in (losses.keys() - {"cov"}, losses.keys() | {"area"}):
        with pytest.raises(AlignPartsError, match=r"loss: '(cov|area)': expected one weight for each"):
            weighted_sum(losses, dict.fromkeys(changed, 1.0))


def test_order_of_partlets_parts_and_points_does_not_matter(
    logits: Tensor, partlets: Tensor, targets: Targets
) -> None:
    expected = alignment_losses(output_of(logits, partlets), targets, LOSS)
    ks, points, order = (
        torch.tensor([2, 0, 3, 1]),
        torch.tensor([6, 1, 4, 0, 2, 5, 3]),
        torch.tensor([2, 0, 1]),
    )
    output = output_of(logits[:, ks][:, :, points], partlets[:, ks])
    output = replace(output, partness=output_of(logits, partlets).partness[:, ks])
    renumber = torch.argsort(order)
    part = torch.where(targets.part < 0, -1, renumber[targets.part.clamp(min=0)])[:, points]
    moved = replace(targets, part=part, text=targets.text[:, order], parts=targets.parts[:, order])
    for name, value in alignment_losses(output, moved, LOSS).items():
        assert value.item() == pytest.approx(expected[name].item(), rel=1e-9), name


def test_gradients(logits: Tensor, partlets: Tensor, targets: Targets) -> None:
    logits.requires_grad_(), partlets.requires_grad_()

    def total(logits: Tensor, partlets: Tensor) -> Tensor:
        return alignment_losses(output_of(logits, partlets), targets, LOSS, assignment=PI)["total"]

    assert torch.autograd.gradcheck(total, (logits, partlets))


def test_perfect_prediction_costs_nothing(targets: Targets) -> None:
    part = torch.tensor([[0, 0, 1, 1, 2, 2, 2]] * B)
    truth = replace(targets, part=part, parts=torch.ones(B, A, dtype=torch.bool))
    masks = torch.cat([truth.masks, torch.zeros(B, 1, N, dtype=torch.float64)], dim=1)
    partlets = torch.cat([truth.text, -truth.text.sum(1, keepdim=True)], dim=1)
    output = replace(
        output_of(masks * 80 - 40, partlets),
        partness=torch.tensor([[40.0, 40, 40, -40]] * B, dtype=torch.float64),
        global_embedding=truth.class_text,
    )
    losses = alignment_losses(output, truth, LOSS.model_copy(update={"tau": 1e-3}))
    assert all(value.item() == pytest.approx(0, abs=1e-6) for value in losses.values())


def test_more_parts_than_partlets_and_no_points() -> None:
    a = 40
    part = torch.arange(a).repeat(1, 2)
    many = Targets(
        part=part,
        text=torch.randn(1, a, D),
        parts=torch.ones(1, a, dtype=torch.bool),
        category=torch.zeros(1, dtype=torch.int64),
        class_text=torch.randn(1, D),
        classes=torch.zeros(0, D),
        negatives=torch.zeros(1, 0, D),
        negative_parts=torch.zeros(1, 0, dtype=torch.bool),
    )
    output = AlignPartsOutput(
        mask_logits=torch.randn(1, K, 2 * a),
        partness=torch.randn(1, K),
        partlets=torch.randn(1, K, D),
        global_embedding=torch.randn(1, D),
        fused=torch.zeros(1, 2 * a, 2),
    )
    assert all(torch.isfinite(value) for value in alignment_losses(output, many, LOSS).values())
    nothing = replace(many, part=many.part[:, :0], text=many.text[:, :0], parts=many.parts[:, :0])
    empty = replace(output, mask_logits=output.mask_logits[..., :0], fused=output.fused[:, :0])
    assert all(torch.isfinite(value) for value in alignment_losses(empty, nothing, LOSS).values())
