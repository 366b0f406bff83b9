# ruff: noqa: RUF005
"""Build ovens and stoves."""

import numpy as np

from procparts.appliances.appliance_parts import Placed, enamel, feet, grip, knob, shell, swing
from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import glass, screen
from procparts.kit.mesh import Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, rod, torus, tube
from procparts.kit.vessels import made_of, ring_frame, solid


def oven(rng: np.random.Generator) -> list[Piece]:
    """Build a cooker with a gas, coil or glass hob, a built-in single or double oven, or a toaster oven."""
    a = Assembly()
    style = pick(rng, ["range", "range", "range", "builtin", "double", "toaster"])
    w = rng.uniform(0.5, 0.9) if style != "toaster" else rng.uniform(0.36, 0.5)
    h = {
        "range": rng.uniform(0.85, 0.95),
        "builtin": w * rng.uniform(0.85, 1.05),
        "double": w * rng.uniform(1.7, 2.1),
        "toaster": w * rng.uniform(0.5, 0.65),
    }[style]
    d = w * rng.uniform(0.65, 0.9) if style == "toaster" else 0.6 * rng.uniform(0.85, 1.1)
    case, dark = enamel(rng), made_of(rng, "plastic", "metal", "paint")
    front, door_t = d / 2, d * rng.uniform(0.04, 0.08)
    panel_h = 0.1 * rng.uniform(0.8, 1.4) if style != "toaster" else 0.0
    knobs_material, bars = made_of(rng, "plastic", "metal"), made_of(rng, "metal", "plastic")
    low = -h / 2
    drawer_h = h * rng.uniform(0.14, 0.22) if style == "range" and chance(rng, 0.6) else h * 0.06
    bands = [(low + drawer_h, h / 2 - panel_h)]
    if style == "double":
        mid = (bands[0][0] + bands[0][1]) / 2 + h * rng.uniform(-0.05, 0.12)
        bands = [(bands[0][0], mid), (mid, bands[0][1])]
    dw, dx = (w * 0.74, -w * 0.125) if style == "toaster" else (w * 0.97, 0.0)
    opened = rng.uniform(0.5, 1.5) if chance(rng, 0.25) else 0.0
    a.add("body", shell(w, h, d, w * 0.03) if opened else box((w, h, d), bevel=w * 0.004), case)
    if opened and style == "toaster":
        a.add("body", box((w * 0.24, h * 0.95, d * 0.96), (w * 0.375, 0, 0)), case)
    for k, (y0, y1) in enumerate(bands):
        dh, cy = (y1 - y0) * 0.96, (y0 + y1) / 2
        at = np.array([dx, cy, front + door_t / 2])
        border = min(dw, dh) * rng.uniform(0.1, 0.24)
        top = max(border, dh * 0.2)
        door: Placed = [
            (
                "door",
                move(ring_frame(dw, dh, border, border, top, border, door_t, dh * 0.01), at),
                dark if chance(rng, 0.4) else case,
            )
        ]
        door.append(
            (
                "glass",
                box((dw - 2 * border, dh - border - top, door_t * 0.6), at + [0, (border - top) / 2, 0]),
                glass(rng),
            )
        )
        bar = grip(
            rng,
            dw * rng.uniform(0.55, 0.92),
            door_t * rng.uniform(0.8, 1.5),
            False,
            w * rng.uniform(0.012, 0.02),
        )
        door.append(("handle", move(bar, at + [0, dh / 2 - top * 0.45, door_t / 2]), bars))
        angle = opened if k == 0 else 0.0
        for piece in swing(door, "x", angle, (dx, cy - dh / 2, front)):
            a.add(*piece)
        if angle:
            for y in np.linspace(y0, y1, 4)[1:-1]:
                wires = [
                    cylinder(w * 0.004, d * 0.8, (dx + x * dw * 0.9, y, 0), 6, axis="z")
                    for x in np.linspace(-0.5, 0.5, 9)
                ]
                a.add(
                    "rack",
                    merge(
                        *wires,
                        *[cylinder(w * 0.006, dw * 0.95, (dx, y, z * d), 6, axis="x") for z in (-0.4, 0.4)],
                    ),
                    made_of(rng, "metal"),
                )
    if drawer_h > h * 0.1:
        a.add(
            "drawer",
            box(
                (w * 0.97, drawer_h * 0.85, door_t),
                (0, low + drawer_h * 0.55, front + door_t / 2),
                bevel=door_t * 0.1,
            ),
            case,
        )
        if chance(rng, 0.4):
            bar = grip(rng, w * 0.4, door_t * 0.7, False, w * 0.01)
            a.add("handle", move(bar, (0, low + drawer_h * 0.7, front + door_t)), bars)
    make = knob(rng, w * rng.uniform(0.022, 0.035) if style != "toaster" else w * 0.055)
    backguard = style == "range" and chance(rng, 0.45)
    if style == "toaster":
        x = w * 0.375
        a.add("control_panel", box((w * 0.22, h * 0.92, door_t * 0.5), (x, 0, front + door_t * 0.25)), dark)
        n = int(rng.integers(2, 5))
        for k in range(n):
            a.add("knob", make((x, h * 0.78 * ((k + 0.5) / n - 0.5), front + door_t * 0.5)), knobs_material)
    else:
        if backguard:
            tall = h * rng.uniform(0.12, 0.2)
            a.add(
                "control_panel",
                box((w, tall, d * 0.1), (0, h / 2 + tall / 2, -d * 0.45), bevel=d * 0.01),
                case,
            )
            y, z = h / 2 + tall * 0.55, -d * 0.4
            a.add(
                "body",
                box((w * 0.98, panel_h * 0.9, door_t * 0.5), (0, h / 2 - panel_h / 2, front + door_t * 0.2)),
                case,
            )
        else:
            a.add(
                "control_panel",
                box(
                    (w * 0.98, panel_h * 0.92, door_t),
                    (0, h / 2 - panel_h / 2, front + door_t / 2),
                    bevel=door_t * 0.1,
                ),
                dark if chance(rng, 0.5) else case,
            )
            y, z = h / 2 - panel_h / 2, front + door_t
        n = int(rng.choice([2, 4, 5, 6]))
        middle = chance(rng, 0.55)
        xs = (
            np.linspace(-0.42, 0.42, n)
            if not middle
            else np.array(
                [s * (0.2 + 0.2 * (k + 0.5) / (n / 2)) * 1.05 for s in (-1, 1) for k in range((n + 1) // 2)]
            )
        )
        for x in xs:
            a.add("knob", make((x * w, y, z)), knobs_material)
        if middle:
            a.add("display", box((w * 0.2, panel_h * 0.4, door_t * 0.15), (0, y, z)), screen(rng))
            for k in range(int(rng.integers(0, 4))):
                a.add(
                    "button",
                    box(
                        (w * 0.025, panel_h * 0.12, door_t * 0.2),
                        (w * (0.05 * k - 0.07), y - panel_h * 0.33, z),
                    ),
                    knobs_material,
                )
    if style == "range":
        top_t = h * 0.02
        a.add(
            "top",
            box((w * 1.01, top_t, d * 1.01), (0, h / 2 + top_t * 0.4, 0)),
            made_of(rng, "metal", "glass", "paint"),
        )
        _burners(rng, a, w, d, h / 2 + top_t * 0.9, backguard)
    if style in ("range", "toaster") and chance(rng, 0.6):
        feet(rng, a, w, d, low, h * 0.045)
    return a.pieces


def _burners(rng: np.random.Generator, a: Assembly, w: Scalar, d: Scalar, y: Scalar, backguard: bool) -> None:
    """Add the burners of a hob."""
    kind = pick(rng, ["gas", "coil", "glass", "plate"])
    metal = made_of(rng, "metal", "rubber")
    spots = [(sx * w * 0.24, sz * d * 0.21) for sx in (-1, 1) for sz in (-1, 1)]
    if w > 0.72:
        spots.append((0.0, 0.0))
    for x, z in spots:
        r = w * rng.uniform(0.075, 0.115)
        at = np.array([x, y, z + (d * 0.03 if backguard else 0)])
        if kind == "gas":
            crown = solid([(r * 0.45, 0), (r * 0.4, r * 0.15), (r * 0.25, r * 0.22)], 18)
            bar = merge(
                rod((r * 0.3, r * 0.3, 0), (r * 1.15, r * 0.3, 0), r * 0.05, sides=4),
                rod((r * 1.15, r * 0.32, 0), (r * 1.15, -r * 0.02, 0), r * 0.05, sides=4),
            )
            mesh = merge(crown, *[rotate(bar, "y", np.pi * (k + 0.5) / 2) for k in range(4)])
        elif kind == "coil":
            t = np.linspace(0, 6 * np.pi, 50)
            spiral = np.stack(
                [
                    r * (0.15 + 0.8 * t / t[-1]) * np.cos(t),
                    np.full(50, r * 0.12),
                    r * (0.15 + 0.8 * t / t[-1]) * np.sin(t),
                ],
                axis=1,
            )
            mesh = merge(
                tube(spiral, r * 0.055, segments=6),
                torus(r * 1.02, r * 0.07, (0, r * 0.04, 0), segments=24, sides=6),
            )
        elif kind == "plate":
            mesh = solid([(r, 0), (r, r * 0.12), (r * 0.9, r * 0.16)], 26)
        else:
            mesh = merge(
                cylinder(r, w * 0.004, (0, w * 0.001, 0), 28),
                torus(r, w * 0.004, (0, w * 0.002, 0), segments=28, sides=4),
            )
        a.add("burner", move(mesh, at), metal)


CATEGORIES = {"oven": oven}
