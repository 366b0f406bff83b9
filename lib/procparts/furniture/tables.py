"""Build tables: pedestal, trestle, coffee, picnic and plain ones; desks are built in `casework`."""

import numpy as np

from procparts.kit import materials
from procparts.kit.casework import desk, drawers
from procparts.kit.fittings import Assembly, bar_maker, bent, chance, hard, leg_maker, pick, turned_profile
from procparts.kit.materials import Material
from procparts.kit.mesh import Piece, Scalar, move, rotate, scale
from procparts.kit.toolkit import box, cylinder, extrude, lathe, outline, rod


def _top(
    rng: np.random.Generator, a: Assembly, w: Scalar, d: Scalar, h: Scalar, main: Material, frame: Material
) -> tuple[float, bool]:
    """Add a table top whose upper face is at h; return its thickness and if it is round."""
    t = rng.uniform(0.015, 0.05)
    glass, is_round = chance(rng, 0.2), bool(w == d) and chance(rng, 0.6)
    part, material = ("top_glass", materials.glass(rng)) if glass else ("top_board", main)
    y = h - t / 2
    if is_round:
        n = 36 if chance(rng, 0.85) else int(rng.choice([6, 8]))
        a.add(part, cylinder(w / 2, t, (0, y, 0), n), material)
        if glass:
            a.add(
                "top_frame",
                lathe(
                    [
                        (w / 2 - 0.01, h - t * 1.3),
                        (w / 2 + 0.012, h - t * 1.3),
                        (w / 2 + 0.012, h + 0.003),
                        (w / 2 - 0.01, h + 0.003),
                    ],
                    36,
                    True,
                ),
                frame,
            )
    elif not glass and chance(rng, 0.15):
        n = int(rng.integers(4, 10))
        for k in range(n):
            a.add("top_slat", box((w, t, d / n * 0.93), (0, y, (k + 0.5) * d / n - d / 2)), main)
        for s in (-1, 1):
            a.add("top_frame", box((0.05, 0.03, d * 0.95), (s * w * 0.38, h - t - 0.012, 0)), frame)
    elif chance(rng, 0.25):
        theta = np.linspace(0, 2 * np.pi, 41)[:-1]
        e = rng.uniform(0.4, 1.0)
        oval = np.stack(
            [
                w / 2 * np.sign(np.cos(theta)) * np.abs(np.cos(theta)) ** e,
                d / 2 * np.sign(np.sin(theta)) * np.abs(np.sin(theta)) ** e,
            ],
            axis=1,
        )
        a.add(part, extrude(oval, t, "y", (0, y, 0)), material)
    elif chance(rng, 0.4):
        a.add(part, extrude(outline(w, d, rng.uniform(0.02, 0.3) * d), t, "y", (0, y, 0)), material)
    else:
        a.add(part, box((w, t, d), (0, y, 0), bevel=rng.choice([0.0, t * 0.2])), material)
        if glass:
            for s in (-1, 1):
                a.add("top_frame", box((w, t * 1.2, 0.03), (0, y - 0.002, s * (d / 2))), frame)
                a.add("top_frame", box((0.03, t * 1.2, d + 0.03), (s * (w / 2), y - 0.002, 0)), frame)
    return t, is_round


def _picnic(rng: np.random.Generator) -> list[Piece]:
    """Build a picnic table with its benches."""
    a, main = Assembly(), materials.wood(rng) if chance(rng, 0.8) else materials.paint(rng)
    w = rng.uniform(1.4, 2.0)
    d = rng.uniform(0.65, 0.8)
    h = rng.uniform(0.7, 0.78)
    n = int(rng.integers(4, 7))
    for k in range(n):
        a.add("top_slat", box((w, 0.035, d / n * 0.93), (0, h - 0.018, (k + 0.5) * d / n - d / 2)), main)
    reach, seat = d / 2 + rng.uniform(0.3, 0.4), rng.uniform(0.4, 0.47)
    for s in (-1, 1):
        a.add("bench", box((w, 0.035, 0.26), (0, seat, s * reach), bevel=0.003), main)
        x = s * w * 0.34
        a.add("top_frame", box((0.035, 0.07, d * 0.95), (x, h - 0.07, 0)), main)
        a.add("bench_connector", box((0.035, 0.08, 2 * reach + 0.2), (x, seat - 0.057, 0)), main)
        for q in (-1, 1):
            leg = box((0.04, 1, 0.09), (0, 0.5, 0))
            bottom = np.array([x + s * 0.04, 0, q * (d / 2 + 0.15)])
            top = np.array([x + s * 0.04, h - 0.04, q * d * 0.25])
            tilt = np.arctan2(top[2] - bottom[2], h)
            mesh = scale(leg, [1, np.linalg.norm(top - bottom), 1])
            a.add("leg", move(rotate(mesh, "x", tilt), bottom), main)
    if chance(rng, 0.6):
        a.add("stretcher", rod((-w * 0.34, seat - 0.05, 0), (w * 0.34, seat - 0.05, 0), 0.03, sides=4), main)
    return a.pieces


def table(rng: np.random.Generator) -> list[Piece]:
    """Build a dining, coffee, side, trestle, pedestal, picnic or writing table."""
    style = pick(
        rng,
        ["legs", "pedestal", "trestle", "desk", "panels", "picnic", "xlegs", "sled"],
        [5, 2, 1.2, 3, 1, 0.8, 0.8, 0.8],
    )
    if style == "desk":
        return desk(rng)
    if style == "picnic":
        return _picnic(rng)
    a, main = Assembly(), materials.stone(rng) if chance(rng, 0.12) else hard(rng)
    frame = main if chance(rng, 0.5) else hard(rng)
    h = pick_height = float(
        rng.choice(
            [rng.uniform(0.32, 0.5), rng.uniform(0.68, 0.8), rng.uniform(0.9, 1.1)], p=[0.35, 0.55, 0.1]
        )
    )
    w = rng.uniform(0.45, 1.3) if pick_height < 0.55 or pick_height > 0.85 else rng.uniform(0.7, 2.2)
    square = (style == "pedestal" and chance(rng, 0.75)) or chance(rng, 0.35)
    d = (w := min(w, 1.3)) if square else w * rng.uniform(0.4, 0.7)
    t, is_round = _top(rng, a, w, d, h, main, frame)
    under = h - t
    k = 0.6 if is_round else rng.uniform(0.8, 0.96)
    x, z = w / 2 * k - 0.02, d / 2 * k - 0.02
    if style == "pedestal":
        radius, neck = min(w, d) * rng.uniform(0.22, 0.4), rng.uniform(0.025, 0.08)
        posts = (-w * 0.28, w * 0.28) if w > 1.6 * d else (0.0,)
        for px in posts:
            if chance(rng, 0.5):
                column = lathe(turned_profile(rng, neck * 1.6) * [1, under], 20)
            else:
                column = cylinder(neck, under, (0, under / 2, 0), 20)
            a.add("central_support", move(column, (px, 0, 0)), frame)
            if chance(rng, 0.5):
                dome = rng.uniform(0.005, 0.06)
                foot = lathe([(0, 0), (radius, 0), (radius, 0.02), (neck, 0.02 + dome), (0, 0.02 + dome)], 28)
                a.add("pedestal", move(foot, (px, 0, 0)), frame)
            else:
                n = int(rng.choice([3, 4, 4]))
                rise = rng.uniform(0.05, under * 0.35)
                for i in range(n):
                    turn = 2 * np.pi * (i + 0.5) / n
                    path = [(neck * 0.5, rise, 0), (radius * 0.6, rise * 0.9, 0), (radius * 1.1, 0.018, 0)]
                    a.add("leg", move(rotate(bent(path, 0.018, 0.1), "y", turn), (px, 0, 0)), frame)
            if chance(rng, 0.4):
                a.add("top_connector", box((radius, 0.02, radius), (px, under - 0.008, 0)), frame)
        return a.pieces
    thick = rng.uniform(0.025, 0.09) * min(1.0, 0.5 + w / 2)
    maker, bar = leg_maker(rng, thick), bar_maker(rng, rng.uniform(0.015, 0.05))
    if style == "legs":
        splay = rng.choice([0.0, rng.uniform(0.02, 0.12)])
        three = is_round and chance(rng, 0.3)
        turns = np.pi / 2 + 2 * np.pi * np.arange(3) / 3 if three else None
        spots = (
            [(x * np.cos(q), z * np.sin(q)) for q in turns]
            if turns is not None
            else [(x, z), (-x, z), (-x, -z), (x, -z)]
        )
        shade = materials.rubber(rng)
        wheels = chance(rng, 0.2)
        base = 0.06 if wheels else 0.0
        for px, pz in spots:
            spread = 1 + splay / float(np.hypot(px, pz))
            end = (px * spread, base, pz * spread)
            a.add("leg", maker(end, (px, under + 0.002, pz)), frame)
            if wheels:
                a.add("wheel", cylinder(0.03, 0.02, (end[0], 0.03, end[2]), 16, axis="x"), shade)
            elif chance(rng, 0.3):
                a.add("foot", cylinder(thick * 0.4, 0.02, (end[0], 0.008, end[2]), 12), shade)
        if not is_round and chance(rng, 0.6):
            apron = rng.uniform(0.04, 0.12)
            for s in (-1, 1):
                a.add("top_frame", box((2 * x, apron, 0.02), (0, under - apron / 2, s * z)), frame)
                a.add("top_frame", box((0.02, apron, 2 * z), (s * x, under - apron / 2, 0)), frame)
            if chance(rng, 0.35):
                drawers(
                    rng,
                    a,
                    0,
                    under - apron,
                    under - 0.005,
                    w * 0.35,
                    z + 0.012,
                    d * 0.6,
                    1,
                    main,
                    materials.metal(rng),
                )
        at = rng.uniform(0.12, 0.4) * h
        out = 1 + splay / np.hypot(x, z) * (1 - at / h)
        low = rng.random()
        if low < 0.25 and not three:
            a.add(
                "shelf", box((2 * x * out + thick * 0.3, 0.018, 2 * z * out + thick * 0.3), (0, at, 0)), main
            )
        elif low < 0.55 and not three:
            for s in (-1, 1):
                a.add("stretcher", bar((s * x * out, at, -z * out), (s * x * out, at, z * out)), frame)
            if chance(rng, 0.6):
                a.add("stretcher", bar((-x * out, at, 0), (x * out, at, 0)), frame)
    elif style == "trestle":
        for s in (-1, 1):
            if chance(rng, 0.5):
                a.add("leg", maker((s * x * 0.8, 0.04, 0), (s * x * 0.8, under, 0)), frame)
                a.add("runner", box((thick, 0.05, 2 * z), (s * x * 0.8, 0.025, 0), bevel=0.006), frame)
            else:
                for q in (-1, 1):
                    a.add("leg", maker((s * x * 0.8, 0, q * z), (s * x * 0.8, under, q * z * 0.25)), frame)
                a.add(
                    "stretcher",
                    bar((s * x * 0.8, under * 0.4, -z * 0.7), (s * x * 0.8, under * 0.4, z * 0.7)),
                    frame,
                )
            a.add("top_connector", box((thick, 0.04, 2 * z * 0.9), (s * x * 0.8, under - 0.018, 0)), frame)
        a.add("stretcher", bar((-x * 0.8, under * 0.42, 0), (x * 0.8, under * 0.42, 0)), frame)
    elif style == "panels":
        for s in (-1, 1):
            a.add("side_panel", box((rng.uniform(0.015, 0.06), under, 2 * z), (s * x, under / 2, 0)), main)
        if chance(rng, 0.6):
            a.add("shelf", box((2 * x, 0.02, 2 * z * 0.97), (0, under * rng.uniform(0.15, 0.6), 0)), main)
        if chance(rng, 0.4):
            a.add(
                "divider_panel",
                box((0.018, under * 0.98, 2 * z * 0.95), (x * rng.uniform(-0.4, 0.4), under / 2, 0)),
                main,
            )
        if chance(rng, 0.4):
            a.add("back_panel", box((2 * x, under * 0.7, 0.012), (0, under * 0.62, -z + 0.01)), main)
    elif style == "xlegs":
        for s in (-1, 1):
            a.add("leg", maker((s * x, 0, -z), (s * x, under, z)), frame)
            a.add("leg", maker((s * x, 0, z), (s * x, under, -z)), frame)
        a.add("stretcher", bar((-x, under / 2, 0), (x, under / 2, 0)), frame)
    else:
        r = thick * 0.35
        for s in (-1, 1):
            for q in (-1, 1):
                a.add("leg", rod((s * x, r, q * z), (s * x, under, q * z), r, sides=4), frame)
            a.add("runner", rod((s * x, r, -z - r), (s * x, r, z + r), r, sides=4), frame)
            a.add("top_connector", rod((s * x, under - r, -z), (s * x, under - r, z), r, sides=4), frame)
    return a.pieces


CATEGORIES = {"table": table}
