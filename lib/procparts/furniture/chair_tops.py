"""Build seats, backs and arms of chairs."""

from dataclasses import dataclass

import numpy as np

from procparts.furniture.chair_bases import Frame
from procparts.kit.fittings import Assembly, bar_maker, bent, chance, curved_board, cushion, leg_maker, pick
from procparts.kit.mesh import Mesh, Piece, Scalar, bend, move
from procparts.kit.toolkit import box, extrude, lathe, outline, rod, rounded_box, tube


def seat_on(rng: np.random.Generator, a: Assembly, f: Frame, kind: str) -> None:
    """Add a seat of thickness f.t with its top at f.h."""
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


@dataclass(frozen=True)
class Back:
    """Hold a back's width and height, the angle in radians its boards bend by, and its lowest board."""

    w: float
    h: float
    curve: float
    low: float

    def depth(self, x: Scalar) -> float:
        """Return the depth of a bent board behind its ends, at x from the middle (0 or less)."""
        if self.curve < 0.02:
            return 0.0
        radius = self.w / self.curve
        return float(radius * (np.cos(self.curve / 2) - np.cos(min(abs(float(x)), self.w / 2) / radius)))


def _posted(rng: np.random.Generator, a: Assembly, f: Frame, k: Back, kind: str) -> None:
    """Add two posts with spindles, rungs, a panel or a cross between them."""
    post, lean, rail = rng.uniform(0.02, 0.04), rng.uniform(-0.03, 0.05), rng.uniform(0.03, 0.1)
    x = k.w / 2 - post / 2
    a.both("back_post", leg_maker(rng, post)((x, -f.t, 0), (x + lean, k.h, 0)), f.frame)

    def across(y: Scalar, high: Scalar, thick: Scalar) -> Mesh:
        """Add a bent board between the posts, its ends let into them."""
        width = k.w - post * 0.6 + 2 * lean * float(y) / k.h
        return move(curved_board((width, high, thick), k.curve), (0, y, k.depth(0)))

    def straight(y: Scalar) -> Mesh:
        return box((k.w - post + 2 * lean * float(y) / k.h, 0.025, post * 0.6), (0, y, 0))

    if kind != "ladder" or chance(rng, 0.3):
        a.add("back_rail", across(k.h - rail / 2, rail, post * 0.6), f.frame)
    if kind == "spindle":
        n = int(rng.integers(3, 10))
        bar = bar_maker(rng, min(rng.uniform(0.008, 0.03), k.w / n * 0.6))
        start = -f.t / 2 if chance(rng, 0.4) else k.low
        if start > 0:
            a.add("back_rail", straight(k.low), f.frame)
        for i in range(n):
            at = ((i + 1) / (n + 1) - 0.5) * (k.w - post)
            a.add("back_spindle", bar((at, start, 0), (at, k.h - rail * 0.6, k.depth(at))), f.frame)
    elif kind == "ladder":
        n = int(rng.integers(2, 7))
        high = min(rng.uniform(0.03, 0.09), (k.h - k.low) / n * 0.7)
        for i in range(n):
            a.add("back_slat", across(k.low + (k.h - k.low - 0.04) * i / (n - 1), high, 0.014), f.main)
    elif kind == "cross":
        for s in (-1, 1):
            a.add("back_slat", rod((-s * x, k.low, 0), (s * x, k.h - rail, 0), post * 0.35), f.frame)
        a.add("back_rail", straight(k.low), f.frame)
    else:
        high, y = k.h - k.low - rail * 0.8, (k.low + k.h - rail) / 2
        if chance(rng, 0.5):
            pad = bend(rounded_box((k.w - post * 0.6, high, 0.04), 0.015), "x", k.curve)
            a.add("back_soft", move(pad, (0, y, k.depth(0))), f.soft)
        else:
            a.add("back_hard", across(y, high, 0.012), f.main)


def _hoop(rng: np.random.Generator, a: Assembly, f: Frame, k: Back) -> None:
    """Add a bent bow filled with spindles."""
    turn = np.linspace(0, np.pi, 17)
    bow = np.stack([k.w / 2 * np.cos(turn), k.h * np.sin(turn) ** rng.uniform(0.5, 1), 0 * turn], axis=1)
    bow[[0, -1], 1] = -f.t * 0.5
    a.add("back_hoop", tube(bow, rng.uniform(0.01, 0.016)), f.frame)
    n = int(rng.integers(4, 10))
    for i in range(n):
        at = ((i + 1) / (n + 1) - 0.5) * k.w * 0.9
        reach = float(np.interp(at * 1.05, bow[::-1, 0], bow[::-1, 1]))
        a.add("back_spindle", rod((at * 0.75, -f.t * 0.5, 0), (at * 1.05, reach, 0), 0.006), f.frame)


def _padded(rng: np.random.Generator, a: Assembly, f: Frame, k: Back) -> None:
    """Add an upholstered pad, down to the seat or held above it by straps."""
    thick, gap = rng.uniform(0.04, 0.14), float(rng.choice([0.0, rng.uniform(0.05, 0.15)]))
    pad = cushion(rng, (k.w, k.h - gap, thick), (0, gap + (k.h - gap) / 2, 0))
    if chance(rng, 0.4):
        narrow = 1 - rng.uniform(-0.2, 0.4) * (pad.vertices[:, 1] / k.h)
        pad = Mesh(pad.vertices * np.stack([narrow, 0 * narrow + 1, 0 * narrow + 1], axis=1), pad.faces)
    a.add("back_soft", bend(pad, "x", k.curve), f.soft)
    if gap > 0:
        for s in (-1, 1) if chance(rng, 0.5) else (0,):
            at = (s * k.w * 0.28, (gap - f.t + 0.06) / 2, -0.01 - thick / 3)
            a.add("back_connector", box((0.05, gap + f.t + 0.06, 0.012), at), f.metal)


def _boarded(rng: np.random.Generator, a: Assembly, f: Frame, k: Back) -> None:
    """Add one board, flat or bent, at times with a pad on it."""
    t = rng.uniform(0.008, 0.025)
    at = (0, k.h / 2 - f.t * 0.3, 0)
    if chance(rng, 0.5):
        a.add("back_hard", move(curved_board((k.w, k.h, t), k.curve), at), f.main)
    else:
        shape = outline(k.w, k.h, rng.uniform(0.02, 0.3) * k.w)
        a.add("back_hard", extrude(shape, t, "z", at), f.main)
    if chance(rng, 0.3):
        pad = rounded_box((k.w * 0.8, k.h * 0.7, 0.03), 0.012, (0, k.h * 0.52, t / 2 + 0.012))
        a.add("back_soft", bend(pad, "x", k.curve * 0.8), f.soft)


def backrest(rng: np.random.Generator, f: Frame, kind: str) -> list[Piece]:
    """Add a back standing on the origin, facing +z, of height f.back; it is not reclined."""
    a = Assembly()
    curve = float(rng.choice([0.0, rng.uniform(0.15, 0.7)]))
    k = Back(f.w * rng.uniform(0.8, 1.0), f.back, curve, f.back * rng.uniform(0.08, 0.35))
    if kind in ("spindle", "ladder", "panel", "cross"):
        _posted(rng, a, f, k, kind)
    elif kind == "hoop":
        _hoop(rng, a, f, k)
    elif kind == "soft":
        _padded(rng, a, f, k)
    else:
        _boarded(rng, a, f, k)
    if f.back > 0.5 and chance(rng, 0.6 if kind in ("soft", "panel") and f.base == "star" else 0.06):
        y = k.h + 0.11
        a.add("headrest", cushion(rng, (k.w * 0.55, 0.13, 0.06), (0, y, k.depth(0))), f.soft)
        for s in (-1, 1):
            foot, head = (s * k.w * 0.15, k.h * 0.85, k.depth(0)), (s * k.w * 0.15, y, k.depth(0))
            a.add("head_connector", rod(foot, head, 0.006), f.metal)
    return a.pieces


def arms(rng: np.random.Generator, a: Assembly, f: Frame, lean: Scalar) -> None:
    """Add arms on posts: rests, pads or one bent tube per side."""
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
