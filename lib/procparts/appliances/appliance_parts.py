"""Build cabinets, pulls, knobs, feet and hinged doors of appliances."""

from collections.abc import Callable

import numpy as np

from procparts.kit.fittings import Assembly, arch, chance, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar, Vector, merge, move, rotate
from procparts.kit.toolkit import box, cylinder
from procparts.kit.vessels import made_of, section, solid

Placed = list[tuple[str, Mesh, Material]]


def shell(w: Scalar, h: Scalar, d: Scalar, wall: Scalar) -> Mesh:
    """Build a cabinet of four walls and a back about the origin, open towards +z."""
    sides = [box((wall, h, d), (s * (w - wall) / 2, 0, 0)) for s in (-1, 1)]
    ends = [box((w - 2 * wall, wall, d), (0, s * (h - wall) / 2, 0)) for s in (-1, 1)]
    return merge(*sides, *ends, box((w - 2 * wall, h - 2 * wall, wall), (0, 0, -d / 2 + wall / 2)))


def enamel(rng: np.random.Generator) -> Material:
    """Draw a cladding of appliances: white or colored enamel, steel, black plastic."""
    return made_of(rng, "paint", "metal", "metal", "plastic")


def grip(rng: np.random.Generator, length: Scalar, out: Scalar, upright: bool, thick: Scalar) -> Mesh:
    """Build a long pull about the origin that stands out towards +z: bar, bow, slab or recessed lip."""
    kind = pick(rng, ["bar", "bow", "slab", "square", "lip"])
    half = length / 2
    if kind == "bar":
        posts = [cylinder(thick * 0.7, out, (s * half * 0.82, 0, out / 2), 10, axis="z") for s in (-1, 1)]
        mesh = merge(cylinder(thick, length, (0, 0, out), 14, axis="x"), *posts)
    elif kind == "bow":
        mesh = arch((half, 0, -0.003), (half * 0.85, 0, out), thick * 0.9, out, 8)
    elif kind == "slab":
        posts = [box((thick * 2, thick * 2, out), (s * half * 0.85, 0, out / 2)) for s in (-1, 1)]
        mesh = merge(box((length, thick * 2.6, thick * 0.9), (0, 0, out), bevel=thick * 0.2), *posts)
    elif kind == "square":
        mesh = arch((half, 0, -0.003), (half, 0, out), thick, thick * 1.5, 4)
    else:
        mesh = box((length, thick * 2.2, out * 0.7), (0, 0, out * 0.35), bevel=thick * 0.4)
    return rotate(mesh, "z", np.pi / 2) if upright else mesh


def knob(rng: np.random.Generator, r: Scalar) -> Callable[[Vector], Mesh]:
    """Return a maker of control knobs that stand out towards +z at a point."""
    out = r * rng.uniform(0.6, 1.2)
    kind = pick(rng, ["plain", "wing", "flute", "cap"])
    if kind == "flute":
        mesh = section(solid([(r, 0), (r * 0.9, out)], 40), 2.0, 16, 0.06)
    elif kind == "cap":
        mesh = solid([(r * 1.15, 0), (r * 1.1, out * 0.25), (r * 0.75, out * 0.3), (r * 0.7, out)], 20)
    else:
        mesh = solid([(r, 0), (r * rng.uniform(0.75, 1.0), out)], 20)
    if kind == "wing":
        mesh = merge(solid([(r, 0), (r, out * 0.35)], 20), box((r * 0.35, out, r * 1.7), (0, out * 0.5, 0)))
    turned = rotate(rotate(mesh, "y", rng.uniform(0, 1.5)), "x", np.pi / 2)
    return lambda at: move(turned, at)


def swing(pieces: Placed, axis: str, angle: Scalar, hinge: Vector) -> Placed:
    """Return a door with all that is on it, turned about its hinge by an angle in radians."""
    return [(part, rotate(mesh, axis, angle, hinge), material) for part, mesh, material in pieces]


def feet(
    rng: np.random.Generator, a: Assembly, w: Scalar, d: Scalar, y: Scalar, size: Scalar, part: str = "foot"
) -> None:
    """Add four feet whose tops reach up to height `y`."""
    material = made_of(rng, "rubber", "plastic", "metal")
    square = chance(rng, 0.4)
    for sx in (-1, 1):
        for sz in (-1, 1):
            at = (sx * w * 0.42, y - size * 0.45, sz * d * 0.4)
            a.add(
                part,
                box((size * 1.4, size, size * 1.4), at) if square else cylinder(size * 0.7, size, at, 14),
                material,
            )
