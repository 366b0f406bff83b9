"""Dials, hands and movements of clocks."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import Material, glass
from alignparts.corpus.procedural.mesh import Mesh, Scalar, move, rotate
from alignparts.corpus.procedural.toolkit import (
    box,
    curved_sheet,
    cylinder,
    extrude,
    lathe,
    torus,
)
from alignparts.corpus.procedural.vessels import made_of, section, spline


def hand(rng: np.random.Generator, style: str, length: Scalar, wide: Scalar, thick: Scalar) -> Mesh:
    """A clock hand in the x-y plane that points up from the origin."""
    w, n = wide / 2, length
    outlines = {
        "bar": [(-w, -0.12 * n), (w, -0.12 * n), (w, n), (-w, n)],
        "taper": [(-w, -0.15 * n), (w, -0.15 * n), (w * 0.25, n), (-w * 0.25, n)],
        "leaf": [(-w * 0.5, -0.1 * n), (w * 0.5, -0.1 * n), (w * 1.4, 0.5 * n), (0, n), (-w * 1.4, 0.5 * n)],
        "spade": [
            (-w * 0.4, -0.1 * n),
            (w * 0.4, -0.1 * n),
            (w * 0.4, 0.65 * n),
            (w * 2, 0.78 * n),
            (0, n),
            (-w * 2, 0.78 * n),
            (-w * 0.4, 0.65 * n),
        ],
    }
    return extrude(np.array(outlines[style]), thick)


def dial(
    rng: np.random.Generator, a: Assembly, r: Scalar, z: Scalar, plate: Mesh, half: Scalar = 1.0
) -> None:
    """Dial plate, marks and hands facing +z about (0, 0, z); `half` squeezes the marks of square dials."""
    paper = made_of(rng, "paint", "paint", "ceramic", "wood", "metal", "paper_or_label")
    a.add("face", plate, paper)
    ink = made_of(rng, "metal", "plastic", "paint")
    marks = pick(rng, ["ticks", "dots", "blocks", "none", "quarters"])
    count, step = (4, 3) if marks == "quarters" else (12, 1)
    if marks != "none":
        size = r * rng.uniform(0.04, 0.07)
        for k in range(count):
            t = k * step * np.pi / 6
            at = np.array([np.sin(t), np.cos(t), 0]) * r * 0.84 * half + [0, 0, z]
            if marks == "dots":
                mesh = move(cylinder(size * 0.6, r * 0.03, axis="z", segments=10), at)
            else:
                tall = size * (2.6 if k * step % 3 == 0 else 1.7) if marks != "blocks" else size * 1.8
                wide = size * (0.7 if marks != "blocks" else 1.3)
                mesh = move(rotate(box((wide, tall, r * 0.03)), "z", -t), at)
            a.add("number", mesh, ink)
    style = pick(rng, ["bar", "taper", "leaf", "spade"])
    hour, minute = rng.uniform(0, 2 * np.pi, 2)
    wide = r * rng.uniform(0.04, 0.09)
    steel = made_of(rng, "metal", "plastic", "paint")
    long = r * rng.uniform(0.68, 0.85) * half
    a.add(
        "hour_hand",
        move(rotate(hand(rng, style, long * 0.62, wide * 1.3, r * 0.018), "z", -hour), (0, 0, z + r * 0.04)),
        steel,
    )
    a.add(
        "minute_hand",
        move(rotate(hand(rng, style, long, wide, r * 0.018), "z", -minute), (0, 0, z + r * 0.06)),
        steel,
    )
    if chance(rng, 0.5):
        tick = move(
            rotate(hand(rng, "taper", long * 1.02, wide * 0.4, r * 0.012), "z", -rng.uniform(0, 6.28)),
            (0, 0, z + r * 0.08),
        )
        a.add("second_hand", tick, made_of(rng, "paint", "metal"))
    a.add("axis", cylinder(wide * rng.uniform(0.7, 1.1), r * 0.12, (0, 0, z + r * 0.05), 12, axis="z"), steel)


def round_movement(
    rng: np.random.Generator, a: Assembly, r: Scalar, depth: Scalar, material: Material
) -> None:
    """A round movement with its axis along z about the origin: rim, back, dial, maybe a glass."""
    rim = r * rng.uniform(0.06, 0.2)
    kind = pick(rng, ["round", "square", "step", "torus"])
    n = int(rng.choice([8, 12, 32, 40], p=[0.07, 0.06, 0.5, 0.37]))
    d = depth
    if kind == "torus":
        ring = torus(r - rim * 0.4, rim * 0.6, (0, 0, d * 0.3), axis="z", segments=n)
    else:
        rows = {
            "round": [(r - rim, 0), (r, 0), (r, d * 0.7), (r - rim * 0.5, d), (r - rim, d * 0.8)],
            "square": [(r - rim, 0), (r, 0), (r, d), (r - rim, d)],
            "step": [
                (r - rim, 0),
                (r * 1.02, 0),
                (r * 1.02, d * 0.35),
                (r - rim * 0.5, d * 0.5),
                (r - rim * 0.5, d),
                (r - rim, d),
            ],
        }
        ring = rotate(lathe(rows[kind], n, close=True), "x", np.pi / 2)
    a.add("frame", ring, material)
    back = d * 0.25
    if chance(rng, 0.5):
        a.add(
            "back",
            cylinder(r * 0.96, back, (0, 0, back * 0.45), n, axis="z"),
            made_of(rng, "plastic", "wood", "metal"),
        )
    z = back
    plate = cylinder(r - rim * 0.6, d * 0.12, (0, 0, z), n, axis="z")
    dial(rng, a, r - rim, z + d * 0.05, plate)
    if chance(rng, 0.2):
        bulge, wide = r * rng.uniform(0.16, 0.24), r - rim * 0.7
        dome = lathe(spline([(wide, 0), (wide * 0.8, bulge * 0.7), (0, bulge)], 7), n)
        a.add("glass", move(rotate(dome, "x", np.pi / 2), (0, 0, z + d * 0.05)), glass(rng))


def dial_plate(rng: np.random.Generator, r: Scalar, thick: Scalar) -> Mesh:
    """A dial plate facing +z: round, square or polygonal."""
    kind = pick(rng, ["round", "square", "polygon", "flower"])
    disc = cylinder(r, thick, segments=int(rng.integers(6, 13)) if kind == "polygon" else 48)
    if kind == "square":
        disc = section(disc, 8.0)
    elif kind == "flower":
        disc = section(disc, 2.0, int(rng.integers(6, 13)), 0.12)
    return rotate(disc, "x", np.pi / 2)


def flat_frame(outer: np.ndarray, inner: np.ndarray, depth: Scalar) -> Mesh:
    """A flat frame between two polygons of as many points, `depth` thick about z = 0."""
    rings = [
        np.column_stack([p, np.full(len(p), z)])
        for p, z in (
            (inner, -depth / 2),
            (outer, -depth / 2),
            (outer, depth / 2),
            (inner, depth / 2),
            (inner, -depth / 2),
        )
    ]
    return curved_sheet(np.stack([np.concatenate([q, q[:1]]) for q in rings])).flipped()
