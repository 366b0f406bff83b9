"""Chairs: bases, seats, backs and arms that combine freely, and a few fixed styles."""

import numpy as np

from alignparts.corpus.procedural import chair_bases, materials
from alignparts.corpus.procedural.chair_bases import Frame
from alignparts.corpus.procedural.fittings import (
    Assembly,
    bar_maker,
    bent,
    chance,
    curved_board,
    cushion,
    hard,
    leg_maker,
    pick,
    soft,
)
from alignparts.corpus.procedural.mesh import Mesh, Piece
from alignparts.corpus.procedural.toolkit import (
    arc,
    bend,
    box,
    curved_sheet,
    cylinder,
    extrude,
    lathe,
    merge,
    move,
    outline,
    rod,
    rotate,
    rounded_box,
    tube,
)


def _seat(rng: np.random.Generator, a: Assembly, f: Frame, kind: str) -> None:
    """A seat of thickness f.t with its top at f.h."""
    w, d, t, h = f.w, f.d, f.t, f.h
    if f.round:
        r = w / 2
        if kind == "soft":
            dome = [(0, -t), (r, -t), (r * 1.02, -t * 0.6), (r * 0.98, -t * 0.1), (r * 0.8, 0), (0, t * 0.15)]
            a.add("seat_soft", move(lathe(dome, 28), (0, h, 0)), f.soft)
        else:
            dish = t * 0.25 * rng.integers(0, 2)
            a.add("seat_hard", move(lathe([(0, -t), (r, -t), (r, 0), (r * 0.6, -dish), (0, -dish)], 28), (0, h, 0)), f.main)
    elif kind == "slat":
        n = int(rng.integers(4, 9))
        step = d / n
        for k in range(n):
            z = -d / 2 + (k + 0.5) * step
            a.add("seat_slat", box((w, t * 0.6, step * 0.78), (0, h - t * 0.3, z), bevel=0.002), f.main)
        for s in (-1, 1):
            a.add("seat_support", box((0.03, t * 0.7, d * 0.96), (s * w * 0.4, h - t * 0.9, 0)), f.frame)
    elif kind == "soft":
        top = max(t, 0.05) * rng.uniform(1.0, 1.8)
        a.add("seat_soft", cushion(rng, (w, top, d), (0, h - top / 2, 0)), f.soft)
        if chance(rng, 0.5):
            a.add("seat_frame", box((w * 0.98, t, d * 0.98), (0, h - top - t * 0.4, 0)), f.frame)
            f.t = top + t * 0.9
        else:
            f.t = top
    else:
        if chance(rng, 0.4):
            mesh = extrude(outline(w, d, rng.uniform(0.05, 0.3) * w), t, "y", (0, h - t / 2, 0))
        elif chance(rng, 0.4):
            front, back = w / 2, w / 2 * rng.uniform(0.7, 0.95)
            mesh = extrude([(-back, -d / 2), (back, -d / 2), (front, d / 2), (-front, d / 2)], t, "y", (0, h - t / 2, 0))
        else:
            mesh = box((w, t, d), (0, h - t / 2, 0), bevel=t * 0.2)
        a.add("seat_hard", mesh, f.main)
        if f.base == "legs" and chance(rng, 0.4):
            apron = rng.uniform(0.03, 0.07)
            for s in (-1, 1):
                a.add("seat_frame", box((w * 0.8, apron, 0.02), (0, h - t - apron / 2, s * d * 0.4)), f.frame)
                a.add("seat_frame", box((0.02, apron, d * 0.8), (s * w * 0.4, h - t - apron / 2, 0)), f.frame)


def _back(rng: np.random.Generator, f: Frame, kind: str) -> list[Piece]:
    """A back standing on the origin, facing +z, height f.back; not yet reclined."""
    a = Assembly()
    w, b, post = f.w * rng.uniform(0.8, 1.0), f.back, rng.uniform(0.02, 0.04)
    curve = rng.choice([0.0, rng.uniform(0.15, 0.7)])
    x = w / 2 - post / 2
    low = b * rng.uniform(0.08, 0.35)
    if kind in ("spindle", "ladder", "panel", "cross"):
        maker = leg_maker(rng, post)
        lean = rng.uniform(-0.03, 0.05)
        a.both("back_post", maker((x, -f.t, 0), (x + lean, b, 0)), f.frame)
        rail = rng.uniform(0.03, 0.1)
        inner = w + 2 * lean * 0.9 - post * 0.6
        if kind != "ladder" or chance(rng, 0.3):
            top = curved_board(rng, (inner, rail, post * 0.6), curve)
            a.add("back_rail", move(top, (0, b - rail / 2, 0)), f.frame)
        if kind == "spindle":
            n = int(rng.integers(3, 10))
            bar = bar_maker(rng, min(rng.uniform(0.008, 0.03), w / n * 0.6))
            start = -f.t / 2 if chance(rng, 0.4) else low
            if start > 0:
                a.add("back_rail", box((w - post, 0.025, post * 0.6), (0, low, 0)), f.frame)
            for k in range(n):
                at = ((k + 1) / (n + 1) - 0.5) * (w - post)
                sag = 0.0 if curve == 0 else -w / curve * (1 - np.cos(curve * at / w)) * -1
                a.add("back_spindle", bar((at, start, 0), (at, b - rail * 0.6, sag)), f.frame)
        elif kind == "ladder":
            n = int(rng.integers(2, 7))
            for k in range(n):
                y = low + (b - low - 0.04) * (k + (0.5 if n < 2 else 0)) / max(n - 1, 1)
                size = (w + 2 * lean * y / b - post * 0.6, min(rng.uniform(0.03, 0.09), (b - low) / n * 0.7), 0.014)
                a.add("back_slat", move(curved_board(rng, size, curve), (0, y, 0)), f.main)
        elif kind == "cross":
            c = post * 0.35
            for s in (-1, 1):
                a.add("back_slat", rod((-s * x, low, 0), (s * x, b - rail, 0), c), f.frame)
            a.add("back_rail", box((w - post, 0.025, post * 0.6), (0, low, 0)), f.frame)
        else:
            size = (w - post * 0.6, b - low - rail * 0.8)
            if chance(rng, 0.5):
                a.add("back_soft", bend(rounded_box((*size, 0.04), 0.015), "x", curve), f.soft)
            else:
                a.add("back_hard", curved_board(rng, (*size, 0.012), curve), f.main)
            a.pieces[-1].mesh = move(a.pieces[-1].mesh, (0, (low + b - rail) / 2, 0))
    elif kind == "hoop":
        top = np.stack([w / 2 * np.cos(t := np.linspace(0, np.pi, 17)), b * np.sin(t) ** rng.uniform(0.5, 1), 0 * t], 1)
        top[[0, -1], 1] = -f.t * 0.5
        a.add("back_hoop", tube(top, rng.uniform(0.01, 0.016)), f.frame)
        n = int(rng.integers(4, 10))
        for k in range(n):
            at = ((k + 1) / (n + 1) - 0.5) * w * 0.9
            reach = float(np.interp(at * 1.05, top[::-1, 0], top[::-1, 1]))
            a.add("back_spindle", rod((at * 0.75, -f.t * 0.5, 0), (at * 1.05, reach, 0), 0.006), f.frame)
    elif kind == "soft":
        thick = rng.uniform(0.04, 0.14)
        gap = rng.choice([0.0, rng.uniform(0.05, 0.15)])
        pad = cushion(rng, (w, b - gap, thick), (0, gap + (b - gap) / 2, 0))
        if chance(rng, 0.4):
            pad = Mesh(pad.vertices * [1, 1, 1], pad.faces, pad.uv)
            taper = 1 - rng.uniform(-0.2, 0.4) * (pad.vertices[:, 1] / b)
            pad.vertices[:, 0] *= taper
        a.add("back_soft", bend(pad, "x", curve), f.soft)
        if gap > 0:
            for s in (-1, 1) if chance(rng, 0.5) else (0,):
                bar = box((0.05, gap + f.t + 0.06, 0.012), (s * w * 0.28, (gap - f.t + 0.06) / 2, -0.01 - thick / 3))
                a.add("back_connector", bar, f.metal)
    else:
        t = rng.uniform(0.008, 0.025)
        shape = outline(w, b, rng.uniform(0.02, 0.3) * w)
        if chance(rng, 0.5):
            mesh = move(curved_board(rng, (w, b, t), curve), (0, b / 2 - f.t * 0.3, 0))
        else:
            mesh = extrude(shape, t, "z", (0, b / 2 - f.t * 0.3, 0))
        a.add("back_hard", mesh, f.main)
        if chance(rng, 0.3):
            pad = rounded_box((w * 0.8, b * 0.7, 0.03), 0.012, (0, b * 0.52, t / 2 + 0.012))
            a.add("back_soft", bend(pad, "x", curve * 0.8), f.soft)
    if f.back > 0.5 and chance(rng, 0.6 if kind in ("soft", "panel") and f.base == "star" else 0.06):
        y = b + 0.11
        a.add("headrest", cushion(rng, (w * 0.55, 0.13, 0.06), (0, y, 0)), f.soft)
        for s in (-1, 1):
            a.add("head_connector", rod((s * w * 0.15, b * 0.85, -0.004), (s * w * 0.15, y, -0.004), 0.006), f.metal)
    return a.pieces


def _arms(rng: np.random.Generator, a: Assembly, f: Frame, lean: float) -> None:
    """Arms on posts: rests, pads or one bent tube a side."""
    y, x = f.h + rng.uniform(0.17, 0.27), f.w / 2 + rng.uniform(0.0, 0.03)
    reach, width = f.d * rng.uniform(0.25, 0.48), rng.uniform(0.03, 0.07)
    rear = -f.d / 2 - np.tan(lean) * (y - f.h)
    kind = pick(rng, ["post", "tee", "tube"], [3, 1.5, 1])
    if f.wheeled:
        kind, rear = "tee", -f.d * 0.25
    length = reach - rear
    if kind == "tube":
        path = [(x, f.h - f.t, reach), (x, y, reach), (x, y, rear), (x, f.h - f.t / 2, rear * 0.98)]
        a.both("arm_post", bent(path, 0.011, 0.06), f.metal)
        if chance(rng, 0.6):
            pad = rounded_box((width, 0.025, length * 0.7), 0.01, (x, y + 0.016, (reach + rear) / 2))
            a.both("armrest_soft" if chance(rng, 0.5) else "armrest_hard", pad, f.soft)
        return
    part, thick = ("armrest_soft", 0.04) if chance(rng, 0.35) else ("armrest_hard", 0.022)
    rest = rounded_box((width, thick, length), thick * 0.4, (x, y, (reach + rear) / 2))
    a.both(part, rest, f.soft if part == "armrest_soft" else f.frame)
    if kind == "post":
        bar = leg_maker(rng, min(width * 0.7, 0.035))
        a.both("arm_post", bar((x, f.h - f.t, reach * 0.9), (x, y, reach * 0.85)), f.frame)
        if chance(rng, 0.3):
            a.both("arm_post", bar((x, f.h - f.t, 0), (x, y, 0)), f.frame)
    else:
        z = (reach + rear) / 2
        path = [(f.w * 0.3, f.h - f.t * 0.8, z), (x, f.h - f.t * 0.8, z), (x, y, z)]
        a.both("arm_post", bent(path, rng.uniform(0.012, 0.02), 0.05), f.metal)


def _sofa(rng: np.random.Generator) -> list[Piece]:
    """An armchair or a small sofa: plinth, cushions, box or rolled arms."""
    a, cloth, frame = Assembly(), soft(rng), hard(rng)
    places = int(rng.choice([1, 1, 1, 2, 3]))
    w, d, h = places * rng.uniform(0.52, 0.7), rng.uniform(0.5, 0.65), rng.uniform(0.36, 0.46)
    arm, up, foot = rng.uniform(0.1, 0.24), rng.uniform(0.12, 0.28), rng.choice([0.03, rng.uniform(0.08, 0.18)])
    thick, pad = rng.uniform(0.12, 0.25), rng.uniform(0.1, 0.18)
    back = rng.uniform(0.35, 0.55)
    total = w + 2 * arm
    a.add("seat_frame", box((total, h - pad - foot, d), (0, (h - pad + foot) / 2, 0), bevel=0.01), cloth)
    for k in range(places):
        x = (k + 0.5) * w / places - w / 2
        a.add("seat_soft", cushion(rng, (w / places * 0.98, pad, d), (x, h - pad / 2, 0.01)), cloth)
    lean = rng.uniform(0.0, 0.25)
    board = rounded_box((total, h + back - foot, thick), 0.04, (0, (h + back + foot) / 2, -d / 2 - thick / 2 + 0.02))
    a.add("back_soft", rotate(board, "x", -lean * 0.5, (0, foot, -d / 2)), cloth)
    if chance(rng, 0.6):
        for k in range(places):
            x = (k + 0.5) * w / places - w / 2
            mesh = cushion(rng, (w / places * 0.95, back * 0.9, 0.13), (x, h + back * 0.45, -d / 2 + 0.05))
            a.add("pillow", rotate(mesh, "x", -lean, (0, h, -d / 2)), soft(rng) if chance(rng, 0.5) else cloth)
    height = h + up - foot
    side = rounded_box((arm, height, d * 1.02), min(0.05, arm * 0.4), ((w + arm) / 2, foot + height / 2, 0.01))
    if chance(rng, 0.35):
        side = merge(side, cylinder(arm * 0.62, d * 1.03, ((w + arm) / 2, foot + height, 0.01), 18, axis="z"))
    a.both("arm_sofa", side, cloth)
    maker = leg_maker(rng, rng.uniform(0.04, 0.07))
    part = "foot" if foot < 0.05 else "leg"
    for z in (-d / 2 + 0.06, d / 2 - 0.06):
        x = total / 2 - 0.07
        a.both(part, maker((x * rng.uniform(0.97, 1.03), 0, z), (x, foot + 0.01, z)), frame)
    return a.pieces


def _shell(rng: np.random.Generator, a: Assembly, f: Frame) -> None:
    """A moulded one-piece shell, cut where seat turns into back."""
    n, w = 15, f.w
    bow, dish = rng.uniform(0.02, 0.09), rng.uniform(0.01, 0.04)
    s = np.linspace(-1, 1, 11)
    lean, bend_radius = rng.uniform(0.1, 0.35), rng.uniform(0.06, 0.12)
    flat = [(f.d / 2, -0.03), (f.d / 2 - 0.05, 0.0), (-f.d / 2 + bend_radius, -0.01)]
    turn = arc(bend_radius, -np.pi / 2, -np.pi - lean * 0.9, 6) + [-f.d / 2 + bend_radius, bend_radius - 0.01]
    tip = turn[-1] + f.back * np.array([-np.sin(lean), np.cos(lean)])
    line = np.array([*flat, *turn, *np.linspace(turn[-1], tip, 6)[1:]])
    n = len(line)
    width = w / 2 * np.interp(np.linspace(0, 1, n), [0, 0.3, 0.6, 1], [1, 1, 0.95, rng.uniform(0.6, 1.0)])
    grid = np.empty((n, 11, 3))
    k = np.linspace(0, 1, n)[:, None]
    grid[..., 0] = width[:, None] * s
    grid[..., 1] = f.h + line[:, 1:] + dish * s**2 * (1 - k)
    grid[..., 2] = line[:, :1] + bow * s**2 * k
    cut = 7
    for part, rows in (("seat_hard", grid[: cut + 1]), ("back_hard", grid[cut:])):
        upper = curved_sheet(rows.transpose(1, 0, 2))
        if part == "seat_hard" and upper.cross()[:, 1].sum() < 0 or part == "back_hard" and upper.cross()[:, 2].sum() < 0:
            upper = upper.flipped()
        mesh = upper
        if chance(rng, 0.8):
            lower = move(upper, (0, -0.008, -0.006)).flipped()
            mesh = merge(upper, lower)
        a.add(part, mesh, f.main)
    f.t = 0.03


def chair(rng: np.random.Generator) -> list[Piece]:
    """A chair, stool, armchair or sofa of one of many styles."""
    style = pick(
        rng,
        ["legs", "star", "sled", "cantilever", "pedestal", "rocking", "folding", "stool", "sofa", "shell"],
        [5, 2.5, 0.8, 0.8, 1, 0.9, 0.8, 1.5, 1.8, 1.2],
    )
    if style == "sofa":
        return _sofa(rng)
    a = Assembly()
    f = Frame.draw(rng)
    lean = rng.uniform(0.03, 0.3)
    if style == "folding":
        return chair_bases.folding(rng, f)
    if style == "stool":
        f.h = rng.choice([rng.uniform(0.42, 0.5), rng.uniform(0.6, 0.8)])
        f.w *= rng.uniform(0.65, 0.9)
        f.round = chance(rng, 0.6)
        f.d = f.w if f.round else f.d * 0.75
        f.base = pick(rng, ["legs", "pedestal", "star"], [3, 1, 1])
        _seat(rng, a, f, pick(rng, ["board", "soft"]))
        a.pieces += chair_bases.BASES[f.base](rng, f)
        return a.pieces
    f.base = style
    if style == "shell":
        f.base = pick(rng, ["legs", "star", "pedestal", "sled"], [3, 2, 1, 1])
        _shell(rng, a, f)
        a.pieces += chair_bases.BASES[f.base](rng, f)
        if chance(rng, 0.25):
            _arms(rng, a, f, 0.1)
        return a.pieces
    if style in ("star", "pedestal"):
        back = pick(rng, ["soft", "board", "panel", "ladder"], [5, 2, 1, 0.5])
        seat = pick(rng, ["soft", "board"], [3, 1])
        f.round = style == "pedestal" and chance(rng, 0.3)
        if f.round:
            f.d = f.w
    elif style in ("sled", "cantilever"):
        back = pick(rng, ["panel", "board", "soft", "ladder"])
        seat = pick(rng, ["soft", "board", "slat"], [2, 2, 0.5])
    else:
        back = pick(rng, ["spindle", "ladder", "panel", "hoop", "board", "soft", "cross"], [3, 3, 2, 1.3, 1.2, 1.2, 0.6])
        seat = pick(rng, ["board", "soft", "slat"], [4, 2, 1])
    if style == "star" and chance(rng, 0.4):
        f.back = rng.uniform(0.6, 0.8)
    _seat(rng, a, f, seat)
    for piece in _back(rng, f, back):
        turned = rotate(piece.mesh, "x", -lean)
        depth = -f.d / 2 + (0.02 if not f.round else 0.06)
        a.add(piece.part, move(turned, (0, f.h, depth)), piece.material)
    a.pieces += chair_bases.BASES[style](rng, f)
    if chance(rng, 0.6 if style in ("star", "rocking") else 0.3):
        _arms(rng, a, f, lean)
    if chance(rng, 0.1):
        mesh = cushion(rng, (f.w * 0.6, f.w * 0.55, 0.1), (0, f.h + f.w * 0.28, -f.d / 2 + 0.08))
        a.add("pillow", rotate(mesh, "x", -lean, (0, f.h, -f.d / 2)), materials.fabric(rng))
    if seat == "board" and chance(rng, 0.2):
        for sx in (-1, 1):
            for sz in (-1, 1):
                at = (sx * f.w * 0.38, f.h + 0.002, sz * f.d * 0.38)
                a.add("screw", cylinder(0.008, 0.006, at, 8), f.metal)
    return a.pieces


CATEGORIES = {"chair": chair}
