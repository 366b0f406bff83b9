"""Blades and caged heads of fans."""

import numpy as np

from alignparts.corpus.procedural.appliance_parts import Placed
from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Scalar, merge, move, rotate
from alignparts.corpus.procedural.toolkit import (
    curved_sheet,
    cylinder,
    sphere,
    torus,
    tube,
)
from alignparts.corpus.procedural.vessels import (
    made_of,
    solid,
    spline,
)


def blade(rng: np.random.Generator, kind: str, length: Scalar, wide: Scalar) -> Mesh:
    """A fan blade along +x from near the axis (+z), pitched."""
    r = np.linspace(0.16, 1.0, 9)
    half = {
        "paddle": 0.85 + 0.15 * r,
        "leaf": np.sin(np.pi * (0.12 + 0.78 * r)) + 0.1,
        "petal": np.sqrt(np.clip(1 - (1.55 * r - 0.75) ** 2, 0.02, 1)),
        "narrow": 0.55 + 0.45 * r,
    }[kind]
    rows = []
    for x, s in zip(r, half, strict=True):
        y = np.linspace(-0.5, 0.5, 5) * wide * s
        sweep = 0.25 * wide * (x - 0.2) if kind in ("leaf", "petal") else 0.0
        rows.append(
            np.stack([np.full(5, x * length), y + sweep, 0.05 * wide * (4 * (y / wide) ** 2)], axis=1)
        )
    grid = np.array(rows)
    front = curved_sheet(grid)
    thick = length * 0.012
    mesh = merge(front.flipped(), move(front, (0, 0, -thick))) if chance(rng, 0.6) else front
    return rotate(mesh, "x", rng.uniform(0.15, 0.45))


def caged_head(
    rng: np.random.Generator,
    a: Assembly,
    r: Scalar,
    center: np.ndarray,
    tilt: Scalar,
    caged: bool,
    metal: Material,
) -> None:
    """A fan's head that blows towards +z: motor behind, hub, blades and mostly a cage."""
    n, depth = int(rng.choice([3, 3, 4, 5])), r * rng.uniform(0.3, 0.5)
    blade_material = made_of(rng, "plastic", "metal", "paint")
    one = blade(rng, pick(rng, ["petal", "leaf", "narrow"]), r * 0.86, r * rng.uniform(0.5, 0.85) * 3 / n)
    placed: Placed = []
    shape = spline([(r * 0.26, 0), (r * 0.28, -r * 0.25), (r * 0.12, -r * 0.55)][::-1], 8)
    placed.append(("motor", move(rotate(solid(shape, 20), "x", np.pi / 2), (0, 0, -depth * 0.4)), metal))
    placed.append(
        (
            "hub",
            merge(
                cylinder(r * 0.14, depth * 0.8, (0, 0, -depth * 0.15), 18, axis="z"),
                sphere(r * 0.13, (0, 0, depth * 0.25), (1, 1, 0.6), 12),
            ),
            blade_material,
        )
    )
    for k in range(n):
        placed.append(("blade", rotate(one, "z", 2 * np.pi * k / n), blade_material))
    if caged:
        wires = int(rng.integers(14, 30))
        spokes = []
        for s in (-1, 1):
            rows = [(r * 0.16, s * depth * 0.62), (r * 0.7, s * depth * 0.58), (r, s * depth * 0.1)]
            wire = tube([(q, y, 0) for q, y in rows], r * 0.008, segments=3, caps=False)
            spokes += [rotate(wire, "y", 2 * np.pi * k / wires) for k in range(wires)]
            rings = [torus(q, r * 0.01, (0, y, 0), segments=26, sides=4) for q, y in rows]
            spokes += [*rings, cylinder(r * 0.17, r * 0.02, (0, s * depth * 0.62, 0), 18)]
        spokes.append(torus(r * 1.01, r * 0.022, segments=32, sides=6))
        placed.append(("cage", rotate(merge(*spokes), "x", np.pi / 2), made_of(rng, "metal", "plastic")))
    for part, mesh, material in placed:
        a.add(part, move(rotate(mesh, "x", tilt), center), material)
