"""What stands in for BiCo fusion in Table 3: each sees what its row says, and no more."""

import pytest
import torch
from torch.nn import functional as F

from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.fusion import FUSIONS, BiCoFusion, raw_geometry

SIZES = {"d_g": 5, "d_a": 7, "d_m": 8, "d_f": 6, "d_t": 12, "K": 3, "k": 3, "heads": 2, "decoder_heads": 2}


def model(fusion: str) -> AlignParts:
    torch.manual_seed(0)
    return AlignParts(AlignPartsConfig(**SIZES, layers=1, fourier=2, fusion=fusion)).eval()


def inputs(n: int = 9) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    return [torch.randn(2, n, width, generator=generator) for width in (3, 5, 7)]


SEEN = {
    "bico": (True, True, True),
    "concat": (False, True, True),
    "geometry": (False, True, False),
    "points": (True, False, False),
}


def test_every_fusion_is_held_to_its_row() -> None:
    assert set(SEEN) == set(FUSIONS)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_sees_what_its_row_says(fusion: str) -> None:
    given = inputs()
    before = model(fusion)(*given)
    for number, seen in enumerate(SEEN[fusion]):
        changed = [one.clone() for one in given]
        changed[number] += torch.linspace(0, 1, 9).view(1, 9, 1)
        after = model(fusion)(*changed)
        assert torch.equal(before.mask_logits, after.mask_logits) is not seen
        if number:  # the global head reads features, or the coordinates in their place
            assert torch.equal(before.global_embedding, after.global_embedding) is not seen


@pytest.mark.parametrize("fusion", FUSIONS[1:])
def test_points_do_not_see_each_other(fusion: str) -> None:
    given = inputs()
    fused = model(fusion)(*given).fused
    changed = [one.clone() for one in given]
    for one in changed:
        one[:, 4] += 1
    other = model(fusion)(*changed).fused
    same = (fused == other).all(-1)
    assert same[:, [0, 1, 2, 3, 5, 6, 7, 8]].all() and not same[:, 4].any()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_changes_nothing(fusion: str) -> None:
    made = model(fusion)
    given = inputs()
    padded = [F.pad(one, (0, 0, 0, 3), value=2.0) for one in given]
    mask = torch.arange(12).expand(2, 12) >= 9
    alone, together = made(*given), made(*padded, padding_mask=mask)
    torch.testing.assert_close(together.mask_logits[:, :, :9], alone.mask_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.global_embedding, alone.global_embedding, atol=1e-5, rtol=1e-5)
    assert not together.fused[:, 9:].any()


def test_fusion_without_attention_is_equation_37() -> None:
    torch.manual_seed(0)
    fusion = BiCoFusion(5, 7, 8, 6, 2, 3, 2, attend=False).double()
    points, geometry, appearance = (one.double() for one in inputs(2))
    inner, outer = fusion.project[0], fusion.project[2]
    for row in range(2):
        for point in range(2):
            x = torch.cat([geometry[row, point], appearance[row, point]])
            x = (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt() * fusion.norm.weight + fusion.norm.bias
            hidden = inner.weight @ x + inner.bias
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
            expected = outer.weight @ hidden + outer.bias
            torch.testing.assert_close(fusion(points, geometry, appearance)[row, point], expected)


@pytest.mark.parametrize(("width", "count"), [(5, 2), (15, 2), (20, 2)])
def test_raw_geometry_is_the_coordinates_and_their_waves(width: int, count: int) -> None:
    points = inputs()[0]
    waves = torch.cat([points, points.sin(), (2 * points).sin(), points.cos(), (2 * points).cos()], dim=-1)
    expected = F.pad(waves, (0, max(width - 15, 0)))[..., :width]
    torch.testing.assert_close(raw_geometry(points, width, count), expected, atol=1e-6, rtol=1e-5)


def test_unknown_fusion() -> None:
    with pytest.raises(AlignPartsError, match="fusion 'sum': expected one of bico, concat"):
        AlignPartsConfig(**SIZES, fusion="sum")
