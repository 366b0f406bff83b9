"""Tables: desks, pedestal, trestle, coffee, picnic and plain ones; and benches."""

import numpy as np

from alignparts.corpus.procedural import materials
from alignparts.corpus.procedural.fittings import (
    Assembly,
    bar_maker,
    bent,
    chance,
    cushion,
    handle_maker,
    hard,
    leg_maker,
    pick,
    turned_profile,
)
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Piece
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    extrude,
    lathe,
    move,
    outline,
    rod,
    rotate,
    rounded_box,
)


def _top(rng: np.random.Generator, a: Assembly, w: float, d: float, h: float, main: Material, frame: Material) -> tuple[float, bool]:
    """A table top whose upper face is at h; gives its thickness and whether it is round."""
    t = rng.uniform(0.015, 0.05)
    glass, is_round = chance(rng, 0.2), w == d and chance(rng, 0.6)
    part, material = ("top_glass", materials.glass(rng)) if glass else ("top_board", main)
    y = h - t / 2
    if is_round:
        n = 36 if chance(rng, 0.85) else int(rng.choice([6, 8]))
        a.add(part, cylinder(w / 2, t, (0, y, 0), n), material)
        if glass:
            a.add("top_frame", lathe([(w / 2 - 0.01, h - t * 1.3), (w / 2 + 0.012, h - t * 1.3), (w / 2 + 0.012, h + 0.003), (w / 2 - 0.01, h + 0.003)], 36, True), frame)
    elif not glass and chance(rng, 0.15):
        n = int(rng.integers(4, 10))
        for k in range(n):
            a.add("top_slat", box((w, t, d / n * 0.93), (0, y, (k + 0.5) * d / n - d / 2)), main)
        for s in (-1, 1):
            a.add("top_frame", box((0.05, 0.03, d * 0.95), (s * w * 0.38, h - t - 0.012, 0)), frame)
    elif chance(rng, 0.25):
        theta = np.linspace(0, 2 * np.pi, 41)[:-1]
        e = rng.uniform(0.4, 1.0)
        oval = np.stack([w / 2 * np.sign(np.cos(theta)) * np.abs(np.cos(theta)) ** e, d / 2 * np.sign(np.sin(theta)) * np.abs(np.sin(theta)) ** e], axis=1)
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


def _drawers(rng: np.random.Generator, a: Assembly, x: float, y0: float, y1: float, w: float, z: float, depth: float, rows: int, main: Material, pull: Material, handle: str = "handle") -> None:
    """A column of drawer fronts at x between two heights, faces at z; at times one is pulled out."""
    make = handle_maker(rng, min(0.1, w * 0.4))
    step = (y1 - y0) / rows
    pulled = int(rng.integers(rows)) if chance(rng, 0.25) else -1
    doubled = w > 0.55 and chance(rng, 0.5)
    for k in range(rows):
        y = y0 + (k + 0.5) * step
        out = rng.uniform(0.2, 0.6) * depth if k == pulled else 0.0
        a.add("drawer_front", box((w * 0.96, step * 0.93, 0.02), (x, y, z + out), bevel=rng.choice([0.0, 0.003])), main)
        if out:
            inner = step * 0.7
            for s in (-1, 1):
                a.add("drawer_side", box((0.012, inner, depth * 0.9), (x + s * w * 0.44, y, z + out - depth * 0.45)), main)
            a.add("drawer_bottom", box((w * 0.88, 0.01, depth * 0.9), (x, y - inner / 2, z + out - depth * 0.45)), main)
        for s in (-1, 1) if doubled else (0,):
            a.add(handle, make((x + s * w * 0.25, y, z + out + 0.0095), False), pull)


def _case(rng: np.random.Generator, a: Assembly, x: float, w: float, low: float, high: float, d: float, main: Material, pull: Material) -> None:
    """A pedestal cabinet of a desk, drawers or a door in front."""
    t = 0.02
    for s in (-1, 1):
        a.add("side_panel", box((t, high - low, d), (x + s * (w - t) / 2, (low + high) / 2, 0)), main)
    a.add("back_panel", box((w, high - low, 0.01), (x, (low + high) / 2, -d / 2 + 0.005)), main)
    a.add("bottom_panel", box((w, t, d), (x, low + t / 2, 0)), main)
    if chance(rng, 0.75):
        _drawers(rng, a, x, low + 0.01, high, w, d / 2 + 0.008, d, int(rng.integers(2, 5)), main, pull)
    else:
        a.add("door", box((w * 0.97, (high - low) * 0.96, 0.02), (x, (low + high) / 2, d / 2 + 0.008)), main)
        make = handle_maker(rng, 0.09)
        a.add("handle", make((x + w * 0.38, high - (high - low) * 0.3, d / 2 + 0.018), True), pull)
        a.add("shelf", box((w - 2 * t, t, d * 0.9), (x, (low + high) / 2, -0.01)), main)


def _desk(rng: np.random.Generator) -> list[Piece]:
    a, main, frame = Assembly(), hard(rng), hard(rng)
    pull = materials.metal(rng)
    w, d, h = rng.uniform(1.0, 1.9), rng.uniform(0.5, 0.85), rng.uniform(0.68, 0.8)
    t = rng.uniform(0.02, 0.045)
    a.add("top_board", box((w, t, d), (0, h - t / 2, 0), bevel=0.003), main)
    low = rng.choice([0.0, rng.uniform(0.05, 0.12)])
    case = rng.uniform(0.28, 0.42)
    dd = d * 0.94
    layout = pick(rng, ["both", "one", "table", "panels"], [2, 3, 2, 1])
    sides = {"both": (-1, 1), "one": (rng.choice([-1, 1]),), "table": (), "panels": ()}[layout]
    maker = leg_maker(rng, rng.uniform(0.03, 0.07))
    for s in sides:
        x = s * (w / 2 - case / 2 - 0.02)
        _case(rng, a, x, case, low, h - t, dd, main if chance(rng, 0.7) else frame, pull)
        if low:
            for sx in (-1, 1):
                for sz in (-1, 1):
                    foot = (x + sx * (case / 2 - 0.03), 0, sz * (dd / 2 - 0.03))
                    a.add("foot", maker(foot, (foot[0], low + 0.005, foot[2])), frame)
    free = [s for s in (-1, 1) if s not in sides]
    for s in free:
        x = s * (w / 2 - 0.05)
        if layout == "panels" or chance(rng, 0.2):
            a.add("side_panel", box((0.03, h - t, dd), (x, (h - t) / 2, 0)), main)
        else:
            for sz in (-1, 1):
                a.add("leg", maker((x, 0, sz * (dd / 2 - 0.04)), (x, h - t, sz * (dd / 2 - 0.04))), frame)
    if chance(rng, 0.5):
        high = rng.uniform(0.1, 0.4)
        a.add("back_panel", box((w - 0.1, high, 0.015), (0, h - t - high / 2, -dd / 2 + 0.02)), main)
    if layout in ("table", "panels") and chance(rng, 0.6):
        n = int(rng.integers(1, 4))
        span = (w - 0.16) / n
        for k in range(n):
            _drawers(rng, a, (k + 0.5) * span - span * n / 2, h - t - 0.12, h - t, span, dd / 2 - 0.01, d * 0.8, 1, main, pull)
        a.add("bottom_panel", box((w - 0.12, 0.012, dd * 0.9), (0, h - t - 0.122, 0)), main)
    elif chance(rng, 0.3):
        a.add("keyboard_tray", box((w * 0.36, 0.015, d * 0.5), (0, h - t - 0.08, d * 0.18)), frame)
        for s in (-1, 1):
            a.add("top_connector", box((0.015, 0.08, d * 0.4), (s * w * 0.175, h - t - 0.04, d * 0.12)), frame)
    if chance(rng, 0.2):
        rise = rng.uniform(0.2, 0.45)
        for s in (-1, 1):
            a.add("divider_panel", box((0.02, rise, d * 0.3), (s * w * 0.45, h + rise / 2, -d * 0.33)), main)
        a.add("shelf", box((w * 0.92, 0.02, d * 0.32), (0, h + rise, -d * 0.33)), main)
    return a.pieces


def _picnic(rng: np.random.Generator) -> list[Piece]:
    a, main = Assembly(), materials.wood(rng) if chance(rng, 0.8) else materials.paint(rng)
    w, d, h, n = rng.uniform(1.4, 2.0), rng.uniform(0.65, 0.8), rng.uniform(0.7, 0.78), int(rng.integers(4, 7))
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
            bottom, top = np.array([x + s * 0.04, 0, q * (d / 2 + 0.15)]), np.array([x + s * 0.04, h - 0.04, q * d * 0.25])
            tilt = np.arctan2(top[2] - bottom[2], h)
            mesh = Mesh(leg.vertices * [1, np.linalg.norm(top - bottom), 1], leg.faces, leg.uv)
            a.add("leg", move(rotate(mesh, "x", tilt), bottom), main)
    if chance(rng, 0.6):
        a.add("stretcher", rod((-w * 0.34, seat - 0.05, 0), (w * 0.34, seat - 0.05, 0), 0.03, sides=4), main)
    return a.pieces


def table(rng: np.random.Generator) -> list[Piece]:
    """A dining, coffee, side, trestle, pedestal, picnic or writing table."""
    style = pick(rng, ["legs", "pedestal", "trestle", "desk", "panels", "picnic", "xlegs", "sled"], [5, 2, 1.2, 3, 1, 0.8, 0.8, 0.8])
    if style == "desk":
        return _desk(rng)
    if style == "picnic":
        return _picnic(rng)
    a, main = Assembly(), materials.stone(rng) if chance(rng, 0.12) else hard(rng)
    frame = main if chance(rng, 0.5) else hard(rng)
    h = pick_height = float(rng.choice([rng.uniform(0.32, 0.5), rng.uniform(0.68, 0.8), rng.uniform(0.9, 1.1)], p=[0.35, 0.55, 0.1]))
    w = rng.uniform(0.45, 1.3) if pick_height < 0.55 or pick_height > 0.85 else rng.uniform(0.7, 2.2)
    square = style == "pedestal" and chance(rng, 0.75) or chance(rng, 0.35)
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
        spots = [(x * np.cos(q), z * np.sin(q)) for q in turns] if turns is not None else [(x, z), (-x, z), (-x, -z), (x, -z)]
        shade = materials.rubber(rng)
        wheels = chance(rng, 0.12)
        base = 0.06 if wheels else 0.0
        for px, pz in spots:
            n = np.hypot(px, pz)
            foot = (px * (1 + splay / n), base, pz * (1 + splay / n))
            a.add("leg", maker(foot, (px, under + 0.002, pz)), frame)
            if wheels:
                a.add("wheel", cylinder(0.03, 0.02, (foot[0], 0.03, foot[2]), 16, axis="x"), shade)
            elif chance(rng, 0.3):
                a.add("foot", cylinder(thick * 0.4, 0.02, (foot[0], 0.008, foot[2]), 12), shade)
        if not is_round and chance(rng, 0.6):
            apron = rng.uniform(0.04, 0.12)
            for s in (-1, 1):
                a.add("top_frame", box((2 * x, apron, 0.02), (0, under - apron / 2, s * z)), frame)
                a.add("top_frame", box((0.02, apron, 2 * z), (s * x, under - apron / 2, 0)), frame)
            if chance(rng, 0.35):
                _drawers(rng, a, 0, under - apron, under - 0.005, w * 0.35, z + 0.012, d * 0.6, 1, main, materials.metal(rng))
        at = rng.uniform(0.12, 0.4) * h
        out = 1 + splay / np.hypot(x, z) * (1 - at / h)
        low = rng.random()
        if low < 0.25 and not three:
            a.add("shelf", box((2 * x * out + thick * 0.3, 0.018, 2 * z * out + thick * 0.3), (0, at, 0)), main)
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
                a.add("stretcher", bar((s * x * 0.8, under * 0.4, -z * 0.7), (s * x * 0.8, under * 0.4, z * 0.7)), frame)
            a.add("top_connector", box((thick, 0.04, 2 * z * 0.9), (s * x * 0.8, under - 0.018, 0)), frame)
        a.add("stretcher", bar((-x * 0.8, under * 0.42, 0), (x * 0.8, under * 0.42, 0)), frame)
    elif style == "panels":
        for s in (-1, 1):
            a.add("side_panel", box((rng.uniform(0.015, 0.06), under, 2 * z), (s * x, under / 2, 0)), main)
        if chance(rng, 0.6):
            a.add("shelf", box((2 * x, 0.02, 2 * z * 0.97), (0, under * rng.uniform(0.15, 0.6), 0)), main)
        if chance(rng, 0.4):
            a.add("divider_panel", box((0.018, under * 0.98, 2 * z * 0.95), (x * rng.uniform(-0.4, 0.4), under / 2, 0)), main)
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


def bench(rng: np.random.Generator) -> list[Piece]:
    """A garden, hall, gym, piano or stone bench."""
    a, main = Assembly(), hard(rng)
    frame = main if chance(rng, 0.5) else hard(rng)
    w, d, h, t = rng.uniform(0.8, 2.2), rng.uniform(0.3, 0.5), rng.uniform(0.38, 0.5), rng.uniform(0.03, 0.06)
    seat = pick(rng, ["slat", "board", "soft"], [3, 2, 1.2])
    base = pick(rng, ["legs", "frames", "panels", "pedestal", "sled"], [3, 2.5, 1.5, 0.8, 0.8])
    under = h - t
    if seat == "slat":
        n = int(rng.integers(3, 8))
        for k in range(n):
            a.add("seat_slat", box((w, t, d / n * 0.85), (0, h - t / 2, (k + 0.5) * d / n - d / 2), bevel=0.003), main)
    elif seat == "soft":
        a.add("seat", cushion(rng, (w, t * 2, d), (0, h - t, 0)), materials.leather(rng) if chance(rng, 0.5) else materials.fabric(rng))
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
                    a.add("foot", box((0.09, 0.015, 0.09), (px * (1 + splay), 0.0075, q * (z + splay))), frame)
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
                slat = box((w, up / n * 0.7, 0.022), (0, up * (0.18 + 0.8 * (k + 0.5) / n), -0.008), bevel=0.003)
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


CATEGORIES = {"table": table, "bench": bench}
