# ruff: noqa: RUF005
"""Build microwave ovens and dishwashers."""

import numpy as np

from procparts.appliances.appliance_parts import Placed, enamel, feet, grip, knob, shell, swing
from procparts.kit.fittings import Assembly, chance
from procparts.kit.materials import glass, keys, screen
from procparts.kit.mesh import Piece, merge, move
from procparts.kit.toolkit import box, cylinder
from procparts.kit.vessels import hollow, made_of, on_ground, ring_frame


def microwave(rng: np.random.Generator) -> list[Piece]:
    """Build a microwave oven, its controls on the side or below, its door shut or open."""
    a = Assembly()
    w = rng.uniform(0.42, 0.6)
    h, d = w * rng.uniform(0.5, 0.68), w * rng.uniform(0.6, 0.85)
    case = enamel(rng)
    dark = made_of(rng, "plastic", "metal") if chance(rng, 0.6) else case
    wall, side = w * 0.02, rng.uniform(0.18, 0.3) * w
    below = chance(rng, 0.12)
    if below:
        side = h * rng.uniform(0.2, 0.28)
    dw, dh = (w, h - side) if below else (w - side, h)
    dx, dy = (0.0, side / 2) if below else (-side / 2, 0.0)
    door_t, front = d * rng.uniform(0.05, 0.1), d / 2
    opened = rng.uniform(0.5, 2.0) if chance(rng, 0.35) else 0.0
    if opened:
        a.add("body", shell(w, h, d, wall), case)
        a.add(
            "cavity",
            move(shell(dw * 0.9, dh * 0.86, d * 0.9, wall * 0.7), (dx, dy, d * 0.04)),
            made_of(rng, "metal", "paint"),
        )
        fill = (
            box((w - wall, side, d * 0.98), (0, -h / 2 + side / 2, 0))
            if below
            else box((side, h - wall, d * 0.98), (w / 2 - side / 2 - wall / 2, 0, 0))
        )
        a.add("body", fill, case)
        tray = hollow([(dw * 0.33, 0), (dw * 0.36, h * 0.03)], h * 0.012, 28)
        a.add("tray", move(tray, (dx, dy - dh * 0.42, 0)), glass(rng))
    else:
        a.add("body", box((w, h, d), bevel=w * rng.choice([0.002, 0.015])), case)
    door: Placed = []
    border = dh * rng.uniform(0.1, 0.24)
    corner = dh * rng.choice([0.02, 0.1])
    at = np.array([dx, dy, front + door_t / 2])
    bare = chance(rng, 0.15)
    right = border * (rng.uniform(1.0, 1.8) if not below else 1.0)
    door.append(
        (
            "door_frame",
            move(ring_frame(dw * 0.985, dh * 0.97, border, right, border, border, door_t, corner), at),
            dark,
        )
    )
    gw, gh = dw * 0.985 - border - right, dh * 0.97 - 2 * border
    pane = box((gw, gh, door_t * (0.9 if bare else 0.5)), at + [(border - right) / 2, 0, 0])
    door.append(("glass", pane, glass(rng) if chance(rng, 0.5) else made_of(rng, "plastic")))
    push = chance(rng, 0.3)
    if not push:
        long, out = dh * rng.uniform(0.5, 0.85), door_t * rng.uniform(0.7, 1.4)
        hx = dw * 0.5 - right * 0.45
        if below:
            bar = move(
                grip(rng, dw * rng.uniform(0.4, 0.8), out, False, h * 0.02), at + [0, dh * 0.44, door_t / 2]
            )
        else:
            bar = move(grip(rng, long, out, True, h * rng.uniform(0.018, 0.03)), at + [hx, 0, door_t / 2])
        door.append(("handle", bar, made_of(rng, "metal", "plastic") if chance(rng, 0.6) else dark))
    hinge = (dx, dy - dh / 2, front) if below else (dx - dw / 2, dy, front)
    for piece in swing(door, "x" if below else "y", opened if below else -opened, hinge):
        a.add(*piece)
    px, py, pw, ph = (
        (0.0, -h / 2 + side / 2, w * 0.985, side * 0.94)
        if below
        else (w / 2 - side / 2, 0.0, side * 0.95, h * 0.97)
    )
    a.add(
        "control_panel",
        box((pw, ph, door_t * 0.85), (px, py, front + door_t * 0.42)),
        dark if chance(rng, 0.7) else case,
    )
    z = front + door_t * 0.86
    buttons_material = made_of(rng, "plastic", "metal", "paint")
    if below:
        a.add("display", box((w * 0.2, ph * 0.5, door_t * 0.12), (0, py, z)), screen(rng))
        for k in range(int(rng.integers(4, 9))):
            x = w * (0.16 + 0.065 * (k // 2)) * (1 if k % 2 else -1)
            a.add("button", box((w * 0.045, ph * 0.3, door_t * 0.2), (x, py, z)), buttons_material)
        return a.pieces
    top = h * 0.36
    digital = chance(rng, 0.75)
    if digital:
        a.add("display", box((side * 0.7, h * 0.1, door_t * 0.12), (px, top, z)), screen(rng))
        top -= h * 0.1
    low = -h * 0.42
    if push:
        tall = h * rng.uniform(0.08, 0.14)
        a.add(
            "door_button",
            box(
                (side * rng.uniform(0.5, 0.8), tall, door_t * 0.35),
                (px, low + tall * 0.5, z),
                bevel=door_t * 0.05,
            ),
            buttons_material,
        )
        low += tall * 1.5
    if not digital or chance(rng, 0.25):
        n = 2 if not digital else 1
        make = knob(rng, side * 0.24)
        for k in range(n):
            a.add("knob", make((px, top - (top - low) * (k + 0.5) / n, z)), buttons_material)
    elif chance(rng, 0.2):
        a.add(
            "button", box((side * 0.75, (top - low) * 0.8, door_t * 0.1), (px, (top + low) / 2, z)), keys(rng)
        )
    else:
        rows, columns = int(rng.integers(3, 7)), int(rng.integers(2, 4))
        cell_w, cell_h = side * 0.76 / columns, (top - low) / rows
        for i in range(rows):
            for j in range(columns):
                center = (px + cell_w * (j - (columns - 1) / 2), low + cell_h * (i + 0.5), z)
                a.add("button", box((cell_w * 0.75, cell_h * 0.6, door_t * 0.2), center), buttons_material)
    if chance(rng, 0.6):
        feet(rng, a, w, d, -h / 2, h * 0.05)
    if chance(rng, 0.12):
        mesh, _, _ = on_ground(rng, (0, h * 0.4, -d / 2), w * 0.5, w * 0.008)
        a.add("cord", move(mesh, (0, -h / 2 - h * 0.02, 0)), made_of(rng, "rubber"))
    return a.pieces


def dishwasher(rng: np.random.Generator) -> list[Piece]:
    """Build a built-in or free-standing dishwasher, its door shut or dropped open on its racks."""
    a = Assembly()
    w = rng.choice([0.6, 0.45]) * rng.uniform(0.95, 1.05)
    h, d = 0.84 * rng.uniform(0.93, 1.06), 0.58 * rng.uniform(0.9, 1.1)
    if chance(rng, 0.1):
        w, h, d = 0.55, 0.45, 0.5
    wall, case = w * 0.025, enamel(rng)
    front_material = case if chance(rng, 0.5) else made_of(rng, "metal", "wood", "paint")
    kick = h * rng.uniform(0.06, 0.13)
    for s in (-1, 1):
        a.add("side", box((wall, h - kick, d), (s * (w - wall) / 2, kick / 2, 0)), case)
    a.add("back", box((w - 2 * wall, h - kick, wall), (0, kick / 2, -d / 2 + wall / 2)), case)
    a.add(
        "top",
        box(
            (w * (1.01 if chance(rng, 0.4) else 1.0), wall, d * 1.005),
            (0, h / 2 - wall / 2, 0),
            bevel=wall * 0.1,
        ),
        case if chance(rng, 0.7) else made_of(rng, "wood", "stone", "plastic"),
    )
    a.add("bottom", box((w - 2 * wall, wall, d), (0, -h / 2 + kick + wall / 2, 0)), case)
    door_t, front = d * rng.uniform(0.05, 0.09), d / 2
    panel_h = h * rng.uniform(0.1, 0.17)
    door_h = h - kick - panel_h
    cy = -h / 2 + kick + door_h / 2
    opened = rng.uniform(0.3, 1.55) if chance(rng, 0.35) else 0.0
    joined = chance(rng, 0.65)
    on_door: Placed = [
        (
            "door",
            box((w * 0.985, door_h * 0.99, door_t), (0, cy, front + door_t / 2), bevel=door_t * 0.12),
            front_material,
        )
    ]
    if chance(rng, 0.3):
        on_door[0] = (
            "door",
            merge(
                on_door[0][1],
                box((w * 0.75, door_h * 0.75, door_t * 0.2), (0, cy, front + door_t), bevel=door_t * 0.05),
            ),
            front_material,
        )
    py = h / 2 - panel_h / 2
    dark = made_of(rng, "plastic", "metal") if chance(rng, 0.6) else front_material
    plate: Placed = [
        (
            "control_panel",
            box((w * 0.985, panel_h * 0.97, door_t), (0, py, front + door_t / 2), bevel=door_t * 0.12),
            dark,
        )
    ]
    z = front + door_t
    n, size = int(rng.integers(3, 8)), panel_h * rng.uniform(0.14, 0.24)
    knob_material = made_of(rng, "plastic", "metal")
    round_one, x0 = chance(rng, 0.4), w * rng.uniform(0.15, 0.3) * rng.choice([-1, 1])
    for k in range(n):
        at = (x0 + (k - (n - 1) / 2) * size * 1.7, py, z)
        plate.append(
            (
                "button",
                cylinder(size * 0.6, door_t * 0.2, at, 14, axis="z")
                if round_one
                else box((size * 1.2, size, door_t * 0.2), at),
                knob_material,
            )
        )
    if chance(rng, 0.5):
        plate.append(("display", box((w * 0.13, panel_h * 0.4, door_t * 0.12), (-x0, py, z)), screen(rng)))
    bar = grip(
        rng, w * rng.uniform(0.35, 0.85), door_t * rng.uniform(0.6, 1.3), False, w * rng.uniform(0.012, 0.022)
    )
    if chance(rng, 0.7):
        on_door.append(
            (
                "handle",
                move(bar, (0, cy + door_h * rng.uniform(0.38, 0.44), z)),
                made_of(rng, "metal", "plastic"),
            )
        )
    else:
        plate.append(("handle", move(bar, (0, py - panel_h * 0.3, z)), made_of(rng, "metal", "plastic")))
    moving = on_door + plate if joined else on_door
    for piece in swing(moving, "x", opened, (0, -h / 2 + kick, front)):
        a.add(*piece)
    for piece in [] if joined else plate:
        a.add(*piece)
    if opened:
        wire = made_of(rng, "metal", "plastic")
        for y in (-0.22, 0.18):
            slide = d * rng.uniform(0, 0.5)
            rw, rd, rh = w - 1.9 * wall, d * 0.85, h * 0.12
            rails = [box((rw, 0.006, 0.006), (0, q, s * rd / 2)) for q in (0, rh) for s in (-1, 1)]
            rails += [box((0.006, 0.006, rd), (s * rw / 2, q, 0)) for q in (0, rh) for s in (-1, 1)]
            rails += [box((0.005, 0.005, rd), (x * rw, 0, 0)) for x in np.linspace(-0.4, 0.4, 7)]
            rails += [
                box((0.005, rh, 0.005), (x * rw, rh / 2, s * rd / 2))
                for x in np.linspace(-0.5, 0.5, 7)
                for s in (-1, 1)
            ]
            a.add("rack", move(merge(*rails), (0, y * h, slide)), wire)
    if chance(rng, 0.55):
        a.add(
            "base",
            box((w * 0.96, kick, d * 0.88), (0, -h / 2 + kick / 2, -d * 0.04)),
            made_of(rng, "plastic", "metal"),
        )
    else:
        feet(rng, a, w, d, -h / 2 + kick * 1.02, kick * 1.0)
    return a.pieces


CATEGORIES = {"microwave": microwave, "dishwasher": dishwasher}
