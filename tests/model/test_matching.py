"""Sinkhorn against exact assignment, and its marginals."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from alignparts.core.errors import AlignPartsError
from alignparts.model.matching import assign, cost_matrix, sinkhorn


def random_cost(k: int, a: int, seed: int) -> torch.Tensor:
    return 3 * torch.rand(1, k, a, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k", "a"), [(1, 1), (2, 7), (5, 5), (9, 4), (12, 1), (4, 14)])
def test_cold_plan_is_the_exact_assignment(k: int, a: int, seed: int) -> None:
    cost = random_cost(k, a, seed)
    parts = torch.ones(1, a, dtype=torch.bool)
    found = assign(sinkhorn(cost, parts, temperature=2e-3, iterations=2000), parts)[0].numpy()
    row = np.flatnonzero(found >= 0)
    exact = linear_sum_assignment(cost[0].double().numpy())
    total = cost[0].double().numpy()[row, found[row]].sum()
    assert len(row) == min(k, a) == len(set(found[row]))
    assert total <= cost[0].double().numpy()[exact].sum() + 1e-2


def test_usual_temperature_is_close_to_exact() -> None:
    gaps = []
    for seed in range(50):
        cost = random_cost(32, 6, seed)
        parts = torch.ones(1, 6, dtype=torch.bool)
        found = assign(sinkhorn(cost, parts), parts)[0].numpy()
        row = np.flatnonzero(found >= 0)
        exact = linear_sum_assignment(cost[0].numpy())
        gaps.append(cost[0].numpy()[row, found[row]].sum() - cost[0].numpy()[exact].sum())
    assert np.mean(gaps) < 0.05 and min(gaps) > -1e-5


@pytest.mark.parametrize(("k", "a"), [(8, 3), (3, 3), (3, 8), (1, 1), (32, 40)])
def test_marginals(k: int, a: int) -> None:
    parts = torch.ones(1, a, dtype=torch.bool)
    plan = sinkhorn(random_cost(k, a, 0), parts, temperature=0.3, iterations=400)
    assert (plan >= 0).all()
    if k >= a:
        torch.testing.assert_close(plan.sum(1), torch.ones(1, a), atol=1e-3, rtol=0)
        assert (plan.sum(2) <= 1 + 1e-3).all()
    if a >= k:
        torch.testing.assert_close(plan.sum(2), torch.ones(1, k), atol=1e-3, rtol=0)


def test_batch_and_padding_change_nothing() -> None:
    cost = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(1))
    parts = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]]).bool()
    plan = sinkhorn(cost, parts)
    found = assign(plan, parts)
    assert (plan[2] == 0).all() and (found[2] == -1).all()
    alone = sinkhorn(cost[1:2, :, [0, 2]], torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(plan[1, :, [0, 2]], alone[0])
    assert (plan[1, :, [1, 3]] == 0).all() and sorted(found[1].tolist()) == [-1, -1, -1, 0, 2]


def test_order_of_partlets_and_parts_does_not_matter() -> None:
    cost, parts = random_cost(6, 4, 5), torch.ones(1, 4, dtype=torch.bool)
    rows, columns = torch.randperm(6), torch.randperm(4)
    plan = sinkhorn(cost, parts)
    torch.testing.assert_close(sinkhorn(cost[:, rows][:, :, columns], parts), plan[:, rows][:, :, columns])


def test_plan_is_differentiable() -> None:
    cost = random_cost(4, 3, 2).double().requires_grad_()
    sinkhorn(cost, torch.ones(1, 3, dtype=torch.bool))[0, 0, 0].backward()
    assert cost.grad is not None and torch.isfinite(cost.grad).all() and cost.grad[0, 0, 0] < 0


def test_cost_is_equation_8_by_hand() -> None:
    logits = torch.tensor([[[50.0, 50, -50, 50], [-50, -50, -50, -50]]])
    masks = torch.tensor([[[1.0, 1, 0, 0]]])
    labeled = torch.tensor([[True, True, True, False]])
    partlets, text = torch.tensor([[[3.0, 0], [0, 2]]]), torch.tensor([[[1.0, 0]]])
    cost = cost_matrix(logits, partlets, masks, labeled, text)
    torch.testing.assert_close(cost, torch.tensor([[[0.0], [2.0]]]))
    parts = torch.ones(1, 1, dtype=torch.bool)
    assert assign(sinkhorn(cost, parts), parts).tolist() == [[0, -1]]


def test_cost_is_equation_8_with_loops() -> None:
    generator = torch.Generator().manual_seed(7)
    logits, text = torch.randn(1, 3, 8, generator=generator), torch.randn(1, 2, 5, generator=generator)
    partlets = torch.randn(1, 3, 5, generator=generator)
    part = torch.tensor([0, 1, -1, 1, 0, 0, -1, 1])
    masks = torch.stack([(part == a).float() for a in range(2)])[None]
    found = cost_matrix(logits, partlets, masks, (part >= 0)[None], text)[0]
    for k in range(3):
        for a in range(2):
            p = [1 / (1 + math.exp(-float(logits[0, k, i]))) for i in range(8) if part[i] >= 0]
            g = [float(part[i] == a) for i in range(8) if part[i] >= 0]
            dice = 2 * sum(x * y for x, y in zip(p, g, strict=True)) / (sum(p) + sum(g))
            s, t = partlets[0, k].tolist(), text[0, a].tolist()
            cosine = sum(x * y for x, y in zip(s, t, strict=True)) / (math.hypot(*s) * math.hypot(*t))
            assert found[k, a].item() == pytest.approx((1 - dice) + (1 - cosine), abs=1e-5)


def test_a_cost_that_is_not_finite_is_said() -> None:
    with pytest.raises(AlignPartsError, match="not finite"):
        sinkhorn(torch.full((1, 2, 2), torch.nan), torch.ones(1, 2, dtype=torch.bool))
