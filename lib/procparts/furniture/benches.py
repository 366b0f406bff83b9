"""Build benches."""

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, bar_maker, bent, chance, cushion, hard, leg_maker, pick
from procparts.kit.mesh import Mesh, Piece, move, rotate
from procparts.kit.toolkit import box, cylinder, rod, rounded_box


def bench(rng: np.random.Generator) -> list[Piece]:
    """Build a garden, hall, gym, piano or stone bench."""
    a, main = Assembly(), hard(rng)
    frame = main if chance(rng, 0.5) else hard(rng)
    w, d, h, t = rng.uniform(0.8, 2.2), rng.uniform(0.3, 0.5), rng.uniform(0.38, 0.5), rng.uniform(0.03, 0.06)
    seat = pick(rng, ["slat", "board", "soft"], [3, 2, 1.2])
    base = pick(rng, ["legs", "frames", "panels", "pedestal", "sled"], [3, 2.5, 1.5, 0.8, 0.8])
    under = h - t
    if seat == "slat":
        n = int(rng.integers(3, 8))
        for k in range(n):
            a.add(
                "seat_slat",
                box((w, t, d / n * 0.85), (0, h - t / 2, (k + 0.5) * d / n - d / 2), bevel=0.003),
                main,
            )
    elif seat == "soft":
        a.add(
            "seat",
            cushion(rng, (w, t * 2, d), (0, h - t, 0)),
            materials.leather(rng) if chance(rng, 0.5) else materials.fabric(rng),
        )
        under = h - 2 * t
        a.add("seat_frame", box((w * 0.97, 0.03, d * 0.95), (0, under - 0.01, 0)), frame)
        under -= 0.02
    else:
        a.add("seat", box((w, t, d), (0, h - t / 2, 0), bevel=rng.choice([0, 0.006])), main)
    maker, bar = leg_maker(rng, rng.uniform(0.04, 0.08)), bar_maker(rng, rng.uniform(0.02, 0.05))
    x, z, splay = w / 2 * rng.uniform(0.7, 0.95), d / 2 * 0.85, rng.choice([0, 0.05])
    has_back, has_arms = chance(rng, 0.5), chance(rng, 0.35)
    lean, up = rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.5)
    if base in ("legs", "frames"):
        spots = [-x, x] if w < 1.6 or chance(rng, 0.6) else [-x, 0, x]
        for px in spots:
            for q in (-1, 1):
                a.add("leg", maker((px * (1 + splay), 0, q * (z + splay)), (px, under + 0.003, q * z)), frame)
            if base == "frames" or seat == "slat":
                a.add("seat_support", box((0.04, 0.04, d * 0.97), (px, under - 0.018, 0)), frame)
        if chance(rng, 0.5):
            at = under * rng.uniform(0.2, 0.5)
            for px in spots:
                a.add("stretcher", bar((px, at, -z), (px, at, z)), frame)
            a.add("support_bar", bar((spots[0], at, 0), (spots[-1], at, 0)), frame)
        if chance(rng, 0.25):
            for px in spots:
                for q in (-1, 1):
                    a.add(
                        "foot", box((0.09, 0.015, 0.09), (px * (1 + splay), 0.0075, q * (z + splay))), frame
                    )
    elif base == "panels":
        for s in (-1, 1):
            a.add("side_panel", box((rng.uniform(0.02, 0.07), under, d * 0.95), (s * x, under / 2, 0)), frame)
        if chance(rng, 0.5):
            a.add("bottom_panel", box((2 * x, 0.025, d * 0.9), (0, under * rng.uniform(0.2, 0.5), 0)), main)
        else:
            a.add("support_bar", bar((-x, under * 0.5, 0), (x, under * 0.5, 0)), frame)
    elif base == "pedestal":
        stone = materials.stone(rng)
        for s in (-1, 1):
            block = box((0.16, under, d * 0.7), (s * x * 0.8, under / 2, 0), bevel=0.02)
            a.add("pedestal", block, stone)
    else:
        for s in (-1, 1):
            path = [(s * x, under, -z), (s * x, 0.015, -z), (s * x, 0.015, z), (s * x, under, z)]
            a.add("leg", bent(path, 0.015, 0.05), frame)
            a.add("seat_support", rod((s * x, under, -z), (s * x, under, z), 0.015), frame)
    if has_back:
        rear = -d / 2 + 0.02

        def tilt(mesh: Mesh) -> Mesh:
            return move(rotate(mesh, "x", -lean), (0, h, rear))

        for px in (-x, x):
            a.add("back_post", tilt(box((0.045, up + t * 2, 0.03), (px, up / 2 - t, -0.03))), frame)
        if chance(rng, 0.6):
            n = int(rng.integers(2, 6))
            for k in range(n):
                slat = box(
                    (w, up / n * 0.7, 0.022), (0, up * (0.18 + 0.8 * (k + 0.5) / n), -0.008), bevel=0.003
                )
                a.add("back_slat", tilt(slat), main)
        else:
            a.add("back", tilt(rounded_box((w, up * 0.8, 0.04), 0.012, (0, up * 0.6, 0))), main)
    if has_arms:
        y = h + rng.uniform(0.17, 0.25)
        for s in (-1, 1):
            a.add("armrest", box((0.06, 0.03, d * 1.02), (s * x, y, 0), bevel=0.006), frame)
            a.add("arm_post", bar((s * x, under, d * 0.42), (s * x, y, d * 0.42)), frame)
            if not has_back:
                a.add("arm_post", bar((s * x, under, -d * 0.42), (s * x, y, -d * 0.42)), frame)
    if chance(rng, 0.15):
        mesh = cushion(rng, (0.4, 0.38, 0.12), (x * 0.5, h + 0.19, -d * 0.3))
        a.add("pillow", rotate(mesh, "x", -0.3, (0, h, -d * 0.3)), materials.fabric(rng))
    if seat == "slat" and chance(rng, 0.3):
        for px in (-x, x):
            for q in (-1, 1):
                a.add("screw", cylinder(0.01, 0.008, (px, h + 0.002, q * d * 0.4), 8), materials.metal(rng))
    return a.pieces


CATEGORIES = {"bench": bench}
