"""What chairs are sat on and leant against: seats, backs, arms."""

import numpy as np

from alignparts.corpus.procedural.chair_bases import Frame
from alignparts.corpus.procedural.fittings import (
    Assembly,
    bar_maker,
    bent,
    chance,
    curved_board,
    cushion,
    leg_maker,
    pick,
)
from alignparts.corpus.procedural.mesh import Mesh, Piece, Scalar
from alignparts.corpus.procedural.toolkit import (
    bend,
    box,
    extrude,
    lathe,
    move,
    outline,
    rod,
    rounded_box,
    tube,
)


def seat_on(rng: np.random.Generator, a: Assembly, f: Frame, kind: str) -> None:
    """A seat of thickness f.t with its top at f.h."""
    w, d, t, h = f.w, f.d, f.t, f.h
    if f.round:
        r = w / 2
        if kind == "soft":
            dome = [(0, -t), (r, -t), (r * 1.02, -t * 0.6), (r * 0.98, -t * 0.1), (r * 0.8, 0), (0, t * 0.15)]
            a.add("seat_soft", move(lathe(dome, 28), (0, h, 0)), f.soft)
        else:
            dish = t * 0.25 * rng.integers(0, 2)
            a.add(
                "seat_hard",
                move(lathe([(0, -t), (r, -t), (r, 0), (r * 0.6, -dish), (0, -dish)], 28), (0, h, 0)),
                f.main,
            )
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
            mesh = extrude(
                [(-back, -d / 2), (back, -d / 2), (front, d / 2), (-front, d / 2)], t, "y", (0, h - t / 2, 0)
            )
        else:
            mesh = box((w, t, d), (0, h - t / 2, 0), bevel=t * 0.2)
        a.add("seat_hard", mesh, f.main)
        if f.base == "legs" and chance(rng, 0.4):
            apron = rng.uniform(0.03, 0.07)
            for s in (-1, 1):
                a.add("seat_frame", box((w * 0.8, apron, 0.02), (0, h - t - apron / 2, s * d * 0.4)), f.frame)
                a.add("seat_frame", box((0.02, apron, d * 0.8), (s * w * 0.4, h - t - apron / 2, 0)), f.frame)


def backrest(rng: np.random.Generator, f: Frame, kind: str) -> list[Piece]:
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
                size = (
                    w + 2 * lean * y / b - post * 0.6,
                    min(rng.uniform(0.03, 0.09), (b - low) / n * 0.7),
                    0.014,
                )
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
        top = np.stack(
            [w / 2 * np.cos(t := np.linspace(0, np.pi, 17)), b * np.sin(t) ** rng.uniform(0.5, 1), 0 * t], 1
        )
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
                bar = box(
                    (0.05, gap + f.t + 0.06, 0.012), (s * w * 0.28, (gap - f.t + 0.06) / 2, -0.01 - thick / 3)
                )
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
            a.add(
                "head_connector",
                rod((s * w * 0.15, b * 0.85, -0.004), (s * w * 0.15, y, -0.004), 0.006),
                f.metal,
            )
    return a.pieces


def arms(rng: np.random.Generator, a: Assembly, f: Frame, lean: Scalar) -> None:
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
