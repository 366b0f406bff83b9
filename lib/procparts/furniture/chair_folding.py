"""Build folding chairs."""

import numpy as np

from procparts.furniture.chair_bases import Frame
from procparts.kit import materials
from procparts.kit.fittings import Assembly, chance, curved_board, pick
from procparts.kit.mesh import Mesh, Piece, move, rotate
from procparts.kit.toolkit import box, cylinder, rod, rounded_box, tube


def folding(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add a whole folding chair: two crossing frames, the rear one carrying the back."""
    a = Assembly()
    r = rng.uniform(0.009, 0.014)
    x, h, d, back = f.w / 2, f.h, f.d, f.back * 0.9
    top = np.array([h + back, -d * 0.62])
    slope = (top[1] - d * 0.55) / top[0]
    tube_sides = 4 if chance(rng, 0.3) else 10
    a.both("leg", tube([(x, 0, d * 0.55), (x, h + 0.02, d * 0.55 + slope * h)], r, tube_sides), f.frame)
    a.both(
        "leg", tube([(x - 2.4 * r, 0, -d * 0.62), (x - 2.4 * r, h - f.t, d * 0.36)], r, tube_sides), f.frame
    )
    z = d * 0.55 + slope * h
    a.both("back_post", tube([(x, h, z), (x, top[0], top[1])], r, tube_sides), f.frame)
    a.add(
        "stretcher",
        rod((-x, h * 0.2, d * 0.55 + slope * h * 0.2), (x, h * 0.2, d * 0.55 + slope * h * 0.2), r * 0.8),
        f.frame,
    )
    a.add(
        "stretcher",
        rod((2.4 * r - x, h * 0.12, -d * 0.5), (x - 2.4 * r, h * 0.12, -d * 0.5), r * 0.8),
        f.frame,
    )
    depth = d * 0.42 - z
    seat_width = 2 * x - 1.0 * r
    if chance(rng, 0.4):
        n = int(rng.integers(4, 8))
        for k in range(n):
            at = z + (k + 0.5) * depth / n
            a.add("seat_slat", box((seat_width, 0.014, depth / n * 0.8), (0, h, at)), f.main)
        a.both("seat_support", box((0.016, 0.02, depth), (x - 2.5 * r, h - 0.014, z + depth / 2)), f.frame)
    elif chance(rng, 0.5):
        a.add("seat_soft", rounded_box((seat_width, 0.04, depth), 0.015, (0, h, z + depth / 2)), f.soft)
    else:
        a.add("seat_hard", box((seat_width, 0.015, depth), (0, h, z + depth / 2), bevel=0.004), f.main)
    lean = np.arctan2(z - top[1], top[0] - h)
    middle = ((h + top[0]) / 2 + back * 0.2, (z + top[1]) / 2 - back * 0.2 * np.tan(lean))
    height = back * rng.uniform(0.35, 0.6)

    def on_back(mesh: Mesh) -> Mesh:
        return move(rotate(mesh, "x", -lean), (0, *middle))

    kind = pick(rng, ["board", "slats", "soft"])
    if kind == "slats":
        for k in (-1, 0, 1):
            slat = box((2 * x, height * 0.24, 0.012), (0, k * height * 0.36, 0))
            a.add("back_slat", on_back(slat), f.main)
    elif kind == "soft":
        a.add("back_soft", on_back(rounded_box((2 * x, height, 0.035), 0.012)), f.soft)
    else:
        a.add("back_hard", on_back(curved_board((2 * x, height, 0.01), rng.uniform(0, 0.3))), f.main)
    if chance(rng, 0.4):
        for foot in ((x, 0.55), (x - 2.4 * r, -0.62)):
            a.both("foot", cylinder(r * 1.5, 0.03, (foot[0], 0.012, foot[1] * d), 10), materials.rubber(rng))
    return a.pieces
