# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build parts of bicycles: wheels, saddles, handlebars."""

import numpy as np

from procparts.kit.fittings import Assembly, bent
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, lathe, loft, torus, tube


def spoked_wheel(
    rng: np.random.Generator,
    a: Assembly,
    center: np.ndarray,
    radius: Scalar,
    tire: Scalar,
    spokes: int,
    fused: bool,
    rubber: Material,
    metal: Material,
) -> None:
    """Add tire, rim and spokes about an axle along x."""
    ring = torus(radius - tire, tire, center, "x", segments=32, sides=8)
    inner = radius - 2 * tire
    rim = rotate(
        lathe(
            [
                (inner - 0.014, -tire * 0.6),
                (inner + 0.006, -tire * 0.8),
                (inner + 0.006, tire * 0.8),
                (inner - 0.014, tire * 0.6),
            ],
            32,
            True,
        ),
        "z",
        np.pi / 2,
    )
    rim = move(rim, center)
    if fused:
        a.add("wheel", merge(ring, rim), rubber)
    else:
        a.add("wheel", ring, rubber)
        a.add("rim", rim, metal)
    hub = cylinder(0.016, 0.07, center, 12, axis="x")
    if spokes <= 6:
        blades = [
            rotate(box((0.012, inner, 0.03), (0, inner / 2, 0)), "x", 2 * np.pi * k / spokes)
            for k in range(spokes)
        ]
        a.add("spokes", merge(hub, *[move(b, center) for b in blades]), metal)
        return
    root = np.array([0, 0.016 * np.cos(0.9), 0.016 * np.sin(0.9)])
    pair = [tube([root + [x, 0, 0], (0, inner, 0)], 0.0022, segments=3, caps=False) for x in (-0.03, 0.03)]
    lines = [rotate(pair[k % 2], "x", 2 * np.pi * k / spokes) for k in range(spokes)]
    a.add("spokes", merge(hub, move(merge(*lines), center)), metal)


def saddle_at(rng: np.random.Generator, at: np.ndarray, size: Scalar) -> Mesh:
    """Build a saddle, wide at the rear, its middle at `at`; `size` 1 is a grown-up's."""
    z = np.linspace(-0.13, 0.15, 8) * size
    width = (
        np.interp(np.linspace(0, 1, 8), [0, 0.15, 0.4, 0.7, 1], [0.05, 0.085, 0.06, 0.025, 0.012])
        * size
        * rng.uniform(0.8, 1.3)
    )
    turn = np.linspace(0, 2 * np.pi, 13)[:-1]
    rings = np.stack(
        [
            np.stack(
                [w * np.cos(turn), 0.025 * size * np.sin(turn) + 0.015 * np.cos(3 * k), np.full(12, k)], 1
            )
            for w, k in zip(width, z, strict=True)
        ]
    )
    return move(loft(rings), at)


def handlebar(rng: np.random.Generator, style: str, at: np.ndarray, width: Scalar) -> Mesh:
    """Build a handlebar of `width` meters with its grips, its middle at `at`."""
    x, r = width / 2, 0.011
    if style == "drop":
        half = [(0, 0, 0), (x, 0, 0), (x, 0, 0.08), (x, -0.06, 0.11), (x, -0.12, 0.08), (x, -0.13, -0.03)]
    elif style == "riser":
        half = [(0, 0, 0), (0.05, 0, 0), (0.12, 0.07, -0.01), (x, 0.09, -0.05)]
    elif style == "swept":
        half = [(0, 0, 0), (0.1, 0.03, 0.03), (x * 0.9, 0.07, -0.02), (x, 0.06, -0.18)]
    elif style == "bmx":
        half = [(0, 0, 0), (0.06, 0, 0), (0.14, 0.2, 0), (x, 0.22, -0.03)]
    else:
        half = [(0, 0, 0), (x, 0.005, -0.02)]
    path = np.array([*[(-p[0], p[1], p[2]) for p in half[:0:-1]], *half], dtype=float)
    mesh = bent(path, r, 0.03)
    grip = [
        cylinder(0.016, 0.1, (s * (half[-1][0] - 0.05), half[-1][1], half[-1][2]), 10, axis="x")
        for s in (-1, 1)
    ]
    return move(merge(mesh, *([] if style in ("drop", "swept") else grip)), at)
