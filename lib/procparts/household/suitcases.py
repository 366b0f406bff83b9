# ruff: noqa: RUF005
"""Build suitcases."""

import numpy as np

from procparts.kit.fittings import Assembly, arch, bent, chance, pick
from procparts.kit.mesh import Piece, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, outline, rod, rounded_box, tube
from procparts.kit.vessels import made_of


def suitcase(rng: np.random.Generator) -> list[Piece]:
    """Build a hard or soft trolley case, a vintage trunk or a flat case, shut or open."""
    a = Assembly()
    style = pick(rng, ["hard", "hard", "soft", "vintage", "vintage", "trunk"])
    trolley = style in ("hard", "soft")
    material = {"hard": ("plastic", "metal", "paint"), "soft": ("fabric", "leather")}.get(
        style, ("leather", "wood", "fabric")
    )
    shell = made_of(rng, *material)
    trim, metal = made_of(rng, "metal", "plastic", "rubber"), made_of(rng, "metal")
    if trolley:
        h = rng.uniform(0.5, 0.75)
        w, d = h * rng.uniform(0.6, 0.75), h * rng.uniform(0.3, 0.45)
    else:
        w = rng.uniform(0.45, 0.7)
        h = w * rng.uniform(0.62, 0.78)
        d = w * (rng.uniform(0.2, 0.32) if style == "vintage" else rng.uniform(0.5, 0.65))
    wheel = h * rng.uniform(0.03, 0.05) if trolley else 0.0
    split = d * rng.uniform(-0.2, 0.35)
    back_d, front_d = d / 2 + split, d / 2 - split
    if style == "soft":
        front_d = d * 0.15
        back_d = d - front_d
    round_edge = min(back_d, front_d) * rng.uniform(0.25, 0.6) if trolley else d * 0.04
    y = wheel * 1.7 + h / 2
    gap = d * 0.015
    half_back = rounded_box((w, h, back_d), round_edge, (0, y, -d / 2 + back_d / 2 - gap))
    half_front = rounded_box((w, h, front_d), round_edge, (0, y, d / 2 - front_d / 2))
    if style == "hard" and chance(rng, 0.7):
        n = int(rng.integers(3, 8))
        wide = w / n * rng.uniform(0.3, 0.6)
        upright = chance(rng, 0.6)
        ribs = []
        for k in range(n):
            off = 0.82 * ((k + 0.5) / n - 0.5)
            middle = (w * off, y, 0) if upright else (0, y + h * off, 0)
            size = (wide, h * 0.85, 0.012) if upright else (w * 0.85, wide, 0.012)
            ribs.append(box(size, middle, bevel=0.004))
        half_front = merge(half_front, *[move(r, (0, 0, d / 2)) for r in ribs])
        half_back = merge(half_back, *[move(r, (0, 0, -d / 2)) for r in ribs])
    lie = not trolley and chance(rng, 0.5)
    opened = rng.uniform(0.9, 1.9) if not trolley and chance(rng, 0.3) else 0.0
    a.add("body", half_back, shell)
    hinge = (0, y - h / 2, d / 2 - front_d)
    a.add(
        "lid",
        move(rotate(half_front, "x", opened, hinge), (0, 0, -d * 0.03 if opened else 0)),
        shell if chance(rng, 0.85) else made_of(rng, *material),
    )
    seam = d / 2 - front_d
    if style in ("hard", "soft") and chance(rng, 0.8):
        edge = outline(w * 1.008, h * 1.008, max(round_edge, h * 0.02))
        band = np.column_stack([edge[:, 0], edge[:, 1] + y, np.full(len(edge), seam - gap / 2)])
        a.add(
            "zipper",
            tube(band, d * 0.02, segments=6, closed=True),
            made_of(rng, "metal", "plastic", "rubber"),
        )
    if trolley:
        twin = chance(rng, 0.5)
        spots = [(sx, sz) for sx in (-1, 1) for sz in (-1, 1)] if chance(rng, 0.65) else [(-1, -1), (1, -1)]
        for sx, sz in spots:
            at = np.array([sx * w * 0.4, wheel, sz * d * 0.34])
            wheels = [
                cylinder(wheel, wheel * 0.6, at + [o * wheel * 0.5, 0, 0], 16, axis="x")
                for o in ((-1, 1) if twin else (0,))
            ]
            fork = box(
                (wheel * (2.4 if not twin else 0.5), wheel * 1.4, wheel * 1.2),
                at + [0, wheel * 0.7, 0],
                bevel=wheel * 0.1,
            )
            a.add("wheel", merge(*wheels, fork), made_of(rng, "rubber", "plastic"))
        if len(spots) == 2:
            for sx in (-1, 1):
                a.add(
                    "foot",
                    box(
                        (w * 0.1, wheel * 1.8, d * 0.15),
                        (sx * w * 0.35, wheel * 0.9, d * 0.3),
                        bevel=wheel * 0.2,
                    ),
                    trim,
                )
        out = h * rng.choice([0.02, rng.uniform(0.3, 0.75)])
        x, top, z = w * rng.uniform(0.2, 0.32), y + h / 2, -d / 2 + back_d * 0.35
        t = h * rng.uniform(0.009, 0.015)
        bars = [rod((s * x, top - h * 0.15, z), (s * x, top + out, z), t) for s in (-1, 1)]
        bars.append(rounded_box((2 * x + t * 4, t * 3.5, t * 3.5), t * 1.5, (0, top + out + t, z)))
        a.add("trolley", merge(*bars), trim)
        grip = w * rng.uniform(0.13, 0.18)
        rise = h * 0.05
        low = z + d * 0.3
        a.add("handle", arch((grip, top - 0.004, low), (grip, top + rise, low), t * 1.1, rise, 8), trim)
        if chance(rng, 0.5):
            side = bent([(0, -grip, 0), (rise, -grip, 0), (rise, grip, 0), (0, grip, 0)], t * 1.1, rise, 8)
            a.add("handle", move(side, (w / 2 - 0.003, y, z)), trim)
        if style == "soft":
            for high, tall in ((0.2, 0.3), (-0.2, 0.38)) if chance(rng, 0.6) else ((-0.1, 0.5),):
                a.add(
                    "pocket",
                    rounded_box((w * 0.8, h * tall, d * 0.12), d * 0.05, (0, y + high * h, d / 2)),
                    shell,
                )
        if chance(rng, 0.5):
            a.add(
                "lock",
                box((w * 0.06, h * 0.05, d * 0.08), (w * 0.495, y + h * 0.25, seam), bevel=0.002),
                metal,
            )
    else:
        grip, rise = w * rng.uniform(0.12, 0.18), h * 0.09
        top = y + h / 2
        thick = w * rng.uniform(0.012, 0.02)
        if style == "trunk":
            for s in (-1, 1):
                side = bent(
                    [
                        (0, 0, -grip * 0.8),
                        (s * rise, -rise * 0.3, -grip * 0.8),
                        (s * rise, -rise * 0.3, grip * 0.8),
                        (0, 0, grip * 0.8),
                    ],
                    thick,
                    rise * 0.6,
                    8,
                )
                a.add("handle", move(side, (s * w * 0.497, y + h * 0.1, -d / 2 + back_d / 2)), trim)
        else:
            z = -d / 2 + back_d * 0.6
            a.add("handle", arch((grip, top - 0.003, z), (grip, top + rise, z), thick, rise * 0.8, 8), trim)
        for s in (-1, 1):
            plate = box((w * 0.07, h * 0.03, d * 0.25), (s * w * 0.3, top, seam - d * 0.08), bevel=0.003)
            a.add("lock", plate, metal)
        if chance(rng, 0.6):
            for sx in (-1, 1):
                for sz in (-1, 1):
                    a.add(
                        "foot",
                        box(
                            (w * 0.05, h * 0.03, d * 0.1),
                            (
                                sx * w * 0.4,
                                y - h / 2 - h * 0.01,
                                (sz * 0.3 - 0.02) * d if sz < 0 else min(0.25 * d, seam - 0.05 * d),
                            ),
                            bevel=0.002,
                        ),
                        metal,
                    )
    if lie:
        a.pieces = [Piece(p.part, rotate(p.mesh, "x", -np.pi / 2), p.material) for p in a.pieces]
    return a.pieces


CATEGORIES = {"suitcase": suitcase}
