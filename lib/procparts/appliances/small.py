"""Build toasters and staplers."""

import numpy as np

from procparts.appliances.appliance_parts import feet, knob
from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.mesh import Piece, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, extrude, rounded_box, tube
from procparts.kit.vessels import made_of, on_ground, slab


def toaster(rng: np.random.Generator) -> list[Piece]:
    """Build a round, square or retro toaster with one to four slots; its sliders are on an end, along x."""
    a = Assembly()
    w, h = rng.uniform(0.24, 0.36), rng.uniform(0.16, 0.22)
    slots = int(rng.choice([1, 2, 2, 2, 4]))
    d = {1: rng.uniform(0.1, 0.14), 2: rng.uniform(0.15, 0.2), 4: rng.uniform(0.24, 0.32)}[slots]
    case = made_of(rng, "metal", "metal", "plastic", "paint")
    trim = made_of(rng, "plastic", "metal", "rubber")
    shape = pick(rng, ["round", "arch", "box"])
    if shape == "arch":
        t = np.linspace(0, np.pi, 13)
        hump = np.stack([d / 2 * np.cos(t), h * 0.55 + h * 0.45 * np.sin(t) ** 0.7], axis=1)
        profile = np.concatenate([[(-d / 2, 0), (d / 2, 0)], hump])
        body = extrude(profile, w, axis="x")
    else:
        corner = min(h, d) * (rng.uniform(0.2, 0.42) if shape == "round" else rng.uniform(0.03, 0.1))
        body = rounded_box((w, h, d), corner, (0, h / 2, 0))
    a.add("body", body, case)
    flat_top = shape == "box" or chance(rng, 0.3)
    top = h
    if flat_top:
        a.add("top", slab(w * 0.86, d * 0.8, h * 0.03, d * 0.1, h * 0.985), trim)
        top = h * 1.013
    length, narrow = w * rng.uniform(0.62, 0.75), d * (0.12 if slots != 4 else 0.09)
    rows = {1: [0.0], 2: [-0.2, 0.2], 4: [-0.32, -0.12, 0.12, 0.32]}[slots]
    dark = made_of(rng, "rubber", "metal")
    for z in rows:
        curve = 0.0
        if shape == "arch":
            curve = h - (h * 0.55 + h * 0.45 * np.sqrt(max(1 - (2 * z) ** 2, 0)) ** 0.7)
        a.add("slot", box((length, h * 0.05, narrow), (0, top - curve - h * 0.016, z * d)), dark)
    pair = slots == 4
    for z in (-0.22, 0.22) if pair else (0.0,):
        y = h * rng.uniform(0.35, 0.75)
        slider = merge(
            box(
                (w * 0.06, h * 0.07, d * (0.2 if pair else 0.3)),
                (w / 2 + w * 0.025, y, z * d),
                bevel=w * 0.008,
            ),
            box((w * 0.012, h * 0.55, d * 0.035), (w / 2, h * 0.5, z * d)),
        )
        a.add("slider", slider, trim)
        if chance(rng, 0.7):
            make = knob(rng, h * rng.uniform(0.07, 0.11))
            dial = rotate(make((0, 0, 0)), "y", np.pi / 2)
            a.add(
                "knob",
                move(dial, (w / 2 - w * 0.003, h * 0.22, z * d + d * (0.13 if not pair else 0.1))),
                trim,
            )
        for k in range(int(rng.integers(0, 4))):
            a.add(
                "button",
                cylinder(
                    h * 0.04,
                    w * 0.03,
                    (w / 2 + w * 0.005, h * (0.2 + 0.13 * k), z * d - d * 0.16),
                    12,
                    axis="x",
                ),
                trim,
            )
    plinth = chance(rng, 0.4)
    if plinth:
        a.add("bottom", slab(w * 0.98, d * 0.95, h * 0.07, d * 0.15, -h * 0.04), trim)
    if chance(rng, 0.6):
        inset = 0.9 if plinth or shape != "round" else 0.55
        feet(rng, a, w * inset, d * inset, -h * 0.02 if plinth else h * 0.015, h * 0.07)
    if chance(rng, 0.25):
        mesh, _, _ = on_ground(rng, (-w * 0.45, h * 0.15, -d * 0.4), w * 0.9, w * 0.012)
        a.add("cord", mesh, made_of(rng, "rubber"))
    return a.pieces


def stapler(rng: np.random.Generator) -> list[Piece]:
    """Build a desk, long-arm or plier stapler, more or less open; the mouth is towards +x."""
    a = Assembly()
    length = 0.14 * rng.uniform(0.7, 1.4)
    wide = length * rng.uniform(0.16, 0.26)
    h = length * rng.uniform(0.07, 0.12)
    color, metal = made_of(rng, "plastic", "plastic", "metal", "paint"), made_of(rng, "metal")
    base_color = color if chance(rng, 0.6) else made_of(rng, "plastic", "rubber", "metal")
    base_t = length * rng.uniform(0.03, 0.07)
    base = slab(length, wide * rng.uniform(1.0, 1.3), base_t, wide * rng.uniform(0.1, 0.5))
    a.add("base", base, base_color)
    if chance(rng, 0.8):
        a.add("anvil", box((wide * 0.5, base_t * 0.3, wide * 0.6), (length * 0.4, base_t * 1.05, 0)), metal)
    pivot = np.array([-length * 0.4, base_t + h * 0.55, 0.0])
    a.add(
        "hinge",
        merge(
            *[
                box((length * 0.12, h * 1.3, wide * 0.07), (pivot[0], base_t + h * 0.5, s * wide * 0.36))
                for s in (-1, 1)
            ],
            cylinder(h * 0.16, wide * 0.85, pivot, 10, axis="z"),
        ),
        metal,
    )
    opening = rng.uniform(0.06, 0.16) if chance(rng, 0.75) else rng.uniform(0.4, 1.6)
    lifted = opening + (rng.uniform(0.02, 0.2) if chance(rng, 0.6) else 0.02)
    reach = length * rng.uniform(0.84, 0.92)
    magazine = box((reach, h * 0.5, wide * 0.5), (reach / 2 - length * 0.08, 0, 0))
    a.add("magazine", move(rotate(magazine, "z", opening), pivot), metal)
    style = pick(rng, ["round", "flat", "humped"])
    x = np.linspace(-0.1, 0.94, 12) * length
    s = np.linspace(0, 1, 12)
    rise = {"round": 0.9 + 0.5 * np.sin(np.pi * s), "flat": np.full(12, 1.1), "humped": 0.8 + 0.9 * s**2}[
        style
    ] * h
    lid_shape = np.concatenate(
        [np.stack([x, np.full(12, h * 0.2)], axis=1), np.stack([x[::-1], h * 0.2 + rise[::-1]], axis=1)]
    )
    lid = extrude(lid_shape, wide * rng.uniform(0.62, 0.9))
    a.add("lid", move(rotate(lid, "z", lifted), pivot), color)
    if chance(rng, 0.45):
        pad = slab(length * 0.4, wide * 0.6, h * 0.15, wide * 0.2)
        top = float(np.interp(0.55, s, rise)) + h * 0.15
        a.add(
            "lid",
            move(rotate(move(pad, (length * 0.5, top, 0)), "z", lifted), pivot),
            made_of(rng, "rubber", "plastic"),
        )
    if chance(rng, 0.6):
        striker = box((length * 0.03, h * 0.75, wide * 0.45), (length * 0.9, h * 0.05, 0))
        a.add("hammer", move(rotate(striker, "z", lifted), pivot), metal)
    if chance(rng, 0.4) and opening > 0.1:
        t = np.linspace(0, 8 * np.pi, 60)
        near = length * 0.22
        low = np.array([pivot[0] + near, base_t, 0])
        high = pivot + near * np.array([np.cos(opening), np.sin(opening), 0])
        axis = low + (high - low) * (t / t[-1])[:, None]
        coil = axis + wide * 0.12 * np.stack([np.cos(t), np.zeros(60), np.sin(t)], axis=1)
        a.add("spring", tube(coil, wide * 0.02, segments=4), metal)
    return a.pieces


CATEGORIES = {"toaster": toaster, "stapler": stapler}
