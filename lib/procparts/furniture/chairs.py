# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build chairs: bases, seats, backs and arms that combine freely, and a few fixed styles."""

import numpy as np

from procparts.furniture import chair_bases
from procparts.furniture.chair_bases import Frame
from procparts.furniture.chair_folding import folding
from procparts.furniture.chair_tops import arms, backrest, seat_on
from procparts.kit import materials
from procparts.kit.fittings import Assembly, chance, cushion, hard, leg_maker, pick, soft
from procparts.kit.mesh import Piece, merge, move, rotate
from procparts.kit.toolkit import arc, box, curved_sheet, cylinder, rounded_box


def _sofa(rng: np.random.Generator) -> list[Piece]:
    """Add an armchair or a small sofa: plinth, cushions, box or rolled arms."""
    a, cloth, frame = Assembly(), soft(rng), hard(rng)
    places = int(rng.choice([1, 1, 1, 2, 3]))
    w, d, h = places * rng.uniform(0.52, 0.7), rng.uniform(0.5, 0.65), rng.uniform(0.36, 0.46)
    arm = rng.uniform(0.1, 0.24)
    up = rng.uniform(0.12, 0.28)
    foot = rng.choice([0.03, rng.uniform(0.08, 0.18)])
    thick, pad = rng.uniform(0.12, 0.25), rng.uniform(0.1, 0.18)
    back = rng.uniform(0.35, 0.55)
    total = w + 2 * arm
    a.add("seat_frame", box((total, h - pad - foot, d), (0, (h - pad + foot) / 2, 0), bevel=0.01), cloth)
    for k in range(places):
        x = (k + 0.5) * w / places - w / 2
        a.add("seat_soft", cushion(rng, (w / places * 0.98, pad, d), (x, h - pad / 2, 0.01)), cloth)
    lean = rng.uniform(0.0, 0.25)
    board = rounded_box(
        (total, h + back - foot, thick), 0.04, (0, (h + back + foot) / 2, -d / 2 - thick / 2 + 0.02)
    )
    a.add("back_soft", rotate(board, "x", -lean * 0.5, (0, foot, -d / 2)), cloth)
    if chance(rng, 0.6):
        for k in range(places):
            x = (k + 0.5) * w / places - w / 2
            mesh = cushion(rng, (w / places * 0.95, back * 0.9, 0.13), (x, h + back * 0.45, -d / 2 + 0.05))
            a.add(
                "pillow", rotate(mesh, "x", -lean, (0, h, -d / 2)), soft(rng) if chance(rng, 0.5) else cloth
            )
    height = h + up - foot
    side = rounded_box(
        (arm, height, d * 1.02), min(0.05, arm * 0.4), ((w + arm) / 2, foot + height / 2, 0.01)
    )
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
    """Add a molded one-piece shell, cut where the seat turns into the back."""
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
        if (part == "seat_hard" and upper.cross()[:, 1].sum() < 0) or (
            part == "back_hard" and upper.cross()[:, 2].sum() < 0
        ):
            upper = upper.flipped()
        mesh = upper
        if chance(rng, 0.8):
            lower = move(upper, (0, -0.008, -0.006)).flipped()
            mesh = merge(upper, lower)
        a.add(part, mesh, f.main)
    f.t = 0.03


def chair(rng: np.random.Generator) -> list[Piece]:
    """Build a chair, stool, armchair or sofa of one of many styles; it faces +z."""
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
        return folding(rng, f)
    if style == "stool":
        f.h = rng.choice([rng.uniform(0.42, 0.5), rng.uniform(0.6, 0.8)])
        f.w *= rng.uniform(0.65, 0.9)
        f.round = chance(rng, 0.6)
        f.d = f.w if f.round else f.d * 0.75
        f.base = pick(rng, ["legs", "pedestal", "star"], [3, 1, 1])
        seat_on(rng, a, f, pick(rng, ["board", "soft"]))
        a.pieces += chair_bases.BASES[f.base](rng, f)
        return a.pieces
    f.base = style
    if style == "shell":
        f.base = pick(rng, ["legs", "star", "pedestal", "sled"], [3, 2, 1, 1])
        _shell(rng, a, f)
        a.pieces += chair_bases.BASES[f.base](rng, f)
        if chance(rng, 0.25):
            arms(rng, a, f, 0.1)
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
        back = pick(
            rng,
            ["spindle", "ladder", "panel", "hoop", "board", "soft", "cross"],
            [3, 3, 2, 1.8, 1.2, 1.2, 0.6],
        )
        seat = pick(rng, ["board", "soft", "slat"], [4, 2, 1])
    if style == "star" and chance(rng, 0.4):
        f.back = rng.uniform(0.6, 0.8)
    seat_on(rng, a, f, seat)
    for piece in backrest(rng, f, back):
        turned = rotate(piece.mesh, "x", -lean)
        depth = -f.d / 2 + (0.02 if not f.round else 0.06)
        a.add(piece.part, move(turned, (0, f.h, depth)), piece.material)
    a.pieces += chair_bases.BASES[style](rng, f)
    if chance(rng, 0.6 if style in ("star", "rocking") else 0.3):
        arms(rng, a, f, lean)
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
