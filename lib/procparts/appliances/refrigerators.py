# ruff: noqa: RUF005
"""Build refrigerators."""

import numpy as np

from procparts.appliances.appliance_parts import Placed, enamel, feet, grip, shell, swing
from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material, glass, screen
from procparts.kit.mesh import Piece, Scalar, move, rotate
from procparts.kit.toolkit import box, rounded_box
from procparts.kit.vessels import made_of, ring_frame

_Door = tuple[str, Scalar, Scalar, Scalar, Scalar, int]  # kind, x0, x1, y0, y1, side of the hinge


def _layout(rng: np.random.Generator, style: str, w: Scalar, h: Scalar) -> list[_Door]:
    """Return the doors over the front of a refrigerator w by h meters about the origin."""
    x0, x1, y0, y1 = -w / 2, w / 2, -h / 2, h / 2
    hand = int(rng.choice([-1, 1]))
    if style in ("single", "glass"):
        return [("fridge", x0, x1, y0, y1, hand)]
    if style == "top":
        cut = y1 - h * rng.uniform(0.26, 0.38)
        return [("fridge", x0, x1, y0, cut, hand), ("freezer", x0, x1, cut, y1, hand)]
    if style == "bottom":
        cut = y0 + h * rng.uniform(0.32, 0.44)
        return [("fridge", x0, x1, cut, y1, hand), ("freezer", x0, x1, y0, cut, hand)]
    if style == "side":
        cut = x0 + w * rng.uniform(0.38, 0.5)
        return [("freezer", x0, cut, y0, y1, -1), ("fridge", cut, x1, y0, y1, 1)]
    cut = y0 + h * rng.uniform(0.28, 0.4)
    upper: list[_Door] = [("fridge", x0, 0, cut, y1, -1), ("fridge", 0, x1, cut, y1, 1)]
    if style == "quad":
        return [*upper, ("freezer", x0, 0, y0, cut, -1), ("freezer", 0, x1, y0, cut, 1)]
    if chance(rng, 0.35):
        mid = (y0 + cut) / 2
        return [*upper, ("drawer", x0, x1, y0, mid, 0), ("drawer", x0, x1, mid, cut, 0)]
    return [*upper, ("drawer", x0, x1, y0, cut, 0)]


def _inside(rng: np.random.Generator, a: Assembly, door: _Door, d: Scalar, pale: Material) -> None:
    """Add lining, shelves and boxes behind an open door."""
    kind, x0, x1, y0, y1, _ = door
    w, h, cx, cy = x1 - x0, y1 - y0, (x0 + x1) / 2, (y0 + y1) / 2
    a.add("inner", move(shell(w * 0.93, h * 0.95, d * 0.86, w * 0.02), (cx, cy, d * 0.06)), pale)
    n = int(rng.integers(2, 6)) if h > 0.6 else 1
    clear = glass(rng) if chance(rng, 0.6) else made_of(rng, "plastic", "metal")
    for k in range(n):
        y = y0 + h * (0.24 + 0.66 * k / n)
        a.add("shelf", box((w * 0.9, h * 0.012 + 0.004, d * 0.72), (cx, y, d * 0.02)), clear)
    if kind == "fridge" and chance(rng, 0.75):
        m = 2 if chance(rng, 0.5) else 1
        for k in range(m):
            wide = w * 0.86 / m
            a.add(
                "vegetable_box",
                rounded_box(
                    (wide * 0.94, h * 0.14, d * 0.68),
                    0.015,
                    (cx + wide * (k - (m - 1) / 2), y0 + h * 0.12, d * 0.02),
                ),
                made_of(rng, "glass", "plastic"),
            )


def refrigerator(rng: np.random.Generator) -> list[Piece]:
    """Build a refrigerator with one to four doors, some glazed or retro, some open; it faces +z."""
    a = Assembly()
    style = pick(rng, ["single", "top", "bottom", "side", "french", "quad", "glass"], [2, 3, 2, 3, 3, 1, 1])
    w = rng.uniform(0.85, 0.95) if style in ("side", "french", "quad") else rng.uniform(0.5, 0.72)
    h, d = rng.uniform(1.55, 1.95), rng.uniform(0.52, 0.7)
    if style == "single" and chance(rng, 0.5):
        h = rng.uniform(0.75, 1.1)
    case = enamel(rng)
    front_material = case if chance(rng, 0.7) else enamel(rng)
    bars = made_of(rng, "metal", "plastic")
    retro = chance(rng, 0.2)
    kick = h * rng.uniform(0.03, 0.06)
    doors = _layout(rng, style, w, h)
    ajar = [chance(rng, 0.3) for _ in doors] if chance(rng, 0.5) else [False] * len(doors)
    open_any = any(ajar) or style == "glass"
    if open_any:
        a.add("body", shell(w, h, d, w * 0.04), case)
    else:
        a.add("body", rounded_box((w, h, d), w * 0.08) if retro else box((w, h, d), bevel=w * 0.006), case)
    if open_any and len(doors) > 1:
        for _, x0, x1, y0, y1, _ in doors[1:]:
            if y0 > -h / 2 + 0.01:
                a.add("body", box((w * 0.96, h * 0.015, d * 0.95), (0, y0, 0)), case)
                break
            if y1 < h / 2 - 0.01:
                a.add("body", box((w * 0.96, h * 0.015, d * 0.95), (0, y1, 0)), case)
                break
            if x1 - x0 < w * 0.9:
                a.add(
                    "body",
                    box((w * 0.02, h * 0.96, d * 0.95), (x0 if x0 > -w / 2 + 0.01 else x1, 0, 0)),
                    case,
                )
                break
    t, front = d * rng.uniform(0.07, 0.13), d / 2
    pale = made_of(rng, "plastic", "paint")
    upright = style not in ("top",) or chance(rng, 0.7)
    length, out, thick = rng.uniform(0.3, 0.85), t * rng.uniform(0.5, 0.9), w * rng.uniform(0.012, 0.02)
    seed = int(rng.integers(1 << 30))
    hidden = chance(rng, 0.12)
    water = int(rng.integers(len(doors))) if style in ("side", "french") and chance(rng, 0.6) else -1
    for k, (door, is_open) in enumerate(zip(doors, ajar, strict=True)):
        kind, x0, x1, y0, y1, side = door
        gap = 0.006
        dw, dh, cx, cy = x1 - x0 - gap, y1 - y0 - gap, (x0 + x1) / 2, (y0 + y1) / 2
        at = np.array([cx, cy, front + t / 2 + 0.002])
        part = {"fridge": "fridge_door", "freezer": "freezer_door", "drawer": "freezer_drawer"}[kind]
        placed: Placed = []
        if style == "glass":
            border = dw * rng.uniform(0.07, 0.13)
            placed.append(
                (
                    part,
                    move(ring_frame(dw, dh, border, border, border, border, t, t * 0.2), at),
                    front_material,
                )
            )
            placed.append(("glass", box((dw - 2 * border, dh - 2 * border, t * 0.3), at), glass(rng)))
        else:
            plain = (
                rounded_box((dw, dh, t), t * 0.45, at)
                if retro
                else box((dw, dh, t), at, bevel=t * rng.choice([0.06, 0.25]))
            )
            placed.append((part, plain, front_material))
        name = {"fridge": "fridge_handle", "freezer": "freezer_handle", "drawer": "drawer_handle"}[kind]
        if not hidden:
            same = np.random.default_rng(seed)
            if kind == "drawer":
                bar = move(grip(same, dw * 0.8, out, False, thick), at + [0, dh * 0.38, t / 2])
            elif upright:
                reach = dh * (length if dh > 0.6 else 0.6)
                shift = np.clip(-cy / h * 0.9, -0.25, 0.25) * (dh - reach) if len(doors) > 1 else 0.0
                bar = move(
                    grip(same, reach, out, True, thick), at + [-side * (dw / 2 - w * 0.05), shift, t / 2]
                )
            else:
                edge = -1 if cy > 0 else 1
                bar = move(
                    grip(same, dw * 0.45, out, False, thick), at + [-side * dw * 0.2, edge * dh * 0.44, t / 2]
                )
            placed.append((name, bar, bars))
        if k == water:
            y = min(cy + dh * 0.1, h * 0.2)
            placed.append(("display", box((dw * 0.5, h * 0.16, t * 0.12), (cx, y, front + t)), screen(rng)))
        angle = rng.uniform(0.4, 1.9) if is_open and kind != "drawer" else 0.0
        if angle:
            _inside(rng, a, door, d, pale)
            for level in rng.uniform(-0.35, 0.35, int(rng.integers(1, 4))):
                tub = box((dw * 0.8, dh * 0.06, t * 0.9), at + [0, level * dh, -t * 0.85])
                placed.append(("bottle_pocket", tub, made_of(rng, "plastic", "glass")))
        elif style == "glass":
            _inside(rng, a, door, d, pale)
        if kind == "drawer" and is_open:
            slide = d * rng.uniform(0.2, 0.6)
            placed = [(p, move(m, (0, 0, slide)), q) for p, m, q in placed]
            tray = shell(dw * 0.85, d * 0.7, dh * 0.6, 0.012)
            placed.append(
                (
                    "freezer_drawer",
                    move(rotate(tray, "x", -np.pi / 2), (cx, cy - dh * 0.05, front - d * 0.35 + slide)),
                    pale,
                )
            )
        for piece in swing(placed, "y", side * angle, (x0 if side < 0 else x1, cy, front)):
            a.add(*piece)
        if side and chance(rng, 0.25):
            x = (x0 if side < 0 else x1) - side * 0.03
            for y in (y0, y1):
                a.add(
                    "hinge",
                    box(
                        (0.05, 0.018, t * 1.2), (x, float(np.clip(y, -h / 2, h / 2 + 0.004)), front + t * 0.3)
                    ),
                    made_of(rng, "metal"),
                )
    if chance(rng, 0.6):
        a.add(
            "base",
            box((w * 0.96, kick, d * 0.9), (0, -h / 2 - kick * 0.45, 0)),
            made_of(rng, "plastic", "metal"),
        )
    elif chance(rng, 0.8):
        feet(rng, a, w, d, -h / 2, kick)
    return a.pieces


CATEGORIES = {"refrigerator": refrigerator}
