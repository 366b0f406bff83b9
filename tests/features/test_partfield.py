"""PartField: agreement with the published network, its oddities, and what any field must satisfy."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.features import partfield_layers as layers
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.features.partfield_convert import convert, read_checkpoint

TINY = PartFieldConfig(
    plane_resolution=8,
    voxel_resolution=4,
    point_width=8,
    unet_widths=(4, 8),
    token_width=8,
    layers=2,
    heads=2,
    downsample=2,
    sdf_channels=3,
    part_channels=5,
    input_points=64,
)


@pytest.fixture
def tiny() -> PartField:
    torch.manual_seed(0)
    return PartField(TINY).eval()


@pytest.fixture
def points() -> Tensor:
    return torch.rand(2, 50, 3, generator=torch.Generator().manual_seed(1)) * 1.8 - 0.9


def formula_weight(name: str, number: int, shape: torch.Size) -> Tensor:
    """A weight from its number and shape alone: the conformance numbers were made with these."""
    i = np.arange(shape.numel(), dtype=np.float64)
    u = np.sin(12.9898 * i + 78.233 * (number + 1)) * 43758.5453
    u -= np.trunc(u)
    if len(shape) > 1:
        u *= np.sqrt(3 / np.prod(shape[1:]))
    else:
        u = 1 + 0.2 * u if name.endswith("weight") else 0.2 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def published_number(name: str, position: int) -> int:
    """Number of a weight in the published state dict, which has 26 weights that nothing reads in between."""
    if name.startswith("triplane_transformer."):
        return position + 1
    return position + 8 if ".pc_encoder.encoder.0." in name else position + 26


def conformance_points() -> Tensor:
    n = 4096
    t = np.arange(n) + 0.5
    phi, theta = np.arccos(1 - 2 * t / n), np.pi * (1 + np.sqrt(5)) * t
    sphere = np.stack([np.cos(theta) * np.sin(phi), np.sin(theta) * np.sin(phi), np.cos(phi)], axis=1)
    return torch.from_numpy((sphere * [0.9, 0.6, 0.3]).astype(np.float32)).unsqueeze(0)


def test_the_full_network_agrees_with_the_published_one() -> None:
    model = PartField().eval()
    own = model.state_dict()
    assert model.d_g == 448
    assert len(own) == 177
    assert sum(value.numel() for value in own.values()) == 101_940_736
    listing = "\n".join(f"{name} {tuple(value.shape)}" for name, value in own.items())
    assert hashlib.sha256(listing.encode()).hexdigest() == KEYS_SHA256

    weights = {
        name: formula_weight(name, published_number(name, position), value.shape)
        for position, (name, value) in enumerate(own.items())
    }
    assert weights["triplane_transformer.pos_embed"].flatten()[:3].tolist() == pytest.approx(
        [-0.00095, -0.000904, 0.000356], abs=1e-6
    )
    assert weights["pvcnn.unet_encoder.conv_final.bias"][:3].tolist() == pytest.approx(
        [-0.092001, -0.095924, -0.016197], abs=1e-6
    )
    model.load_state_dict(weights)
    points = conformance_points()
    with torch.no_grad():
        features = model(points, points)[0]
    got = features[[0, 1, 7, 100, 1000, 2048, 4000, 4095]][:, [0, 1, 2, 3, 100, 200, 300, 447]]
    assert torch.allclose(got[[0, 3, 7]], torch.tensor(GOLDEN_FEATURES), atol=1e-4)
    norms = features[[0, 1, 7, 100, 1000, 2048, 4000, 4095]].norm(dim=1)
    assert torch.allclose(norms, torch.tensor(GOLDEN_NORMS), atol=5e-4)
    assert features.mean().item() == pytest.approx(-0.059086, abs=1e-5)
    assert features.std().item() == pytest.approx(2.385841, abs=1e-5)


KEYS_SHA256 = "9cf5d0c434b4aa4b54df1ee191329eff8a6e051b59f736cf3ea9f1e6cfecaaff"
GOLDEN_FEATURES = [
    [-0.59223, 1.58692, -0.96295, -0.03492, 4.08046, -3.01373, 0.90219, 3.33331],
    [-1.04292, -0.07739, -0.67617, -0.93541, 2.24331, -2.62542, 2.02399, 2.26034],
    [-0.57501, 0.18304, -1.56591, -1.07522, 2.92822, -2.80045, 1.73424, 1.95058],
]
GOLDEN_NORMS = [56.16741, 57.52749, 50.51976, 48.08347, 42.50484, 48.98446, 56.22581, 47.23905]


def test_the_order_of_the_points_is_irrelevant(tiny: PartField, points: Tensor) -> None:
    shuffled = points[:, torch.randperm(points.shape[1], generator=torch.Generator().manual_seed(2))]
    with torch.no_grad():
        assert torch.allclose(tiny.encode(points), tiny.encode(shuffled), atol=1e-5)


def test_a_batch_is_its_shapes_one_by_one(tiny: PartField, points: Tensor) -> None:
    with torch.no_grad():
        together = tiny(points, points.flip(1))
        alone = torch.cat([tiny(p[None], p[None].flip(1)) for p in points])
    assert torch.allclose(together, alone, atol=1e-5)


def test_planes_have_the_configured_size_without_the_sdf_channels(tiny: PartField, points: Tensor) -> None:
    planes = tiny.encode(points)
    assert planes.shape == (2, 3, tiny.d_g, 8, 8)
    assert tiny.query(planes, points[:, :7]).shape == (2, 7, 5)


def test_the_small_network_is_the_same_class_at_a_size_for_two_cores() -> None:
    model = PartField(PartFieldConfig.small())
    assert sum(value.numel() for value in model.parameters()) < 2_000_000
    assert 64 <= model.d_g <= 96


def test_query_reads_lattice_points_exactly_and_sums_the_planes() -> None:
    size = 5
    planes = torch.randn(1, 3, 4, size, size, generator=torch.Generator().manual_seed(3))
    ticks = torch.linspace(-1, 1, size)
    x, y, z = 3, 0, 2
    at = torch.stack([ticks[x], ticks[y], ticks[z]])[None, None]
    # Plane (x, y) is stored [y, x], plane (y, z) is stored [z, y], plane (x, z) is stored [z, x].
    expected = planes[0, 0, :, y, x] + planes[0, 1, :, z, y] + planes[0, 2, :, z, x]
    assert torch.allclose(layers.query_planes(planes, at)[0, 0], expected, atol=1e-5)


def test_query_is_linear_between_lattice_points_and_constant_beyond() -> None:
    planes = torch.zeros(1, 3, 1, 3, 3)
    planes[0, 0, 0] = torch.tensor([-1.0, 0.0, 1.0])
    at = torch.tensor([[[0.25, 0.7, 0.0], [-0.4, 0.0, 0.1], [1.7, 0.0, 0.0]]])
    assert layers.query_planes(planes, at)[0, :, 0].tolist() == pytest.approx([0.25, -0.4, 1.0])


def test_scatter_is_the_naive_mean() -> None:
    generator = torch.Generator().manual_seed(4)
    points = torch.rand(2, 40, 3, generator=generator) * 2.4 - 1.2
    values = torch.randn(2, 40, 6, generator=generator)
    size = 4
    tall = layers.scatter_planes(points, values, size)
    for shape in range(2):
        for plane, (a, b) in enumerate([(0, 1), (1, 2), (0, 2)]):
            sums: dict[tuple[int, int], list[Tensor]] = {}
            for point, value in zip(points[shape], values[shape], strict=True):
                column, row = (
                    min(max(int(np.floor((float(point[axis]) + 1) / 2 * size)), 0), size - 1)
                    for axis in (a, b)
                )
                sums.setdefault((row, column), []).append(value)
            for row in range(size):
                for column in range(size):
                    members = sums.get((row, column))
                    expected = torch.stack(members).mean(dim=0) if members else torch.zeros(6)
                    assert torch.allclose(tall[shape, :, plane * size + row, column], expected, atol=1e-5)


def test_scatter_allows_deterministic_algorithms() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        points = torch.rand(1, 300, 3, generator=torch.Generator().manual_seed(5)) * 1.8 - 0.9
        runs = []
        for _ in range(2):
            torch.manual_seed(0)
            model = PartField(TINY)
            model(points, points).square().mean().backward()
            runs.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
        assert torch.equal(runs[0], runs[1])
    finally:
        torch.use_deterministic_algorithms(before)


def test_the_voxel_grid_is_read_with_its_axes_reversed() -> None:
    size = 4
    conv = layers.PointVoxelConv(8, size)
    conv.voxel_layers = torch.nn.Sequential()
    conv.point_features.forward = lambda x: torch.zeros_like(x)  # type: ignore[method-assign]
    ticks = torch.arange(size) * 2 / size - 1
    x, y, z = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
    read = conv(points)[0]
    assert torch.allclose(read[:, :3], points[0].flip(1), atol=1e-6)
    assert torch.allclose(read[:, 3:6], 2 * points[0].flip(1), atol=1e-6)
    assert not read[:, 6:].any()


def test_cross_plane_mixing_is_the_expanded_convolution() -> None:
    torch.manual_seed(6)
    width, size = 3, 4
    layer = layers.CrossPlane(width)
    tall = torch.randn(2, width, 3 * size, size)
    a = [tall[:, :, i * size : (i + 1) * size] for i in range(3)]
    a[2] = a[2].transpose(2, 3)
    expected = []
    for i in range(3):
        j, k = a[(i + 1) % 3], a[(i + 2) % 3]
        along = torch.zeros(2, 2 * width, size, size)
        for r in range(size):
            for c in range(size):
                along[:, :width, r, c] = j[:, :, c, :].mean(dim=2)
                along[:, width:, r, c] = k[:, :, :, r].mean(dim=2)
        expected.append(layer.plane_convs[i](torch.cat([a[i], along], dim=1)))
    expected[2] = expected[2].transpose(2, 3)
    assert torch.allclose(layer(tall), torch.cat(expected, dim=2), atol=1e-5)


def test_attention_is_torchs_own() -> None:
    torch.manual_seed(7)
    own = layers.SelfAttention(12, 3).double()
    reference = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True, dtype=torch.float64)
    reference.load_state_dict(own.state_dict())
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    assert torch.allclose(own(x), reference(x, x, x)[0])


@pytest.mark.parametrize("piece", ["voxels", "cross", "query", "whole"])
def test_gradients_are_right(piece: str) -> None:
    torch.manual_seed(8)
    if piece == "voxels":
        conv = layers.PointVoxelConv(2, 3).double()
        points = torch.rand(1, 6, 3, dtype=torch.float64) * 1.6 - 0.8
        weights = [p.detach().requires_grad_() for p in conv.parameters()][:1]

        def run(weight: Tensor) -> Tensor:
            state = {"voxel_layers.0.weight": weight}
            return torch.func.functional_call(conv, state, (points,))

        assert torch.autograd.gradcheck(run, weights, atol=1e-4)
    elif piece == "cross":
        layer = layers.CrossPlane(2).double()
        assert torch.autograd.gradcheck(
            layer, torch.randn(1, 2, 6, 2, dtype=torch.float64, requires_grad=True)
        )
    elif piece == "query":
        planes = torch.randn(1, 3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
        at = (torch.rand(1, 4, 3, dtype=torch.float64) * 1.6 - 0.8).requires_grad_()
        assert torch.autograd.gradcheck(layers.query_planes, (planes, at))
    else:
        config = replace(TINY, plane_resolution=4, point_width=2, token_width=4, part_channels=2)
        model = PartField(config).double()
        points = torch.rand(1, 12, 3, dtype=torch.float64) * 1.6 - 0.8

        def field(positions: Tensor, embed: Tensor) -> Tensor:
            state = {"triplane_transformer.pos_embed": embed}
            return torch.func.functional_call(model, state, (points, positions))

        positions = (torch.rand(1, 3, 3, dtype=torch.float64) * 1.6 - 0.8).requires_grad_()
        embed = model.triplane_transformer.pos_embed.detach().clone().requires_grad_()
        assert torch.autograd.gradcheck(field, (positions, embed), atol=1e-4)


def test_saving_and_loading_keeps_the_field(tiny: PartField, points: Tensor, tmp_path: Path) -> None:
    tiny.save_pretrained(tmp_path / "field")
    loaded = PartField.from_pretrained(tmp_path / "field")
    assert loaded.config == TINY and not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(points, points), tiny(points, points))


def test_a_bad_folder_is_named(tiny: PartField, tmp_path: Path) -> None:
    with pytest.raises(AlignPartsError, match=r"config\.json: no such file"):
        PartField.from_pretrained(tmp_path)
    tiny.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "part_channels": 6}))
    with pytest.raises(AlignPartsError, match=r"class PartField: .*size mismatch for .*upsampler"):
        PartField.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(AlignPartsError, match="class PartField: "):
        PartField.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"plane_resolution": 30}, "plane_resolution"),
        ({"downsample": 3}, "downsample"),
        ({"token_width": 10, "heads": 4}, "token_width"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], key: str) -> None:
    with pytest.raises(AlignPartsError, match=key):
        PartFieldConfig(**change)  # type: ignore[arg-type]


def test_points_that_make_no_field_are_refused(tiny: PartField, points: Tensor) -> None:
    with pytest.raises(AlignPartsError, match="finite coordinates"):
        tiny.encode(points * torch.nan)
    with pytest.raises(AlignPartsError, match="2 points"):
        tiny.encode(torch.zeros(1, 1, 3))


class _Settings:
    """Stands for the configuration object that the published file pickles."""

    ran = False

    def __init__(self) -> None:
        self.lr = 1

    def __setstate__(self, state: object) -> None:
        _Settings.ran = True


class _Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("attacked", "w"))


def test_a_checkpoint_is_converted_without_running_its_code(
    tiny: PartField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: Tensor
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = {**tiny.state_dict(), "logit_scale": torch.zeros(1)}
    content = {"state_dict": weights, "hyper_parameters": {"cfg": _Settings()}, "extra": [_Attack()]}
    torch.save(content, tmp_path / "model.ckpt")
    converted = convert(tmp_path / "model.ckpt", tmp_path / "field", TINY)
    assert not _Settings.ran and not (tmp_path / "attacked").exists()
    with torch.no_grad():
        expected = tiny(points, points)
        assert torch.equal(converted(points, points), expected)
        assert torch.equal(PartField.from_pretrained(tmp_path / "field")(points, points), expected)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, tiny: PartField) -> None:
    with pytest.raises(AlignPartsError, match="no such file"):
        read_checkpoint(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("text")
    with pytest.raises(AlignPartsError, match=r"text\.ckpt: expected a checkpoint"):
        read_checkpoint(tmp_path / "text.ckpt")
    torch.save({"weights": 1}, tmp_path / "other.ckpt")
    with pytest.raises(AlignPartsError, match="state_dict: missing"):
        read_checkpoint(tmp_path / "other.ckpt")
    partial = {name: value for name, value in tiny.state_dict().items() if "conv_final" not in name}
    torch.save({"state_dict": partial}, tmp_path / "partial.ckpt")
    with pytest.raises(AlignPartsError, match=r"conv_final\.weight.: missing"):
        convert(tmp_path / "partial.ckpt", tmp_path / "field", TINY)
