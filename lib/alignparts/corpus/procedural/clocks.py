# ruff: noqa: RUF005
"""Clocks: wall, table, alarm, mantel, digital and pendulum."""

import numpy as np

from alignparts.corpus.procedural.clock_parts import dial, dial_plate, flat_frame, hand, round_movement
from alignparts.corpus.procedural.clock_pendulum import pendulum
from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick
from alignparts.corpus.procedural.materials import screen
from alignparts.corpus.procedural.mesh import Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    extrude,
    outline,
    rod,
    rounded_box,
    sphere,
    torus,
    tube,
)
from alignparts.corpus.procedural.vessels import around, made_of, polar, solid, spline


def _wall(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.12, 0.22)
    depth = r * rng.uniform(0.15, 0.35)
    material = made_of(rng, "wood", "metal", "plastic", "paint")
    style = pick(rng, ["round", "round", "square", "sun", "bare"])
    if style == "square":
        w, h = r * rng.uniform(0.85, 1.0), r * rng.uniform(0.85, 1.0)
        t = r * rng.uniform(0.08, 0.18)
        corner = r * rng.choice([0.03, 0.3])
        outer, inner = outline(2 * w, 2 * h, corner), outline(2 * (w - t), 2 * (h - t), corner * 0.7)
        a.add("frame", flat_frame(outer, inner, depth), material)
        plate = extrude(
            outline(2 * (w - t * 0.6), 2 * (h - t * 0.6), corner * 0.7),
            depth * 0.2,
            center=(0, 0, -depth * 0.25),
        )
        dial(rng, a, min(w, h) - t, -depth * 0.14, plate)
    elif style == "bare":
        a.add("back", cylinder(r * 0.2, depth, (0, 0, -depth * 0.5), 16, axis="z"), material)
        dial(rng, a, r, 0.0, dial_plate(rng, r, depth * 0.15))
    else:
        round_movement(rng, a, r, depth, material)
        if style == "sun":
            n = int(rng.choice([12, 16, 24]))
            rays = [
                rotate(
                    move(
                        hand(rng, "taper", r * rng.uniform(0.5, 0.8), r * 0.1, depth * 0.3),
                        (0, r * 0.95, depth * 0.3),
                    ),
                    "z",
                    2 * np.pi * k / n,
                )
                for k in range(n)
            ]
            a.pieces[0] = Piece("frame", merge(a.pieces[0].mesh, *rays), material)
    if chance(rng, 0.3):
        top = max(float(p.mesh.bounds()[1, 1]) for p in a.pieces if p.part in ("frame", "back", "face"))
        a.add(
            "hanger",
            torus(r * 0.08, r * 0.018, (0, top + r * 0.05, 0), "z", segments=14, sides=6),
            made_of(rng, "metal"),
        )


def _alarm(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.045, 0.065)
    depth = r * rng.uniform(0.6, 1.0)
    material = made_of(rng, "metal", "paint", "plastic")
    round_movement(rng, a, r, depth, material)
    a.add("back", cylinder(r * 0.97, depth * 0.4, (0, 0, depth * 0.1), 28, axis="z"), material)
    trim = made_of(rng, "metal", "paint")
    for s in (-1, 1):
        foot = np.array([s * 0.62, -1.25, 0]) * r + [0, 0, depth * 0.4]
        a.add(
            "foot",
            merge(
                rod(np.array([s * 0.5, -0.8, 0]) * r + [0, 0, depth * 0.4], foot, r * 0.07),
                sphere(r * 0.1, foot, segments=8),
            ),
            trim,
        )
    if chance(rng, 0.75):
        for s in (-1, 1):
            axis = np.array([s * 0.55, 0.85, 0])
            stem, at = axis * r * 0.9, axis * r * 1.22
            a.add(
                "alarm_connector", rod(stem + [0, 0, depth * 0.4], at + [0, 0, depth * 0.4], r * 0.05), trim
            )
            bell = solid(spline([(r * 0.42, 0), (r * 0.36, r * 0.2), (r * 0.05, r * 0.34)], 8), 18)
            a.add("alarm_bell", move(rotate(bell, "z", -s * 0.57), at + [0, 0, depth * 0.4]), trim)
        if chance(rng, 0.7):
            grip = bent(
                [
                    (-r * 0.6, r * 1.3, 0),
                    (-r * 0.5, r * 1.95, 0),
                    (r * 0.5, r * 1.95, 0),
                    (r * 0.6, r * 1.3, 0),
                ],
                r * 0.05,
                r * 0.4,
                8,
            )
            a.add("hanger", move(grip, (0, 0, depth * 0.4)), trim)
    else:
        a.add(
            "button",
            cylinder(r * 0.25, r * 0.25, (0, r * 1.02, depth * 0.4), 14),
            made_of(rng, "plastic", "metal"),
        )


def _mantel(rng: np.random.Generator, a: Assembly) -> None:
    w, h, d = rng.uniform(0.1, 0.22), rng.uniform(0.16, 0.28), rng.uniform(0.05, 0.09)
    wood = made_of(rng, "wood", "wood", "stone", "metal", "ceramic")
    kind = pick(rng, ["arch", "gable", "box", "tambour"])
    r = min(w, h) * 0.42
    if kind == "tambour":
        x = np.linspace(-1, 1, 21)
        y = h * (0.25 + 0.75 * np.exp(-((x / 0.45) ** 2)))
        shape = np.concatenate([[(-w * 1.6, 0)], np.stack([x * w * 1.6, y], axis=1), [(w * 1.6, 0)]])
        r, cy = min(w * 0.6, h * 0.33), h * 0.58
    elif kind == "gable":
        shape, cy = np.array([(-w / 2, 0), (w / 2, 0), (w / 2, h * 0.7), (0, h), (-w / 2, h * 0.7)]), h * 0.45
        r = min(r, w * 0.42)
    elif kind == "arch":
        t = np.linspace(0, np.pi, 15)
        shape = np.concatenate(
            [[(-w / 2, 0), (w / 2, 0)], np.stack([w / 2 * np.cos(t), h * 0.65 + w / 2 * np.sin(t)], axis=1)]
        )
        cy = h * 0.6
    else:
        shape, cy = outline(w, h, w * rng.uniform(0.02, 0.2)) + [0, h / 2], h * 0.5
    a.add("frame", extrude(shape, d), wood)
    plate = cylinder(r, d * 0.1, (0, 0, d * 0.52), 32, axis="z")
    start = len(a.pieces)
    dial(rng, a, r, d * 0.57, plate)
    for p in a.pieces[start:]:
        p.mesh = move(p.mesh, (0, cy, 0))
    if chance(rng, 0.6):
        wide = float(np.ptp(shape[:, 0]))
        a.add("base", box((wide * 1.08, h * 0.07, d * 1.3), (0, -h * 0.03, 0), bevel=h * 0.01), wood)
    else:
        wide = float(np.ptp(shape[:, 0])) * 0.42
        for side in (-wide, wide):
            for z in (-d * 0.35, d * 0.35):
                a.add(
                    "foot", sphere(h * 0.04, (side, -h * 0.02, z), segments=8), made_of(rng, "metal", "wood")
                )


def _digital(rng: np.random.Generator, a: Assembly) -> None:
    w, h, d = rng.uniform(0.12, 0.25), rng.uniform(0.05, 0.1), rng.uniform(0.03, 0.08)
    material = made_of(rng, "plastic", "wood", "metal")
    kind = pick(rng, ["box", "wedge", "round"])
    if kind == "wedge":
        side = np.array([(-d, 0), (d * 0.7, 0), (d * 0.45, h), (-d * 0.4, h)])
        a.add("frame", extrude(side, w, axis="x"), material)
        tilt, z = np.arctan2(d * 0.25, h), d * 0.575
    else:
        a.add(
            "frame", rounded_box((w, h, d), h * (0.45 if kind == "round" else 0.06), (0, h / 2, 0)), material
        )
        tilt, z = 0.0, d * 0.5
    face = box((w * rng.uniform(0.7, 0.9), h * rng.uniform(0.55, 0.75), d * 0.05))
    a.add("screen", move(rotate(face, "x", -tilt), (0, h / 2, z)), screen(rng))
    n = int(rng.integers(1, 6))
    for k in range(n):
        a.add(
            "button",
            box((w * 0.08, h * 0.06, d * 0.2), (w * 0.13 * (k - (n - 1) / 2), h * 1.01, 0), bevel=h * 0.01),
            made_of(rng, "plastic", "rubber"),
        )
    if chance(rng, 0.5):
        for x in (-w * 0.4, w * 0.4):
            a.add("foot", box((w * 0.06, h * 0.08, d * 0.7), (x, -h * 0.03, 0)), made_of(rng, "rubber"))


def _standing(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.05, 0.12)
    depth = r * rng.uniform(0.25, 0.7)
    material = made_of(rng, "metal", "plastic", "wood", "paint")
    round_movement(rng, a, r, depth, material)
    kind = pick(rng, ["pillar", "cradle", "legs", "block"])
    trim = material if chance(rng, 0.5) else made_of(rng, "metal", "wood", "stone")
    if kind == "legs":
        for mesh in around(
            3,
            lambda t: rod(
                (0, -r * 0.9, depth * 0.4), polar(r * 0.7, t, -r * 1.6) + [0, 0, depth * 0.4], r * 0.05
            ),
            0.5,
        ):
            a.add("foot", mesh, trim)
    elif kind == "pillar":
        tall = r * rng.uniform(0.3, 2.0)
        post = merge(
            rod((0, -r * 0.93, depth * 0.4), (0, -r - tall, depth * 0.4), r * 0.1),
            move(
                solid(spline([(r * 0.7, 0), (r * 0.6, r * 0.12), (r * 0.12, r * 0.25)], 8), 24),
                (0, -r - tall - r * 0.05, depth * 0.4),
            ),
        )
        a.add("base", post, trim)
    elif kind == "cradle":
        below = np.pi + np.pi * np.linspace(0.05, 0.95, 15)
        bow = tube(
            r * 1.05 * np.stack([np.cos(below), np.sin(below), np.zeros(15)], axis=1), r * 0.07, segments=8
        )
        plate = box((r * 1.2, r * 0.12, depth * 1.5), (0, -r * 1.1, 0))
        a.add("base", move(merge(bow, plate), (0, 0, depth * 0.4)), trim)
    else:
        a.add(
            "base", box((r * 1.7, r * 0.35, depth * 1.8), (0, -r * 1.05, depth * 0.4), bevel=r * 0.03), trim
        )


_STYLES = {
    "wall": _wall,
    "alarm": _alarm,
    "mantel": _mantel,
    "digital": _digital,
    "pendulum": pendulum,
    "standing": _standing,
}


def clock(rng: np.random.Generator) -> list[Piece]:
    """Wall, alarm, mantel, digital, pendulum and standing clocks; the dial faces +z."""
    a = Assembly()
    _STYLES[pick(rng, list(_STYLES), [3, 1.5, 1.5, 1, 2, 1.5])](rng, a)
    return a.pieces


CATEGORIES = {"clock": clock}
