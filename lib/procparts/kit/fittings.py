"""Build pieces that several categories share: legs, cushions, casters, handles, bent tubes."""

from collections.abc import Callable, Sequence

import numpy as np

from procparts.kit import materials
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, Vector, bend, merge, mirror, move, place, rotate
from procparts.kit.toolkit import box, cylinder, lathe, rounded_box, sphere, superellipsoid, torus, tube

Maker = Callable[[Vector, Vector], Mesh]
Puller = Callable[[Vector, bool], Mesh]


class Assembly:
    """Gather pieces one by one."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def add(self, part: str, mesh: Mesh, material: Material) -> Mesh:
        """Append a piece and return its mesh."""
        self.pieces.append(Piece(part, mesh, material))
        return mesh

    def both(self, part: str, mesh: Mesh, material: Material) -> None:
        """Append a piece and its reflection across x."""
        self.add(part, mesh, material)
        self.add(part, mirror(mesh, "x"), material)


def pick(rng: np.random.Generator, options: Sequence[str], weights: Sequence[Scalar] | None = None) -> str:
    """Return one of `options`, evenly or by `weights` (which need not sum to 1)."""
    p = None if weights is None else np.asarray(weights, dtype=float) / float(sum(weights))
    return options[int(rng.choice(len(options), p=p))]


def chance(rng: np.random.Generator, p: Scalar) -> bool:
    """Return true with probability `p`."""
    return bool(rng.random() < p)


def hard(rng: np.random.Generator) -> Material:
    """Draw a material for frames and boards."""
    kind = pick(rng, ["wood", "metal", "plastic", "paint"], [5, 2, 1.5, 2])
    return {
        "wood": materials.wood,
        "metal": materials.metal,
        "plastic": materials.plastic,
        "paint": materials.paint,
    }[kind](rng)


def soft(rng: np.random.Generator) -> Material:
    """Draw a material for upholstery."""
    return materials.fabric(rng) if chance(rng, 0.65) else materials.leather(rng)


def turned_profile(rng: np.random.Generator, radius: Scalar) -> np.ndarray:
    """Draw a profile (n, 2) for a lathe from y = 0 to y = 1, with beads and waists."""
    n = int(rng.integers(5, 11))
    y = np.sort(np.concatenate([[0.0, 1.0], rng.uniform(0.04, 0.96, n)]))
    r = radius * rng.uniform(0.5, 1.0, len(y))
    r[-2:], r[0] = radius, radius * rng.uniform(0.5, 0.9)
    return np.concatenate([[[0.0, 0.0]], np.stack([r, y], axis=1), [[0.0, 1.0]]])


def leg_maker(rng: np.random.Generator, thickness: Scalar, style: str | None = None) -> Maker:
    """Return a maker of legs between two points, (bottom, top) -> mesh, all of one style."""
    style = style or pick(rng, ["square", "taper", "round", "cone", "turned", "flat"], [3, 2, 2, 2, 1.5, 0.8])
    half = thickness / 2
    if style in ("square", "flat"):
        depth = thickness * (rng.uniform(0.4, 0.7) if style == "flat" else 1.0)
        unit = box((thickness, 1, depth), (0, 0.5, 0), bevel=0.08 * depth if chance(rng, 0.4) else 0.0)
    elif style == "taper":
        k = rng.uniform(0.45, 0.75)
        corner = lathe([(0, 0), (half * k * 1.41, 0), (half * 1.41, 1), (0, 1)], 4)
        unit = rotate(corner, "y", np.pi / 4)
    elif style == "turned":
        unit = lathe(turned_profile(rng, half), 14)
    else:
        k = rng.uniform(0.45, 0.75) if style == "cone" else 1.0
        unit = lathe([(0, 0), (half * k, 0), (half, 1), (0, 1)], 14)
    return lambda bottom, top: place(unit, bottom, top)


def bar_maker(rng: np.random.Generator, thickness: Scalar) -> Maker:
    """Return a maker of plain bars between two points, square or round."""
    if chance(rng, 0.5):
        unit = box((thickness, 1, thickness * rng.uniform(0.5, 1)), (0, 0.5, 0))
    else:
        unit = cylinder(thickness / 2, 1, (0, 0.5, 0), segments=12)
    return lambda a, b: place(unit, a, b)


def cushion(rng: np.random.Generator, size: Vector, center: Vector = (0, 0, 0)) -> Mesh:
    """Build a stuffed block: round-edged or pillow-like."""
    w, h, d = (float(s) for s in size)
    if chance(rng, 0.6):
        return rounded_box((w, h, d), rng.uniform(0.3, 0.49) * min(w, h, d), center)
    return superellipsoid((w, h, d), rng.uniform(0.2, 0.4), center)


def smooth(points: Vector, radius: Scalar, steps: int = 4) -> np.ndarray:
    """Return a polyline (n, 3) with its inner corners rounded off, starting `radius` before each."""
    p = np.asarray(points, dtype=float)
    out = [p[0]]
    t = np.linspace(0, 1, steps + 1)[:, None]
    for before, corner, after in zip(p[:-2], p[1:-1], p[2:], strict=True):
        back, forth = before - corner, after - corner
        a = corner + back * min(float(radius) / max(float(np.linalg.norm(back)), 1e-9), 0.49)
        b = corner + forth * min(float(radius) / max(float(np.linalg.norm(forth)), 1e-9), 0.49)
        out.extend((1 - t) ** 2 * a + 2 * t * (1 - t) * corner + t**2 * b)
    return np.array([*out, p[-1]])


def bent(points: Vector, radius: Scalar, corner: Scalar, segments: int = 10) -> Mesh:
    """Build a bent tube of `radius` along a polyline whose corners are rounded by `corner` meters."""
    return tube(smooth(points, corner), radius, segments=segments)


def arch(foot: Vector, top: Vector, radius: Scalar, corner: Scalar, segments: int = 10) -> Mesh:
    """Build a bent tube over x = 0: from the reflection of `foot` by that of `top` to `top` and `foot`."""
    side = np.array([foot, top], dtype=float)
    return bent([*(side * [-1, 1, 1]), *side[::-1]], radius, corner, segments)


def caster(
    rng: np.random.Generator, top: Vector, wheel: Scalar, twin: bool, yaw: Scalar
) -> tuple[Mesh, Mesh]:
    """Build a caster below `top`, its wheel of radius `wheel` on the ground: (yoke, wheel)."""
    width = wheel * (0.55 if twin else 0.7)
    x, y, z = (float(v) for v in top)
    if twin:
        disc = merge(*[cylinder(wheel, width, (s * width * 0.75, 0, 0), 18, axis="x") for s in (-1, 1)])
        yoke = merge(
            cylinder(wheel * 0.3, width * 2, axis="x"), box((width * 0.5, wheel, wheel), (0, wheel / 2, 0))
        )
    else:
        disc = cylinder(wheel, width, axis="x", segments=18)
        cheeks = [
            box((wheel * 0.15, wheel * 1.3, wheel * 0.6), (s * width * 0.65, wheel * 0.5, 0)) for s in (-1, 1)
        ]
        yoke = merge(*cheeks, box((width * 1.5, wheel * 0.2, wheel * 0.6), (0, wheel * 1.1, 0)))
    stem = max(y - wheel, wheel * 1.2)
    yoke = merge(
        yoke, cylinder(wheel * 0.2, max(stem - wheel * 0.9, 0.004), (0, (stem + wheel * 0.9) / 2, 0), 10)
    )
    set_down = (x, wheel, z)
    return move(rotate(yoke, "y", yaw), set_down), move(rotate(disc, "y", yaw), set_down)


def handle_maker(rng: np.random.Generator, size: Scalar) -> Puller:
    """Return a maker of pulls: (center on the front face, upright) -> mesh that stands out towards +z."""
    style = pick(rng, ["knob", "ball", "bar", "bow", "block", "ring", "cup"], [2, 1, 2, 2, 1, 0.6, 0.7])
    r, length, out = size * 0.16, size * rng.uniform(0.6, 1.6), size * 0.28
    if style == "knob":
        profile = [(0, 0), (r * 0.5, 0), (r * 0.4, out * 0.5), (r, out * 0.7), (r * 0.9, out), (0, out)]
        mesh = rotate(lathe(profile, 14), "x", np.pi / 2)
    elif style == "ball":
        stalk = cylinder(r * 0.35, out, (0, 0, out / 2), 8, axis="z")
        mesh = merge(stalk, sphere(r * 0.9, (0, 0, out), segments=12))
    elif style == "bar":
        ends = [cylinder(r * 0.3, out, (s * length * 0.4, 0, out / 2), 8, axis="z") for s in (-1, 1)]
        mesh = merge(cylinder(r * 0.4, length, (0, 0, out), 10, axis="x"), *ends)
    elif style == "bow":
        x = length / 2
        mesh = arch((x, 0, -0.002), (x * 0.9, 0, out), r * 0.35, out * 0.7, 8)
    elif style == "block":
        mesh = box((length, r, out), (0, 0, out / 2), bevel=r * 0.15)
    elif style == "ring":
        plate = cylinder(r * 0.6, out * 0.3, (0, 0, out * 0.15), 12, axis="z")
        mesh = merge(plate, torus(r * 1.1, r * 0.2, (0, -r * 0.9, out * 0.35), "z", segments=18, sides=6))
    else:
        shell = superellipsoid((length, size * 0.35, out * 2), 0.8, segments=16)
        front = shell.faces[shell.vertices[shell.faces].mean(axis=1)[:, 2] > 0]
        mesh = Mesh(shell.vertices, front)
    upright = rotate(mesh, "z", np.pi / 2)
    return lambda center, vertical: move(upright if vertical else mesh, center)


def curved_board(size: Vector, curve: Scalar) -> Mesh:
    """Build a board (width, height, thickness) at the origin, its sides bent forward by `curve` radians."""
    w, h, t = (float(s) for s in size)
    columns = 7 if abs(float(curve)) > 0.02 else 1
    strips = [box((w / columns, h, t), (w * ((k + 0.5) / columns - 0.5), 0, 0)) for k in range(columns)]
    return bend(merge(*strips), "x", curve)
