"""Pendulum clocks."""

import numpy as np

from alignparts.corpus.procedural.clock_parts import dial
from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import glass
from alignparts.corpus.procedural.mesh import merge, move, rotate
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    extrude,
    rod,
    sphere,
    torus,
)
from alignparts.corpus.procedural.vessels import chain, made_of


def pendulum(rng: np.random.Generator, a: Assembly) -> None:
    """Grandfather and hanging pendulum clocks."""
    floor = chance(rng, 0.55)
    w = rng.uniform(0.35, 0.5) if floor else rng.uniform(0.22, 0.35)
    h, d = (
        (rng.uniform(1.5, 2.1), w * rng.uniform(0.45, 0.7))
        if floor
        else (w * rng.uniform(1.6, 2.6), w * rng.uniform(0.3, 0.5))
    )
    wood = made_of(rng, "wood", "wood", "paint", "metal")
    hood = w * (1.15 if floor else 1.0)
    hood_h = hood * rng.uniform(0.95, 1.15)
    low = h * rng.uniform(0.14, 0.22) if floor else h * 0.06
    t, trunk = w * 0.06, w * rng.uniform(0.75, 1.0)
    tall = h - hood_h - low
    y = low + tall / 2
    walls = [box((t, tall, d), (s * (trunk - t) / 2, y, 0)) for s in (-1, 1)]
    a.add("case", merge(box((trunk, tall, t), (0, y, -d / 2 + t / 2)), *walls), wood)
    a.add("case", box((hood, hood_h, d * 1.1), (0, h - hood_h / 2, 0)), wood)
    if floor:
        a.add("base", box((hood, low, d * 1.1), (0, low / 2, 0)), wood)
        if chance(rng, 0.5):
            for x in (-0.42, 0.42):
                for z in (-0.4, 0.4):
                    a.add("foot", sphere(w * 0.06, (x * hood, -w * 0.03, z * d), segments=8), wood)
    else:
        a.add(
            "base",
            merge(
                box((trunk * 1.1, low * 0.5, d * 1.1), (0, low * 0.75, 0)),
                rotate(cylinder(w * 0.3, low, (0, 0, 0), 4, top_radius=w * 0.55), "y", np.pi / 4),
            ),
            wood,
        )
    kind = pick(rng, ["gable", "arch", "flat", "scroll"])
    top = hood * 0.3
    shapes = {
        "gable": np.array([(-hood * 0.6, 0), (hood * 0.6, 0), (0, top)]),
        "arch": np.stack(
            [hood * 0.55 * np.cos(np.linspace(0, np.pi, 15)), top * np.sin(np.linspace(0, np.pi, 15))], axis=1
        ),
        "flat": np.array(
            [(-hood * 0.58, 0), (hood * 0.58, 0), (hood * 0.54, top * 0.3), (-hood * 0.54, top * 0.3)]
        ),
        "scroll": np.array(
            [
                (-hood * 0.55, 0),
                (hood * 0.55, 0),
                (hood * 0.5, top * 0.4),
                (hood * 0.15, top),
                (0, top * 0.35),
                (-hood * 0.15, top),
                (-hood * 0.5, top * 0.4),
            ]
        ),
    }
    a.add("top", extrude(shapes[kind], d * 1.15, center=(0, h - 0.002, 0)), wood)
    r = hood * rng.uniform(0.36, 0.43)
    start = len(a.pieces)
    a.add(
        "frame",
        torus(r, r * 0.07, (0, 0, d * 0.56), "z", segments=32, sides=8),
        made_of(rng, "metal", "wood"),
    )
    dial(rng, a, r, d * 0.575, cylinder(r, d * 0.06, (0, 0, d * 0.55), 32, axis="z"))
    for p in a.pieces[start:]:
        p.mesh = move(p.mesh, (0, h - hood_h / 2, 0))
    brass = made_of(rng, "metal")
    bottom, swing = low + tall * rng.uniform(0.2, 0.35), rng.uniform(-0.08, 0.08)
    bob = w * rng.uniform(0.1, 0.17)
    hang = np.array([0, h - hood_h, 0])
    arm = merge(rod(hang, (0, bottom, 0), w * 0.012), cylinder(bob, w * 0.06, (0, bottom, 0), 22, axis="z"))
    a.add("pendulum", rotate(arm, "z", swing, hang), brass)
    if chance(rng, 0.5):
        for s in (-1, 1):
            x, low_w = s * trunk * 0.27, bottom + tall * rng.uniform(0.1, 0.3)
            a.add("weight", cylinder(w * 0.05, tall * 0.17, (x, low_w, 0), 14), brass)
            a.add("chain", chain((x, low_w + tall * 0.08, 0), (x, h - hood_h + 0.01, 0), w * 0.05), brass)
    if chance(rng, 0.35):
        a.add("door", box((trunk * 0.94, tall * 0.97, t * 0.3), (0, y, d / 2)), glass(rng))
