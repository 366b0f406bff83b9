"""Generated shapes: determinism, soundness, names, diversity; primitives against volumes known by hand."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import yaml

import procparts
from alignparts.core.paths import ROOT
from procparts import CATEGORIES, Piece, generate
from procparts.kit import finish
from procparts.kit import toolkit as tk
from procparts.kit.mesh import Mesh, bend, merge, mirror, place, rotate, scale, taper

SEEDS = range(16)


@cache
def shapes(category: str) -> list[list[Piece]]:
    return [generate(category, np.random.default_rng(seed), 0.4) for seed in SEEDS]


@cache
def dialects() -> dict[str, dict[str, object]]:
    folder = ROOT / "lib" / "alignparts" / "corpus" / "dialects"
    return {
        k: v for file in sorted(folder.glob("*.yaml")) for k, v in yaml.safe_load(file.read_text()).items()
    }


def extents(pieces: list[Piece]) -> np.ndarray:
    corners = np.array([corner for piece in pieces for corner in piece.mesh.bounds()])
    return np.ptp(corners, axis=0)


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_equal_generators_make_equal_shapes(category: str) -> None:
    again = generate(category, np.random.default_rng(3), 0.4)
    for one, two in zip(shapes(category)[3], again, strict=True):
        assert one.part == two.part
        assert np.array_equal(one.mesh.vertices, two.mesh.vertices)
        assert np.array_equal(one.mesh.faces, two.mesh.faces)
        assert one.uv is not None and two.uv is not None and np.array_equal(one.uv, two.uv)
        assert one.material.base_color == two.material.base_color
        assert (one.material.image is None) == (two.material.image is None)
        assert one.material.image is None or np.array_equal(one.material.image, two.material.image)


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_every_piece_is_sound(category: str) -> None:
    for pieces in shapes(category):
        assert 1 <= len(pieces) <= 120
        assert 20 <= sum(len(piece.mesh.faces) for piece in pieces) <= 20000
        for piece in pieces:
            mesh, material = piece.mesh, piece.material
            assert mesh.vertices.shape[1:] == (3,) and mesh.vertices.dtype == np.float64
            assert mesh.faces.shape[1:] == (3,) and len(mesh.faces) > 0
            assert np.issubdtype(mesh.faces.dtype, np.integer)
            assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
            assert piece.uv is not None and piece.uv.shape == (len(mesh.vertices), 2)
            assert np.isfinite(mesh.vertices).all() and np.isfinite(piece.uv).all()
            assert mesh.area() > 1e-8
            assert all(0 <= channel <= 1 for channel in material.base_color)
            if material.image is not None:
                assert material.image.dtype == np.uint8 and material.image.shape[2] == 3


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_parts_have_names_in_every_dialect_of_their_category(category: str) -> None:
    entry = dialects()[category]
    parts, spoken = entry["parts"], {"partnet", "compat", "find3d"} & set(entry)
    assert isinstance(parts, dict) and spoken
    emitted = {piece.part for pieces in shapes(category) for piece in pieces}
    assert emitted <= set(parts)
    assert all(spoken == set(names) for names in parts.values())
    for dialect in spoken:
        named = [{parts[piece.part][dialect] for piece in pieces} - {None} for pieces in shapes(category)]
        assert all(1 <= len(names) <= 16 for names in named)


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_shapes_of_a_category_differ_in_structure(category: str) -> None:
    structures = {tuple(sorted(piece.part for piece in pieces)) for pieces in shapes(category)}
    assert len(structures) >= 2
    ratios = np.array([np.sort(extents(pieces))[:2] / extents(pieces).max() for pieces in shapes(category)])
    assert ratios.std(axis=0).max() > 0.03


def test_pose_is_free_or_frontal() -> None:
    def lean(free: float, seed: int) -> float:
        """The angle by which generate turned the first piece's widest edge, against the unturned shape's."""
        rng = np.random.default_rng(seed)
        pieces = generate("bed", rng, free)
        pillow = next(piece for piece in pieces if piece.part == "mattress").mesh.vertices
        flat = pillow[:, [0, 2]] - pillow[:, [0, 2]].mean(axis=0)
        _, _, axes = np.linalg.svd(flat, full_matrices=False)
        return float(np.degrees(np.arctan2(abs(axes[0, 0]), abs(axes[0, 1]))))

    frontal = [lean(0.0, seed) for seed in range(12)]
    free = [lean(1.0, seed) for seed in range(12)]
    assert max(frontal) < 16
    assert max(free) > 30


def test_unknown_category_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="unknown category 'spoon'.*chair"):
        generate("spoon", np.random.default_rng(0), 0.4)
    assert set(procparts.CATEGORIES) >= {"chair", "table", "bed", "car"}


RING = np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 65)[:-1]), 0 * t, np.sin(t)], axis=1)
UP = np.array([0.0, 2.0, 0.0])
LONG = merge(*[tk.box((0.1, 0.2, 1), (0.1 * k, 0, 0)) for k in range(20)])
SOLIDS: dict[str, tuple[Callable[[], Mesh], float, float]] = {
    "box": (lambda: tk.box((1, 2, 3)), 6.0, 1e-9),
    "bevelled box": (lambda: tk.box((1, 2, 3), bevel=0.01), 6.0, 0.01),
    "rounded box": (lambda: tk.rounded_box((1, 2, 3), 0.05), 6.0, 0.03),
    "cylinder": (lambda: tk.cylinder(1, 2, segments=64), 2 * np.pi, 0.02),
    "cone along x": (lambda: tk.cylinder(1, 3, segments=64, top_radius=0, axis="x"), np.pi, 0.02),
    "sphere": (lambda: tk.sphere(1, segments=64), 4 / 3 * np.pi, 0.03),
    "ellipsoid": (lambda: tk.superellipsoid((2, 4, 6), 1.0, segments=64), 8 * np.pi, 0.2),
    "torus": (lambda: tk.torus(2, 0.5, segments=64, sides=48), np.pi**2, 0.05),
    "half torus": (lambda: tk.torus(2, 0.5, arc=np.pi, axis="z", segments=96, sides=48), np.pi**2 / 2, 0.05),
    "extruded L": (lambda: tk.extrude([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], 2), 6.0, 1e-9),
    "extruded L, clockwise": (
        lambda: tk.extrude([(0, 2), (1, 2), (1, 1), (2, 1), (2, 0), (0, 0)], 2, "x"),
        6.0,
        1e-9,
    ),
    "loft": (lambda: tk.loft([RING, RING + UP]), 2 * np.pi, 0.02),
    "loft downwards": (lambda: tk.loft([RING + UP, RING]), 2 * np.pi, 0.02),
    "square ring": (
        lambda: tk.lathe([(1, 0), (2, 0), (2, 1), (1, 1)], 96, close=True),
        3 * np.pi,
        0.03,
    ),
    "mitred tube": (
        lambda: tk.tube([(0, 0, 0), (0, 2, 0), (2, 2, 0)], 0.1, segments=48),
        0.04 * np.pi,
        0.002,
    ),
    "mirrored": (lambda: mirror(tk.cylinder(1, 2, segments=64), "x"), 2 * np.pi, 0.02),
    "scaled": (lambda: scale(tk.box((1, 1, 1)), (-2, 1, 1)), 2.0, 1e-9),
    "bent": (lambda: bend(LONG, "x", 1.0), 0.4, 0.01),
    "tapered": (lambda: taper(tk.box((1, 3, 1)), "y", 1.0), 1.0, 1e-9),
    "placed": (lambda: place(tk.box((1, 1, 1), (0, 0.5, 0)), (0, 0, 0), (3, 0, 4)), 5.0, 1e-9),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLIDS)
def test_primitives_hold_their_volume_and_look_outwards(name: str) -> None:
    make, volume, tolerance = SOLIDS[name]
    assert make().volume() == pytest.approx(volume, abs=tolerance)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_panels_look_along_their_axis(axis: str) -> None:
    sheet = tk.panel(1.0, 2.0, axis)
    normal = sheet.cross().sum(axis=0)
    assert normal["xyz".index(axis)] == pytest.approx(4.0)
    assert sheet.area() == pytest.approx(2.0)


def _in_texture(mesh: Mesh, uv: np.ndarray) -> np.ndarray:
    """Return twice the signed area of every face in the texture, (F,); positive: not mirrored."""
    a, b, c = (uv[mesh.faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def test_tiling_textures_are_stretched_by_less_than_two_and_keep_the_surface() -> None:
    solid = tk.sphere(1.0, segments=40)
    mesh, uv = finish._triplanar(solid)
    assert len(uv) == len(mesh.vertices) and mesh.area() == pytest.approx(solid.area())
    size = np.linalg.norm(mesh.cross(), axis=1)
    ratio = np.abs(_in_texture(mesh, uv)) / size
    assert ratio.min() > 0.55 and ratio.max() < 1 + 1e-9


@pytest.mark.parametrize("tilt", [-1.2, 0.0, 0.5, np.pi / 2])
def test_pictures_stand_upright_and_unmirrored_on_both_sides(tilt: float) -> None:
    """Tilts are back from upright; at a quarter turn the picture lies flat, its top to the back."""
    screen = rotate(tk.box((2.0, 1.0, 0.02)), "x", -tilt)
    mesh, uv = finish._planar(screen)
    assert uv.min() == pytest.approx(0.0) and uv.max() == pytest.approx(1.0)
    faces = np.linalg.norm(mesh.cross(), axis=1) > 1.0
    assert faces.sum() == 4 and (_in_texture(mesh, uv)[faces] > 0.9).all()
    top = mesh.vertices[uv[:, 1] > 0.9].mean(axis=0)
    assert top @ [0, np.cos(tilt), -np.sin(tilt)] == pytest.approx(0.5, abs=0.02)


def test_bad_grids_and_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a grid"):
        tk.curved_sheet(np.zeros((1, 4, 3)))
    with pytest.raises(ValueError, match="two different points"):
        tk.tube([(0, 0, 0), (0, 0, 0)], 0.1)
