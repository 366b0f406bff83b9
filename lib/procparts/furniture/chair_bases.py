# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build the bases of chairs: legs, star bases, sleds, pedestals, rockers."""

from dataclasses import dataclass

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import (
    Assembly,
    bar_maker,
    bent,
    caster,
    chance,
    hard,
    leg_maker,
    pick,
    smooth,
    soft,
)
from procparts.kit.materials import Material
from procparts.kit.mesh import Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import arc, box, cylinder, lathe, rod, torus, tube


@dataclass
class Frame:
    """Hold a chair's sizes in meters (width, depth, seat thickness, seat and back height) and materials."""

    w: float
    d: float
    t: float
    h: float
    back: float
    main: Material
    frame: Material
    soft: Material
    metal: Material
    base: str = "legs"
    round: bool = False
    wheeled: bool = False

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Frame":
        """Draw random sizes and materials."""
        main = hard(rng)
        return cls(
            w=rng.uniform(0.36, 0.6),
            d=rng.uniform(0.36, 0.54),
            t=rng.uniform(0.015, 0.05),
            h=rng.uniform(0.4, 0.5),
            back=rng.uniform(0.28, 0.65),
            main=main,
            frame=main if chance(rng, 0.6) else hard(rng),
            soft=soft(rng),
            metal=materials.metal(rng),
        )


def _corners(rng: np.random.Generator, f: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return bottoms and tops (4, 3) of four legs: front right, front left, rear left, rear right."""
    splay = rng.choice([0.0, rng.uniform(0.02, 0.1)])
    inset = 0.62 if f.round else rng.uniform(0.8, 0.95)
    sign = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)
    tops = np.stack(
        [sign[:, 0] * f.w / 2 * inset, np.full(4, f.h - f.t * 0.7), sign[:, 1] * f.d / 2 * inset], axis=1
    )
    feet = tops + np.stack([sign[:, 0] * splay, -tops[:, 1], sign[:, 1] * splay], axis=1)
    return feet, tops


def _stretch(
    rng: np.random.Generator, a: Assembly, feet: np.ndarray, tops: np.ndarray, material: Material
) -> None:
    """Add stretchers between the legs: all round, an H, side pairs or an X."""
    bar = bar_maker(rng, rng.uniform(0.012, 0.028))

    def on(k: int, t: Scalar) -> np.ndarray:
        return feet[k] + (tops[k] - feet[k]) * t

    kind = pick(rng, ["round", "h", "sides", "x", "ladder"], [2, 2, 1, 0.7, 0.6])
    t = rng.uniform(0.15, 0.55)
    if kind == "x":
        a.add("stretcher", bar(on(0, t), on(2, t)), material)
        a.add("stretcher", bar(on(1, t), on(3, t)), material)
        return
    rise = rng.choice([0.0, 0.08])
    for p, q in ((0, 3), (1, 2)):
        a.add("stretcher", bar(on(p, t), on(q, t)), material)
        if kind == "ladder":
            a.add("stretcher", bar(on(p, t + 0.2), on(q, t + 0.2)), material)
    if kind == "h":
        a.add("stretcher", bar((on(0, t) + on(3, t)) / 2, (on(1, t) + on(2, t)) / 2), material)
    elif kind == "round":
        for p, q in ((0, 1), (3, 2)):
            a.add("stretcher", bar(on(p, t + rise), on(q, t + rise)), material)


def legs(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add four legs (three under some round seats), straight or splayed, with or without stretchers."""
    a = Assembly()
    maker = leg_maker(rng, rng.uniform(0.025, 0.06))
    feet, tops = _corners(rng, f)
    if f.round and chance(rng, 0.3):
        turn = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
        ring = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], axis=1)
        tops = ring * f.w * 0.33 + [0, f.h - f.t * 0.7, 0]
        feet = ring * f.w * rng.uniform(0.38, 0.55)
    for foot, top in zip(feet, tops, strict=True):
        a.add("leg", maker(foot, top), f.frame)
    if chance(rng, 0.2):
        for foot in feet:
            a.add("foot", cylinder(0.018, 0.016, foot + [0, 0.006, 0], 12), materials.rubber(rng))
    if f.round and chance(rng, 0.5):
        t = rng.uniform(0.25, 0.5)
        at = feet + (tops - feet) * t
        radius = float(np.linalg.norm(at[0, [0, 2]]))
        if np.allclose(np.linalg.norm(at[:, [0, 2]], axis=1), radius, rtol=0.05):
            part = "footrest_ring" if f.h > 0.55 else "ring_stretcher"
            a.add(part, torus(radius, rng.uniform(0.008, 0.013), (0, at[0, 1], 0)), f.metal)
    elif len(feet) == 4 and chance(rng, 0.55):
        _stretch(rng, a, feet, tops, f.frame)
    return a.pieces


def star(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add a swivel base: column, 4 to 6 arms, casters or glides, at times a lever and a footrest ring."""
    a = Assembly()
    f.wheeled = True
    n = int(rng.choice([4, 5, 5, 5, 6]))
    wheel = rng.uniform(0.02, 0.035)
    casters = chance(rng, 0.7)
    hub = wheel * 2 + rng.uniform(0.02, 0.06) if casters else rng.uniform(0.04, 0.1)
    end = wheel * 2.3 if casters else 0.016
    reach, column = f.w * rng.uniform(0.48, 0.62), rng.uniform(0.018, 0.03)
    top = f.h - f.t
    seat = rng.uniform(0.02, 0.05)
    profile = [
        (0, 0),
        (column * 1.5, 0),
        (column * 1.5, top * 0.35),
        (column, top * 0.36),
        (column, top - seat - hub + 0.03),
    ]
    a.add("central_support", move(lathe([*profile, (0, profile[-1][1])], 18), (0, hub - 0.03, 0)), f.metal)
    plate = box(
        (f.w * rng.uniform(0.3, 0.5), seat, f.d * rng.uniform(0.3, 0.5)), (0, top - seat / 2, 0), bevel=0.004
    )
    a.add("seat_connector", plate, f.metal)
    shade = f.metal if chance(rng, 0.5) else materials.plastic(rng)
    flat = chance(rng, 0.5)
    tread = materials.rubber(rng) if chance(rng, 0.5) else materials.plastic(rng)
    twin = chance(rng, 0.5)
    for k in range(n):
        turn = 2 * np.pi * (k + 0.5) / n
        out = np.array([np.cos(turn), 0, np.sin(turn)])
        if flat:
            bar = rod((0, 0, 0), (reach, end - hub, 0), 0.024, 0.014, 4)
            mesh = move(rotate(bar, "y", -turn), (0, hub, 0))
        else:
            path = smooth([(0, hub, 0), out * reach * 0.5 + [0, hub, 0], out * reach + [0, end, 0]], 0.1)
            mesh = tube(path, np.linspace(0.022, 0.014, len(path)), 10)
        a.add("star_leg", mesh, shade)
        tip = out * reach * 0.96 + [0, end, 0]
        if casters:
            yoke, disc = caster(rng, tip, wheel, twin, rng.uniform(0, np.pi))
            a.add("caster_yoke", yoke, shade)
            a.add("wheel", disc, tread)
        else:
            a.add("foot", cylinder(0.014, 0.016, (tip[0], 0.008, tip[2]), 12), tread)
    if chance(rng, 0.5):
        grip = [
            (f.w * 0.1, top - seat / 2, 0.03),
            (f.w * 0.42, top - seat / 2, 0.03),
            (f.w * 0.5, top - seat, 0.03),
        ]
        a.add("lever", tube(smooth(grip, 0.02), [0.005] * 6 + [0.008]), shade)
    if f.h > 0.58 and chance(rng, 0.7):
        ring = torus(f.w * 0.42, 0.009, (0, f.h * 0.4, 0))
        spokes = [
            rod((0, f.h * 0.4, 0), (f.w * 0.42 * c, f.h * 0.4, f.w * 0.42 * s), 0.006)
            for c, s in ((1, 0), (-0.5, 0.87), (-0.5, -0.87))
        ]
        a.add("footrest_ring", merge(ring, *spokes), f.metal)
    return a.pieces


def sled(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add legs that end in runners along the floor."""
    a = Assembly()
    r = rng.uniform(0.009, 0.018)
    x, top = f.w / 2 * rng.uniform(0.85, 1.0), f.h - f.t * 0.8
    front, rear = f.d / 2 * rng.uniform(0.8, 1.05), -f.d / 2 * rng.uniform(0.8, 1.15)
    across = chance(rng, 0.3)
    if chance(rng, 0.5):
        for z in (front, rear):
            a.both("leg", rod((x, r, z), (x, top, z * 0.85), r), f.metal)
        a.both("runner", rod((x, r, front + 0.04), (x, r, rear - 0.04), r), f.metal)
    else:
        side = bent([(x, top, front * 0.85), (x, r, front), (x, r, rear), (x, top, rear * 0.85)], r, 0.06)
        a.both("leg", side, f.metal)
    for z in (front * 0.85, rear * 0.85):
        a.add("seat_support", rod((-x, top, z), (x, top, z), r * 0.9), f.metal)
    if across:
        a.add("stretcher", rod((-x, r, rear * 0.6), (x, r, rear * 0.6), r), f.metal)
    return a.pieces


def cantilever(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add one bent tube per side, without rear legs, or a flat band bent in the same way."""
    a = Assembly()
    r, x, top = rng.uniform(0.011, 0.018), f.w / 2 * 0.95, f.h - f.t - 0.006
    front, rear = f.d / 2 * 1.02, -f.d / 2 * rng.uniform(0.9, 1.15)
    path = [(x, top, rear * 0.8), (x, top, front), (x, r, front * rng.uniform(0.85, 1.0)), (x, r, rear)]
    a.both("leg", bent(path, r, 0.09), f.metal)
    a.add("runner", rod((-x, r, rear), (x, r, rear), r), f.metal)
    a.add("seat_support", rod((-x, top, rear * 0.75), (x, top, rear * 0.75), r * 0.8), f.metal)
    a.add("seat_support", rod((-x, top, front * 0.7), (x, top, front * 0.7), r * 0.8), f.metal)
    return a.pieces


def pedestal(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add a tulip foot in one sweep, or a disc with a column."""
    a = Assembly()
    radius, top, neck = f.w * rng.uniform(0.36, 0.5), f.h - f.t * 0.8, rng.uniform(0.02, 0.05)
    shade = f.metal if chance(rng, 0.5) else f.main
    if chance(rng, 0.5):
        y = np.linspace(0, 1, 12)
        r = (
            neck
            + (radius - neck) * np.exp(-y * rng.uniform(7, 14))
            + (radius * 0.4 - neck) * np.exp((y - 1) * 9)
        )
        a.add("pedestal", lathe([(0, 0), *zip(r, y * top, strict=True), (0, top)], 28), shade)
        return a.pieces
    thick = rng.uniform(0.012, 0.035)
    dome = rng.uniform(0, 0.04)
    a.add(
        "pedestal",
        lathe([(0, 0), (radius, 0), (radius, thick), (neck, thick + dome), (0, thick + dome)], 28),
        shade,
    )
    a.add("central_support", cylinder(neck, top - thick, (0, (top + thick) / 2, 0), 18), f.metal)
    if f.h > 0.58:
        ring = torus(f.w * 0.35, 0.01, (0, f.h * 0.38, neck + f.w * 0.12))
        a.add("footrest_ring", ring, f.metal)
    elif chance(rng, 0.5):
        a.add("seat_connector", cylinder(f.w * 0.2, 0.02, (0, top - 0.008, 0), 18), f.metal)
    return a.pieces


def rocking(rng: np.random.Generator, f: Frame) -> list[Piece]:
    """Add four legs on a pair of curved rockers."""
    a = Assembly()
    feet, tops = _corners(rng, f)
    rise = 0.02
    radius = rng.uniform(0.9, 1.5)
    half = f.d * rng.uniform(0.75, 0.95) / radius
    maker, width = leg_maker(rng, rng.uniform(0.028, 0.045)), rng.uniform(0.02, 0.04)
    for foot, top in zip(feet, tops, strict=True):
        lift = radius - np.sqrt(radius**2 - foot[2] ** 2)
        a.add("leg", maker((foot[0], lift + rise, foot[2]), top), f.frame)
    curve = arc(radius, -np.pi / 2 - half * rng.uniform(1, 1.3), -np.pi / 2 + half, 14)
    path = np.stack([np.full(15, feet[0, 0]), curve[:, 1] + radius + rise, curve[:, 0]], axis=1)
    a.both("rocker", tube(path, width * 0.6, 4 if chance(rng, 0.5) else 10), f.frame)
    if chance(rng, 0.6):
        _stretch(rng, a, feet + [0, 0.03, 0], tops, f.frame)
    return a.pieces


BASES = {
    "legs": legs,
    "star": star,
    "sled": sled,
    "cantilever": cantilever,
    "pedestal": pedestal,
    "rocking": rocking,
}
