"""Fans."""

import numpy as np

from alignparts.corpus.procedural.fan_parts import blade, caged_head
from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick
from alignparts.corpus.procedural.lamp_parts import bulb, foot_disc, glow
from alignparts.corpus.procedural.materials import glass
from alignparts.corpus.procedural.mesh import Mesh, Piece, Scalar, merge, move, rotate
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    rod,
    sphere,
    torus,
)
from alignparts.corpus.procedural.vessels import (
    around,
    made_of,
    polar,
    ring_frame,
    section,
    slab,
    solid,
    spline,
)


def _ceiling(rng: np.random.Generator, a: Assembly) -> None:
    r, n = rng.uniform(0.45, 0.7), int(rng.choice([3, 4, 5, 5, 6]))
    motor_r, motor_h = r * rng.uniform(0.14, 0.22), r * rng.uniform(0.12, 0.25)
    metal, blades = (
        made_of(rng, "metal", "paint", "plastic"),
        made_of(rng, "wood", "plastic", "paint", "metal"),
    )
    drop = r * rng.uniform(0.05, 0.6)
    rows = spline(
        [(motor_r * 0.7, 0), (motor_r, motor_h * 0.3), (motor_r, motor_h * 0.7), (motor_r * 0.4, motor_h)], 10
    )
    a.add("motor", solid(rows, 26), metal)
    a.add("rod", cylinder(r * 0.025, drop + motor_h * 0.2, (0, motor_h + drop / 2, 0), 12), metal)
    if chance(rng, 0.5):
        a.add(
            "rod_connector", solid([(r * 0.06, motor_h * 0.95), (r * 0.045, motor_h + r * 0.06)], 14), metal
        )
    top = motor_h + drop
    a.add(
        "mount",
        solid(
            spline([(r * 0.04, top - r * 0.06), (r * 0.12, top + r * 0.0), (r * 0.13, top + r * 0.06)], 7), 22
        ),
        metal,
    )
    wide = r * rng.uniform(0.16, 0.3)
    one = rotate(blade(rng, pick(rng, ["paddle", "paddle", "leaf", "petal"]), 1.0, wide / r), "x", -np.pi / 2)
    start = motor_r * 1.35
    one = Mesh(one.vertices * [r - start, r * 0.8, r], one.faces, one.uv * r)
    bracket = rod((motor_r * 0.8, 0, 0), (start + (r - start) * 0.3, 0, 0), r * 0.02, r * 0.03, 6)
    bracket = Mesh(bracket.vertices * [1, 0.5, 1.6], bracket.faces, bracket.uv)
    with_bracket = chance(rng, 0.75)
    if not with_bracket:
        one = merge(one, move(bracket, (-(start - (r - start) * 0.12), -r * 0.006, 0)))
    y = motor_h * rng.uniform(0.1, 0.4)
    seat = start + (r - start) * 0.22
    for k in range(n):
        t = 2 * np.pi * k / n
        a.add("blade", rotate(move(one, (start - (r - start) * 0.12, y + r * 0.006, 0)), "y", t), blades)
        if with_bracket:
            a.add("blade_bracket", rotate(move(bracket, (0, y, 0)), "y", t), metal)
            if chance(rng, 0.4):
                a.add(
                    "screw",
                    move(sphere(r * 0.012, squash=(1, 0.5, 1), segments=8), polar(seat, -t, y + r * 0.012)),
                    made_of(rng, "metal"),
                )
    if chance(rng, 0.5):
        if chance(rng, 0.6):
            a.add(
                "light",
                move(
                    sphere(motor_r * 0.8, (0, 0, 0), (1, rng.uniform(0.4, 0.9), 1), 20),
                    (0, -motor_r * 0.1, 0),
                ),
                made_of(rng, "glass", "paint"),
            )
        else:
            a.add("light", cylinder(motor_r * 0.5, motor_h * 0.4, (0, -motor_h * 0.12, 0), 18), metal)
            for t in np.arange(3) * 2.1:
                cup = solid(
                    spline(
                        [
                            (motor_r * 0.12, 0),
                            (motor_r * 0.4, -motor_r * 0.3),
                            (motor_r * 0.5, -motor_r * 0.7),
                        ][::-1],
                        6,
                    ),
                    14,
                )
                a.add("light", move(cup, polar(motor_r * 0.75, t, -motor_h * 0.2)), glass(rng))
                a.add(
                    "light",
                    move(
                        rotate(bulb(rng, motor_r * 0.16), "x", np.pi),
                        polar(motor_r * 0.75, t, -motor_h * 0.7),
                    ),
                    glow(rng),
                )
                a.add(
                    "light",
                    rod((0, -motor_h * 0.15, 0), polar(motor_r * 0.75, t, -motor_h * 0.25), motor_r * 0.06),
                    metal,
                )


def _standing(rng: np.random.Generator, a: Assembly, tall: Scalar) -> None:
    r = rng.uniform(0.18, 0.26)
    metal = made_of(rng, "plastic", "metal", "paint")
    center = np.array([0, tall * 1.0 + r * 0.0, 0])
    caged = chance(rng, 0.88)
    tilt = rng.uniform(-0.35, 0.1)
    caged_head(rng, a, r, center, tilt, caged, metal)
    z = -r * 0.42
    if tall < 0.35 and chance(rng, 0.4):
        hoop = bent(
            [(-r * 1.07, tall, 0), (-r * 1.07, 0.02, 0), (r * 1.07, 0.02, 0), (r * 1.07, tall, 0)],
            r * 0.035,
            r * 0.5,
            8,
        )
        a.add("pole", hoop, metal)
        a.add(
            "base",
            merge(
                *[
                    rod((s * r * 0.7, 0.015, -r * 0.7), (s * r * 0.7, 0.015, r * 0.7), r * 0.04)
                    for s in (-1, 1)
                ]
            ),
            metal,
        )
        return
    a.add("pole", rod((0, 0.02, z), (0, tall, z), r * 0.09, r * 0.06), metal)
    kind = pick(rng, ["disc", "cross", "tripod", "slab"])
    if kind in ("disc", "slab"):
        base = (
            foot_disc(rng, r * rng.uniform(0.75, 1.0), r * 0.15)
            if kind == "disc"
            else slab(r * 1.4, r * 1.5, r * 0.2, r * 0.3)
        )
        a.add("base", move(base, (0, 0, z * 0.8)), metal)
        if chance(rng, 0.5):
            m = int(rng.integers(2, 6))
            for k in range(m):
                a.add(
                    "button",
                    box(
                        (r * 0.1, r * 0.06, r * 0.08),
                        ((k - (m - 1) / 2) * r * 0.15, r * 0.14, z * 0.8 + r * 0.5),
                    ),
                    made_of(rng, "plastic"),
                )
            a.add("base", box((m * r * 0.17, r * 0.13, r * 0.16), (0, r * 0.075, z * 0.8 + r * 0.5)), metal)
    else:
        m = 4 if kind == "cross" else 3
        legs = around(
            m,
            lambda t: rod((0, r * (0.05 if m == 4 else 0.5), 0), polar(r * 1.05, t, r * 0.03), r * 0.06),
            np.pi / 4,
        )
        a.add("base", move(merge(*legs, cylinder(r * 0.12, r * 0.2, (0, r * 0.1, 0), 14)), (0, 0, z)), metal)
    if chance(rng, 0.4):
        a.add(
            "rod_connector",
            cylinder(r * 0.11, r * 0.2, (0, tall * 0.55, z), 14),
            made_of(rng, "plastic", "metal"),
        )


def _tower(rng: np.random.Generator, a: Assembly) -> None:
    h, w = rng.uniform(0.6, 1.0), rng.uniform(0.12, 0.2)
    case = made_of(rng, "plastic", "metal")
    boxy = chance(rng, 0.4)
    body = (
        box((w, h, w * 0.9), (0, h / 2 + 0.03, 0), bevel=w * 0.1)
        if boxy
        else section(cylinder(w / 2, h, (0, h / 2 + 0.03, 0), 32), rng.uniform(2, 4))
    )
    a.add("body", body, case)
    bars = [
        box((w * 0.75, h * 0.006, w * 0.04), (0, y, w * 0.46)) for y in np.linspace(h * 0.15, h * 0.85, 22)
    ]
    frame = move(
        ring_frame(w * 0.8, h * 0.76, w * 0.05, w * 0.05, w * 0.05, w * 0.05, w * 0.05, w * 0.05),
        (0, h * 0.5, w * 0.46),
    )
    a.add("cage", merge(frame, *bars), made_of(rng, "plastic", "metal"))
    for k in range(int(rng.integers(2, 5))):
        a.add(
            "button",
            cylinder(w * 0.05, 0.012, (w * (0.16 * k - 0.24), h + 0.032, w * 0.15), 12),
            made_of(rng, "plastic", "rubber"),
        )
    a.add("base", foot_disc(rng, w * rng.uniform(0.75, 1.1), 0.04), case)


def _boxfan(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.18, 0.28)
    case = made_of(rng, "plastic", "metal", "paint")
    d = r * rng.uniform(0.45, 0.7)
    a.add("body", ring_frame(r * 2.3, r * 2.3, r * 0.1, r * 0.1, r * 0.1, r * 0.1, d, r * 0.3), case)
    n = int(rng.integers(3, 6))
    blade_material = made_of(rng, "plastic", "metal")
    one = blade(rng, "petal", r * 0.9, r * 2.0 / n)
    for k in range(n):
        a.add("blade", rotate(one, "z", 2 * np.pi * k / n), blade_material)
    a.add("hub", cylinder(r * 0.2, d * 0.6, (0, 0, 0), 20, axis="z"), blade_material)
    for z in (-1, 1):
        rings = [
            torus(r * q, r * 0.012, (0, 0, z * d * 0.48), "z", segments=28, sides=4)
            for q in np.linspace(0.2, 1.06, 8)
        ]
        spokes = [
            rotate(box((r * 2.15, r * 0.03, r * 0.03), (0, 0, z * d * 0.48)), "z", t)
            for t in (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
        ]
        a.add("cage", merge(*rings, *spokes), made_of(rng, "plastic", "metal"))
    a.add("motor", cylinder(r * 0.24, d * 0.3, (0, 0, -d * 0.35), 20, axis="z"), case)
    for s in (-1, 1):
        a.add("base", box((r * 0.2, r * 0.12, d * 1.8), (s * r * 0.8, -r * 1.18, 0), bevel=r * 0.02), case)
    if chance(rng, 0.5):
        a.add("button", cylinder(r * 0.08, r * 0.12, (r * 0.95, r * 1.17, 0), 14), made_of(rng, "plastic"))


def fan(rng: np.random.Generator) -> list[Piece]:
    """Ceiling, desk, pedestal, floor, tower and box fans; heads blow towards +z."""
    a = Assembly()
    style = pick(rng, ["ceiling", "desk", "pedestal", "tower", "box"], [4, 2, 3, 0.8, 0.8])
    if style == "ceiling":
        _ceiling(rng, a)
    elif style == "tower":
        _tower(rng, a)
    elif style == "box":
        _boxfan(rng, a)
    else:
        _standing(rng, a, rng.uniform(0.28, 0.45) if style == "desk" else rng.uniform(0.8, 1.25))
    return a.pieces


CATEGORIES = {"fan": fan}
