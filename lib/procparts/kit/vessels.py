# ruff: noqa: RUF005
"""Build curved profiles, hollow turned bodies, loop handles and small pieces of household things."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from procparts.kit import materials
from procparts.kit.fittings import bent, smooth
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar, Vector, merge, move, rotate, scale
from procparts.kit.toolkit import box, curved_sheet, extrude, lathe, outline, torus, tube

Factory = Callable[[np.random.Generator], Material]


def made_of(rng: np.random.Generator, *names: str) -> Material:
    """Draw a material of one of the kinds named, for example ``made_of(rng, "metal", "plastic")``."""
    factory: Factory = getattr(materials, names[int(rng.integers(len(names)))])
    return factory(rng)


def spline(points: Vector, steps: int = 20) -> np.ndarray:
    """Return a smooth curve (steps, d) through `points` (n, d) that does not overshoot them."""
    p = np.asarray(points, dtype=float)
    t = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1).clip(1e-9))])
    return np.asarray(PchipInterpolator(t, p, axis=0)(np.linspace(0, t[-1], steps)))


def radius_at(profile: Vector, y: Scalar) -> float:
    """Return the radius of an outer profile (n, 2) of (r, y), bottom first, at height `y`."""
    p = np.asarray(profile, dtype=float)
    return float(np.interp(float(y), p[:, 1], p[:, 0]))


def hollow(profile: Vector, wall: Scalar, segments: int = 28, floor: bool = True) -> Mesh:
    """Build a vessel with a `wall` of that thickness from its outer `profile` (n, 2), bottom first."""
    outer = np.asarray(profile, dtype=float)
    t = float(wall)
    low = outer[0, 1]
    inside = outer[outer[:, 1] >= low + t] if floor else outer
    inner = np.stack([np.maximum(inside[:, 0] - t, 0.4 * inside[:, 0]), inside[:, 1]], axis=1)[::-1]
    if not floor:
        return lathe(np.concatenate([outer, inner]), segments, close=True)
    return lathe(np.concatenate([[[0.0, low]], outer, inner, [[0.0, low + t]]]), segments)


def solid(profile: Vector, segments: int = 28) -> Mesh:
    """Build a solid turned body from its outer `profile` (n, 2), bottom first."""
    p = np.asarray(profile, dtype=float)
    return lathe(np.concatenate([[[0.0, p[0, 1]]], p, [[0.0, p[-1, 1]]]]), segments)


def section(
    mesh: Mesh, power: Scalar = 2.0, flutes: int = 0, depth: Scalar = 0.0, turn: Scalar = 0.0
) -> Mesh:
    """Return a turned mesh with another section: squarish for `power` > 2, `flutes` grooves of `depth`."""
    v = mesh.vertices.copy()
    theta = np.arctan2(v[:, 2], v[:, 0])
    a = theta - float(turn)
    k = 1.0 / (np.abs(np.cos(a)) ** float(power) + np.abs(np.sin(a)) ** float(power)) ** (1 / float(power))
    if flutes:
        k = k * (1 - float(depth) * (0.5 - 0.5 * np.cos(flutes * theta)))
    v[:, [0, 2]] *= k[:, None]
    return Mesh(v, mesh.faces)


def loop(
    style: str, low: Vector, high: Vector, out: Scalar, thickness: Scalar, flat: Scalar = 1.0, sides: int = 10
) -> Mesh:
    """Build a handle in the x-y plane between two points (x, y) of a wall, standing out by `out` along +x.

    Styles: "c" (a bow), "d" (straight grip), "ear" (widest on top), "drop" (widest below), "angular",
    "ring" (a half circle). `flat` stretches its section along z.
    """
    a, b = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    h, reach = b[1] - a[1], max(a[0], b[0]) + float(out)
    curves: dict[str, list[tuple[float, float]]] = {
        "c": [
            (a[0], a[1]),
            (reach * 0.9 + a[0] * 0.1, a[1] + 0.15 * h),
            (reach, a[1] + 0.5 * h),
            (reach * 0.9 + b[0] * 0.1, b[1] - 0.15 * h),
            (b[0], b[1]),
        ],
        "ear": [
            (a[0], a[1]),
            ((a[0] + reach) / 2, a[1] + 0.2 * h),
            (reach, b[1] - 0.25 * h),
            (reach * 0.85 + b[0] * 0.15, b[1] + 0.06 * h),
            (b[0], b[1] - 0.05 * h),
        ],
        "drop": [
            (a[0], a[1] + 0.05 * h),
            (reach * 0.9 + a[0] * 0.1, a[1] - 0.02 * h),
            (reach, a[1] + 0.25 * h),
            ((b[0] + reach) / 2, b[1] - 0.15 * h),
            (b[0], b[1]),
        ],
    }
    if style in curves:
        path = spline(curves[style], 14)
    elif style == "ring":
        t = np.linspace(-np.pi / 2, np.pi / 2, 13)
        mid = (a + b) / 2
        path = np.stack([mid[0] + float(out) * np.cos(t), mid[1] + h / 2 * np.sin(t)], axis=1)
        path[0, 0], path[-1, 0] = a[0], b[0]
    else:
        tip = 0.25 * h if style == "angular" else 0.0
        flat_path = np.array([(a[0], a[1]), (reach - 0.6 * tip, a[1] + tip), (reach, b[1]), (b[0], b[1])])
        corner = 0.35 * float(out) if style == "d" else 0.08 * float(out)
        path = smooth(np.column_stack([flat_path, np.zeros(4)]), corner)[:, :2]
    mesh = tube(np.column_stack([path, np.zeros(len(path))]), float(thickness), segments=sides)
    return scale(mesh, [1, 1, float(flat)])


def around(count: int, make: Callable[[float], Mesh], start: Scalar = 0.0) -> list[Mesh]:
    """Return `count` meshes made for evenly spread angles about the y axis, in radians."""
    return [make(float(start) + 2 * np.pi * k / count) for k in range(count)]


def polar(radius: Scalar, angle: Scalar, y: Scalar = 0.0) -> np.ndarray:
    """Return the point at `radius` and `angle` about y (0 is +x, a quarter turn +z), at height `y`."""
    return np.array([float(radius) * np.cos(float(angle)), float(y), float(radius) * np.sin(float(angle))])


def slab(width: Scalar, depth: Scalar, height: Scalar, corner: Scalar, y: Scalar = 0.0) -> Mesh:
    """Build a flat plate with round corners seen from above, its underside at height `y`."""
    return extrude(
        outline(width, depth, corner), height, axis="y", center=(0, float(y) + float(height) / 2, 0)
    )


def chain(start: Vector, end: Vector, link: Scalar) -> Mesh:
    """Build links of a chain from one point straight up to another; `link` is the length of one."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = float(np.linalg.norm(b - a))
    count = int(np.clip(round(length / (float(link) * 0.75)), 2, 16))
    pitch = length / count
    one = torus(pitch * 0.42, pitch * 0.1, axis="z", segments=10, sides=5)
    one = scale(one, [0.7, 1.45, 1])
    links = [
        move(rotate(one, "y", np.pi / 2 * (k % 2)), a + (b - a) * (k + 0.5) / count) for k in range(count)
    ]
    return merge(*links)


def on_ground(
    rng: np.random.Generator, start: Vector, length: Scalar, radius: Scalar
) -> tuple[Mesh, np.ndarray, float]:
    """Build a cord that leaves `start` backwards and wanders on the ground: (mesh, its end, its heading)."""
    p = np.asarray(start, dtype=float)
    r, n = float(radius), 5
    x = p[0] + np.cumsum(rng.normal(0, 0.18, n)) * float(length)
    z = p[2] - np.linspace(0.25, 1, n) * float(length)
    ground = np.column_stack([x, np.full(n, r), z])
    path = spline(np.concatenate([[p], ground]), 18)
    step = path[-1] - path[-2]
    return tube(path, r, segments=6), path[-1], float(np.arctan2(step[0], step[2]))


def plug(end: Vector, heading: Scalar, size: Scalar) -> Mesh:
    """Build a mains plug at the end of a cord lying on the ground."""
    s = float(size)
    prongs = [box((s * 0.12, s * 0.12, s * 0.6), (k * s * 0.25, 0, s * 0.8)) for k in (-1, 1)]
    body = merge(box((s, s * 0.7, s), (0, 0, s * 0.1), bevel=s * 0.12), *prongs)
    return move(rotate(body, "y", float(heading)), np.asarray(end, dtype=float) + [0, s * 0.2, 0])


def scatter(rng: np.random.Generator, options: Sequence[float]) -> float:
    """Return one of `options`, give or take a tenth."""
    return float(options[int(rng.integers(len(options)))] * rng.uniform(0.9, 1.1))


def bail(x: Scalar, y: Scalar, rise: Scalar, thickness: Scalar, lean: Scalar) -> Mesh:
    """Build a bow handle from (x, y) to (-x, y), `rise` high, tipped forward by `lean` radians."""
    t = np.linspace(0, np.pi, 15)
    path = np.stack([x * np.cos(t), y + rise * np.sin(t) ** 0.8, np.zeros(15)], axis=1)
    return rotate(tube(path, thickness, segments=8), "x", lean, (0, y, 0))


def beak(profile: np.ndarray, mesh: Mesh, length: Scalar, start: Scalar) -> Mesh:
    """Return a vessel with its rim drawn out to a pouring lip along -x, above the height `start`."""
    v = mesh.vertices.copy()
    top = profile[-1, 1]
    angle = np.arctan2(v[:, 2], -v[:, 0])
    grow = np.clip((v[:, 1] - start) / max(top - start, 1e-9), 0, 1) ** 1.5 * np.exp(-((angle / 0.38) ** 2))
    v[:, 0] -= length * grow
    v[:, 1] += 0.25 * length * grow
    return Mesh(v, mesh.faces)


def loop_flat(x: Scalar, out: Scalar, half: Scalar, y: Scalar, thickness: Scalar) -> Mesh:
    """Build a level side handle at height `y` on a wall at `x`, `2 * half` wide, standing out by `out`."""
    path = [(x * 0.93, y, -half), (x + out, y, -half * 0.8), (x + out, y, half * 0.8), (x * 0.93, y, half)]
    return bent(path, thickness, out * 0.6, 8)


def ring_frame(
    w: Scalar, h: Scalar, left: Scalar, right: Scalar, top: Scalar, low: Scalar, depth: Scalar, corner: Scalar
) -> Mesh:
    """Build a flat frame in the x-y plane, front at z = `depth` / 2, with four border widths."""
    outer = outline(w, h, corner)
    inner = outline(w - left - right, h - top - low, corner * 0.3) + [(left - right) / 2, (low - top) / 2]
    z = depth / 2
    rings = [
        np.column_stack([p, np.full(len(p), q)])
        for p, q in ((inner, -z), (outer, -z), (outer, z), (inner, z), (inner, -z))
    ]
    return curved_sheet(np.stack([np.concatenate([r, r[:1]]) for r in rings])).flipped()
