"""The network: the paper's sizes, its equations by hand, and shapes of every awkward size."""

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.speed import transcription
from alignparts.model import fusion
from alignparts.model.alignparts import AlignParts, AlignPartsConfig, AlignPartsOutput
from alignparts.model.fusion import BiCoFusion, fourier_features
from alignparts.model.graph import Graph, SparseAttention, gather_attention, nearest_neighbors
from alignparts.model.partlets import CrossAttention, PartletDecoder

TINY = AlignPartsConfig(
    d_g=5, d_a=7, d_m=8, d_f=6, d_t=12, K=4, k=3, heads=2, decoder_heads=3, layers=2, fourier=2
)


def inputs(batch: int, n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return tuple(torch.randn(batch, n, d, generator=generator, dtype=dtype) for d in (3, 5, 7))  # type: ignore[return-value]


@pytest.fixture
def tiny() -> AlignParts:
    torch.manual_seed(0)
    return AlignParts(TINY).eval()


def test_parameter_counts_are_the_papers() -> None:
    model = AlignParts(AlignPartsConfig())
    counts = [
        sum(p.numel() for p in m.parameters()) for m in (model.fusion, model.decoder, model.global_head)
    ]
    assert counts == [5_708_936, 26_809_345, 1_525_248]
    assert sum(p.numel() for p in model.parameters()) == sum(counts) == 34_043_529
    assert model.fusion.position[0].in_features == 39 and model.fusion.position[2].out_features == 8


def naive_fusion(model: BiCoFusion, points: Tensor, own: Tensor, other: Tensor, near: Tensor) -> Tensor:
    """Eqs. 23-37 with a loop for every point and head; one shape."""

    def bias(i: int, j: int) -> Tensor:
        offset = points[j] - points[i]
        waves = [fn(offset * 2**f) for fn in (torch.sin, torch.cos) for f in range(model.fourier)]
        return model.position(torch.cat([offset, *waves]))

    def direction(side, own: Tensor, other: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        rows = []
        for i in range(len(points)):
            js = [j for j in near[i].tolist() if j >= 0]
            query = side.query(own[i]).view(side.heads, -1)
            heads = []
            for h in range(side.heads):
                keys = [side.key(other[j]).view(side.heads, -1)[h] for j in js]
                values = torch.stack([side.value(other[j]).view(side.heads, -1)[h] for j in js])
                scores = [
                    query[h] @ key / math.sqrt(len(key)) + bias(i, j)[h]
                    for key, j in zip(keys, js, strict=True)
                ]
                heads.append(torch.stack(scores).softmax(0) @ values)
            received = side.out(torch.cat(heads))
            gate = torch.sigmoid(side.gate(torch.cat([own[i], received])))
            rows.append(side.norm(own[i] + gate * received))
        return torch.stack(rows)

    both = [direction(model.geometry, own, other), direction(model.appearance, other, own)]
    return model.project(model.norm(torch.cat(both, -1)))


def naive_attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Softmax attention with a loop for every head and query."""
    width = query.shape[1] // heads
    rows = []
    for q in query:
        parts = []
        for h in range(heads):
            at = slice(h * width, (h + 1) * width)
            score = torch.stack([q[at] @ one[at] / math.sqrt(width) for one in key])
            weight = score.exp() / score.exp().sum()
            parts.append(sum(w * one[at] for w, one in zip(weight, value, strict=True)))
        rows.append(torch.cat(parts))
    return torch.stack(rows)


def naive_decoder(model: PartletDecoder, fused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Eqs. 2-6 with a loop for every partlet and point; one shape."""
    s = model.partlets
    for layer in model.layers:
        x = torch.stack([layer.norm_self(one) for one in s])
        own = layer.attend_partlets
        query, key, value = (torch.stack([own.project(one).chunk(3)[i] for one in x]) for i in range(3))
        s = s + own.out(naive_attention(query, key, value, own.heads))
        x = torch.stack([layer.norm_cross(one) for one in s])
        cross = layer.attend_points
        query = torch.stack([cross.query(one) for one in x])
        key, value = (torch.stack([side(h) for h in fused]) for side in (cross.key, cross.value))
        s = s + cross.out(naive_attention(query, key, value, cross.heads))
        inner, outer = layer.mlp[0], layer.mlp[2]
        s = s + torch.stack(
            [outer(F.gelu(inner(x))) for x in torch.stack([layer.norm_mlp(one) for one in s])]
        )
    d_t = s.shape[1]
    masks = [[model.mask_query(one) @ model.mask_key(h) / math.sqrt(d_t) for h in fused] for one in s]
    partness = [model.partness.weight[0] @ one + model.partness.bias[0] for one in s]
    return torch.stack([torch.stack(row) for row in masks]), torch.stack(partness), s


@pytest.mark.parametrize("n", [1, 7])
def test_decoder_is_equations_2_to_6(tiny: AlignParts, n: int) -> None:
    fused = torch.randn(2, n, 6, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    single = [one.detach() for one in tiny.decoder(fused.float())]
    decoder: PartletDecoder = tiny.decoder.double()
    found = decoder(fused)
    for row in range(2):
        for ours, half, expected in zip(found, single, naive_decoder(decoder, fused[row]), strict=True):
            torch.testing.assert_close(ours[row], expected)
            torch.testing.assert_close(half[row].double(), expected, atol=1e-5, rtol=1e-5)


def test_the_transcription_is_the_model_in_single_precision(tiny: AlignParts) -> None:
    tiny.standardize((torch.rand(5), torch.rand(5) + 0.5), (torch.rand(7), torch.rand(7) + 0.5))
    fast, straight = tiny(*inputs(2, 30)), transcription.forward(tiny, *inputs(2, 30))
    exact = transcription.forward(tiny.double(), *inputs(2, 30, torch.float64))
    for name in {field.name for field in fields(AlignPartsOutput)} - {"text"}:
        ours, theirs, truth = (getattr(one, name) for one in (fast, straight, exact))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        assert truth.dtype == torch.float64


@pytest.mark.parametrize("n", [1, 2, 9])
def test_fusion_is_equations_23_to_37(tiny: AlignParts, n: int) -> None:
    points, geometry, appearance = inputs(2, n, torch.float64)
    single = tiny.fusion(points.float(), geometry.float(), appearance.float()).detach()
    model = tiny.fusion.double()
    near = nearest_neighbors(points, 3)
    fused = model(points, geometry, appearance)
    for row in range(2):
        expected = naive_fusion(model, points[row], geometry[row], appearance[row], near[row])
        torch.testing.assert_close(fused[row], expected)
        torch.testing.assert_close(single[row].double(), expected, atol=1e-5, rtol=1e-5)


def test_both_ways_to_attend_agree_with_gradients() -> None:
    torch.manual_seed(0)
    graph = Graph.of(nearest_neighbors(torch.rand(2, 20, 3), 4), 2)
    leaves = [torch.randn(40, 2, d, dtype=torch.float64, requires_grad=True) for d in (3, 3, 3, 4)]
    assert graph.sparse(leaves[0])
    sparse = SparseAttention.apply(*leaves, graph)
    dense = gather_attention(*leaves, graph)
    torch.testing.assert_close(sparse, dense)
    upstream = torch.randn_like(dense)
    ours, theirs = (torch.autograd.grad(value, leaves, upstream) for value in (sparse, dense))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("n", [2, 29])  # fewer points than neighbors, and more
def test_some_points_at_a_time_is_all_at_once(
    tiny: AlignParts, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = inputs(3, n)
    whole = tiny.fusion(*given)
    asked = []
    direction = fusion._Direction._attend
    monkeypatch.setattr(fusion, "ROWS", 8)
    monkeypatch.setattr(
        fusion._Direction,
        "_attend",
        lambda self, own, *rest: asked.append(len(own)) or direction(self, own, *rest),
    )
    with torch.no_grad():
        torch.testing.assert_close(tiny.fusion(*given), whole, atol=1e-6, rtol=1e-5)
    assert len(asked) == 2 * math.ceil(3 * n / 8) and max(asked) <= 8
    asked.clear()
    tiny.fusion(*given)
    assert asked == [3 * n, 3 * n]  # with gradients, all at once


def test_gradients_of_the_whole_model(tiny: AlignParts) -> None:
    model = tiny.double()
    points, geometry, appearance = inputs(1, 6, torch.float64)
    geometry.requires_grad_(), appearance.requires_grad_()

    def run(geometry: Tensor, appearance: Tensor) -> tuple[Tensor, ...]:
        out = model(points, geometry, appearance)
        return out.mask_logits, out.partness, out.partlets, out.global_embedding

    assert torch.autograd.gradcheck(run, (geometry, appearance))


def test_cross_attention_is_the_textbooks(tiny: AlignParts) -> None:
    """Queries carried to the points give what keys and values of every point give."""
    layer = CrossAttention(12, 6, 3).double()
    partlets, points = torch.randn(2, 4, 12, dtype=torch.float64), torch.randn(2, 9, 6, dtype=torch.float64)
    attend = torch.rand(2, 9) > 0.3

    def heads(x: Tensor) -> Tensor:
        return x.view(2, -1, 3, 4).transpose(1, 2)

    heard = F.scaled_dot_product_attention(
        heads(layer.query(partlets)), heads(layer.key(points)), heads(layer.value(points)),
        attn_mask=attend.view(2, 1, 1, 9),
    )  # fmt: skip
    expected = layer.out(heard.transpose(1, 2).reshape(2, 4, 12))
    torch.testing.assert_close(layer(partlets, points, attend), expected)


def test_mask_logits_are_equation_5(tiny: AlignParts) -> None:
    decoder: PartletDecoder = tiny.decoder
    fused = torch.randn(2, 9, 6)
    logits, partness, partlets = decoder(fused)
    expected = decoder.mask_query(partlets) @ decoder.mask_key(fused).transpose(1, 2) / math.sqrt(12)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(partness, decoder.partness(partlets).squeeze(-1))


def test_fourier_features_are_sines_and_cosines() -> None:
    offset = torch.randn(3, 50)
    waves = [fn(offset * 2**f) for fn in (torch.sin, torch.cos) for f in range(6)]
    torch.testing.assert_close(fourier_features(offset, 6), torch.cat([offset, *waves]), atol=2e-5, rtol=0)


def test_neighbors_are_the_nearest() -> None:
    points = torch.rand(2, 40, 3, generator=torch.Generator().manual_seed(0))
    found = nearest_neighbors(points, 5)
    expected = torch.cdist(points, points).topk(5, largest=False).indices
    assert torch.equal(found.sort(-1).values, expected.sort(-1).values)
    assert torch.equal(found[:, :, 0], torch.arange(40).expand(2, 40))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 40])
def test_any_number_of_points(tiny: AlignParts, n: int) -> None:
    out = tiny(*inputs(2, n))
    assert out.mask_logits.shape == (2, 4, n) and out.fused.shape == (2, n, 6)
    for value in (out.mask_logits, out.partness, out.partlets, out.global_embedding, out.fused):
        assert torch.isfinite(value).all()


def test_padding_changes_nothing_and_gradients_stay_finite(tiny: AlignParts) -> None:
    points, geometry, appearance = inputs(3, 10)
    lengths = [10, 2, 0]
    padding = torch.arange(10).unsqueeze(0) >= torch.tensor(lengths).unsqueeze(1)
    for value in (points, geometry, appearance):
        value[padding] = 1e3
    out = tiny(points, geometry, appearance, padding)
    for row, n in enumerate(lengths):
        alone = tiny(points[row : row + 1, :n], geometry[row : row + 1, :n], appearance[row : row + 1, :n])
        torch.testing.assert_close(out.mask_logits[row, :, :n], alone.mask_logits[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(out.global_embedding[row], alone.global_embedding[0], atol=1e-5, rtol=1e-4)
        if n:
            torch.testing.assert_close(out.partlets[row], alone.partlets[0], atol=1e-5, rtol=1e-4)
    (
        out.partlets.sum()
        + out.global_embedding.sum()
        + out.mask_logits.masked_fill(padding[:, None], 0).sum()
    ).backward()
    assert all(torch.isfinite(p.grad).all() for p in tiny.parameters() if p.grad is not None)


def test_order_of_points_does_not_matter(tiny: AlignParts) -> None:
    points, geometry, appearance = inputs(1, 30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    first, second = (
        tiny(points, geometry, appearance),
        tiny(points[:, order], geometry[:, order], appearance[:, order]),
    )
    torch.testing.assert_close(first.mask_logits[..., order], second.mask_logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(first.partlets, second.partlets, atol=1e-5, rtol=1e-4)


def test_half_precision_runs(tiny: AlignParts) -> None:
    points, geometry, appearance = inputs(2, 20)
    with torch.autocast("cpu", torch.bfloat16):
        out = tiny(points, geometry, appearance).float()
    expected = tiny(points, geometry, appearance)
    assert out.mask_logits.dtype == torch.float32
    torch.testing.assert_close(out.mask_logits, expected.mask_logits, atol=0.2, rtol=0.1)


def test_standardized_features_do_not_depend_on_scale(tiny: AlignParts) -> None:
    points, geometry, appearance = inputs(1, 12)
    expected = tiny(points, geometry, appearance).mask_logits
    tiny.standardize((torch.full((5,), 3.0), torch.full((5,), 10.0)), (torch.zeros(7), torch.zeros(7)))
    torch.testing.assert_close(
        tiny(points, geometry * 10 + 3, appearance).mask_logits, expected, atol=1e-4, rtol=1e-3
    )


def test_round_trip(tiny: AlignParts, tmp_path: Path) -> None:
    tiny.standardize((torch.ones(5), torch.ones(5)), (torch.ones(7), torch.ones(7)))
    tiny.save_pretrained(tmp_path)
    assert {"config.json", "model.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    again = AlignParts.from_pretrained(tmp_path)
    assert again.config == TINY
    assert torch.equal(again(*inputs(1, 9)).mask_logits, tiny(*inputs(1, 9)).mask_logits)


def test_bad_input_is_one_line(tiny: AlignParts, tmp_path: Path) -> None:
    points, geometry, appearance = inputs(1, 5)
    with pytest.raises(AlignPartsError, match="geometry is 4 wide.*made for 5"):
        tiny(points, geometry[..., :4], appearance)
    points[0, 0, 0] = np.nan
    with pytest.raises(AlignPartsError, match="finite"):
        tiny(points, geometry, appearance)
    with pytest.raises(AlignPartsError, match="decoder_heads"):
        replace(TINY, decoder_heads=5)
    with pytest.raises(AlignPartsError, match="K: expected at least 1"):
        replace(TINY, K=0)
    with pytest.raises(AlignPartsError, match=r"config\.json"):
        AlignParts.from_pretrained(tmp_path)
    tiny.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(AlignPartsError, match="not a model of the class AlignParts"):
        AlignParts.from_pretrained(tmp_path)
