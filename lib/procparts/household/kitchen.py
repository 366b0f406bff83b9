"""Build jugs and kettles, pots and pans."""

import numpy as np

from procparts.kit.fittings import Assembly, arch, chance, pick
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate, scale
from procparts.kit.toolkit import box, cylinder, lathe, rod, sphere, tube
from procparts.kit.vessels import (
    around,
    bail,
    beak,
    hollow,
    loop,
    loop_flat,
    made_of,
    polar,
    radius_at,
    section,
    solid,
    spline,
)


def _knob(rng: np.random.Generator, size: Scalar) -> Mesh:
    """Build a lid knob standing on y = 0."""
    kind = pick(rng, ["ball", "mushroom", "bar", "cone", "loop"])
    if kind == "ball":
        return merge(
            cylinder(size * 0.35, size * 0.6, (0, size * 0.2, 0), 10),
            sphere(size * 0.6, (0, size * 0.9, 0), segments=14),
        )
    if kind == "mushroom":
        return solid(
            [
                (size * 0.5, -size * 0.1),
                (size * 0.35, size * 0.5),
                (size * 0.9, size * 0.8),
                (size * 0.7, size * 1.1),
            ],
            16,
        )
    if kind == "cone":
        return solid([(size * 0.6, -size * 0.1), (size * 0.4, size * 0.4), (size * 0.55, size * 1.1)], 12)
    high = size * rng.uniform(0.8, 1.3)
    corner = size * 0.8 if kind == "loop" else size * 0.2
    return arch((size, -0.1 * size, 0), (size, high, 0), size * 0.25, corner, 8)


_JUGS = ("teapot", "pitcher", "kettle", "ewer", "electric", "creamer", "moka", "watering")


def jug(rng: np.random.Generator) -> list[Piece]:
    """Build a tea or coffee pot, pitcher, kettle, ewer, creamer or watering can; the spout is towards -x."""
    a = Assembly()
    style = pick(rng, _JUGS)
    r = 0.08 * rng.uniform(0.8, 1.2)
    h = r * {"teapot": 1.5, "kettle": 1.4, "pitcher": 2.8, "ewer": 3.6, "creamer": 1.9, "moka": 2.6}.get(
        style, 2.4
    )
    h *= rng.uniform(0.85, 1.2)
    m = r * rng.uniform(0.5, 0.75)
    rows: dict[str, list[tuple[float, float]]] = {
        "teapot": [(r * 0.6, 0), (r, h * 0.35), (r * 0.95, h * 0.65), (m, h)],
        "kettle": [(r * 0.95, 0), (r * 1.1, h * 0.15), (r, h * 0.5), (m * 0.9, h)],
        "pitcher": [(r * 0.7, 0), (r * 0.95, h * 0.3), (r * 0.7, h * 0.72), (r * 0.78, h)],
        "ewer": [(r * 0.5, 0), (r * 0.95, h * 0.3), (r * 0.4, h * 0.7), (r * 0.5, h)],
        "electric": [(r, 0), (r * 0.98, h * 0.1), (r * 0.75, h)],
        "creamer": [(r * 0.65, 0), (r * 0.95, h * 0.35), (r * 0.7, h * 0.75), (r * 0.85, h)],
        "moka": [(r * 0.9, 0), (r * 0.95, h * 0.1), (r * 0.62, h * 0.5), (r * 0.85, h)],
        "watering": [(r, 0), (r * 1.02, h * 0.05), (r * 0.9, h * 0.9)],
    }
    shape = pick(rng, ["curved", "straight"]) if style in ("pitcher", "creamer") else "curved"
    if shape == "straight":
        rows[style] = [(r * rng.uniform(0.6, 1.0), 0), (r * 0.85, h)]
    profile = np.array(rows[style]) if style in ("moka", "watering") else spline(rows[style], 16)
    material = made_of(rng, "ceramic", "ceramic", "metal", "glass", "plastic", "paint")
    trim = material if chance(rng, 0.5) else made_of(rng, "plastic", "wood", "metal", "ceramic")
    segments = 8 if style == "moka" else int(rng.choice([14, 24, 32, 44]))
    lift = h * rng.uniform(0.04, 0.12) if chance(rng, 0.35) or style == "ewer" else 0.0
    top = lift + h
    mouth = float(profile[-1, 0])
    wall = r * 0.05
    poured = style in ("pitcher", "ewer", "electric", "creamer", "moka")
    cut = int(len(profile) * 0.68) if style in ("pitcher", "ewer", "creamer") and shape == "curved" else 0
    if cut:
        a.add(
            "body",
            move(lathe(np.concatenate([[[0, 0]], profile[: cut + 1]]), segments), (0, lift, 0)),
            material,
        )
        neck = hollow(profile[cut:], wall, segments, floor=False)
        lip = r * rng.uniform(0.15, 0.5)
        a.add("neck", move(beak(profile, neck, lip, profile[cut, 1]), (0, lift, 0)), material)
    else:
        a.add("body", move(hollow(profile, wall, segments), (0, lift, 0)), material)
    if lift:
        b = float(profile[0, 0])
        if chance(rng, 0.3):
            for mesh in around(
                int(rng.integers(3, 5)),
                lambda t: rod(polar(b * 0.95, t), polar(b * 0.85, t, lift * 1.3), r * 0.08),
            ):
                a.add("foot", mesh, trim)
        else:
            a.add(
                "base",
                solid(
                    [(b * rng.uniform(0.95, 1.35), 0), (b * 1.0, lift * 0.5), (b * 0.95, lift * 1.05)],
                    segments,
                ),
                trim,
            )
    elif chance(rng, 0.2) or style == "electric":
        wide = 1.08 if style == "electric" else 0.97
        a.add("bottom", cylinder(profile[0, 0] * wide, h * 0.05, (0, -h * 0.02, 0), segments), trim)
    if poured:
        if not cut or chance(rng, 0.25):
            y = top - h * rng.uniform(0.02, 0.1)
            tip = (-mouth - r * rng.uniform(0.3, 0.5), top + h * 0.01, 0)
            spout = tube(
                spline([(-mouth * 0.75, y - h * 0.14, 0), (-mouth * 1.1, y - h * 0.02, 0), tip], 6),
                np.linspace(r * 0.3, r * 0.13, 6),
                segments=9,
                caps=False,
            )
            a.add("spout", spout, material)
    else:
        y = lift + h * rng.uniform(0.25, 0.5)
        x = radius_at(profile, y - lift)
        reach, rise = r * rng.uniform(0.7, 1.1), top * rng.uniform(0.85, 1.08)
        if style == "kettle" and chance(rng, 0.5):
            path = np.array([(-x * 0.8, y, 0), (-x - reach * 0.5, rise * 0.95, 0)])
        elif style == "watering":
            path = np.array(
                [
                    (-x * 0.9, lift + h * 0.15, 0),
                    (-x - reach * 2, rise, 0),
                    (-x - reach * 2.3, rise * 1.02, 0),
                ]
            )
        else:
            path = spline(
                [
                    (-x * 0.85, y, 0),
                    (-x - reach * 0.55, y + (rise - y) * 0.35, 0),
                    (-x - reach * 0.8, rise * 0.9, 0),
                    (-x - reach * 1.1, rise, 0),
                ],
                12,
            )
        taper = np.linspace(r * rng.uniform(0.2, 0.3), r * rng.uniform(0.08, 0.12), len(path))
        spout = tube(path, taper, segments=10, caps=False)
        if style == "watering":
            end = path[-1]
            spout = merge(
                spout,
                move(
                    rotate(cylinder(r * 0.2, r * 0.3, segments=14, top_radius=r * 0.45), "z", np.pi / 2.5),
                    end,
                ),
            )
        a.add("spout", spout, material)
    overhead = (style in ("kettle", "watering") and chance(rng, 0.7)) or (
        style == "teapot" and chance(rng, 0.25)
    )
    if overhead:
        y = lift + h * 0.75
        x = radius_at(profile, y - lift) * 0.96
        a.add("handle", bail(x, y, h * rng.uniform(0.7, 1.1), r * 0.07, 0.0), trim)
    else:
        y0, y1 = lift + h * rng.uniform(0.15, 0.35), lift + h * rng.uniform(0.78, 0.95)
        grip = loop(
            pick(rng, ["c", "d", "ear", "drop", "angular"]),
            (radius_at(profile, y0 - lift) * 0.95, y0),
            (radius_at(profile, y1 - lift) * 0.95, y1),
            r * rng.uniform(0.4, 0.75),
            r * rng.uniform(0.07, 0.13),
            rng.uniform(1, 1.8),
        )
        a.add("handle", grip, trim)
    if style in ("teapot", "kettle", "electric", "moka") or chance(rng, 0.2):
        dome = h * rng.uniform(0.04, 0.16)
        cover = spline([(mouth * 1.04, -0.01 * h), (mouth * 0.95, dome * 0.4), (mouth * 0.3, dome)], 8)
        a.add("lid", move(solid(cover, segments), (0, top, 0)), material if chance(rng, 0.7) else trim)
        a.add("knob", move(_knob(rng, mouth * rng.uniform(0.16, 0.3)), (0, top + dome, 0)), trim)
    return a.pieces


_POTS = ("stock", "sauce", "pan", "wok", "pressure", "casserole", "milk", "dutch")


def kitchen_pot(rng: np.random.Generator) -> list[Piece]:
    """Build a pot, saucepan, frying pan, wok, pressure cooker or casserole, with or without a lid."""
    a = Assembly()
    style = pick(rng, _POTS)
    r = 0.12 * rng.uniform(0.7, 1.3)
    h = r * {
        "stock": 1.7,
        "sauce": 0.9,
        "pan": 0.3,
        "wok": 0.55,
        "pressure": 1.2,
        "milk": 1.3,
        "dutch": 0.95,
    }.get(style, 0.75)
    h *= rng.uniform(0.8, 1.2)
    if style == "wok":
        profile = spline([(r * 0.35, 0), (r * 0.75, h * 0.4), (r, h)], 12)
    elif style == "pan":
        profile = np.array([(r * 0.78, 0), (r * 0.85, h * 0.12), (r, h)])
    elif style == "dutch" or chance(rng, 0.3):
        profile = spline([(r * 0.75, 0), (r * 0.98, h * 0.25), (r, h * 0.6), (r, h)], 12)
    else:
        profile = np.array([(r * 0.94, 0), (r, h * 0.06), (r, h * 0.97), (r * 1.03, h)])
    material = made_of(rng, "metal", "metal", "metal", "paint", "ceramic", "glass")
    trim = made_of(rng, "metal", "plastic", "wood", "rubber")
    segments = int(rng.choice([20, 28, 36]))
    feet = style == "dutch" and chance(rng, 0.3)
    lift = h * 0.12 if feet else 0.0
    power = rng.uniform(2.4, 5.0) if style == "casserole" and chance(rng, 0.5) else 2.0
    stretch = rng.uniform(1.1, 1.5) if style in ("casserole", "dutch") and chance(rng, 0.4) else 1.0

    def shaped(mesh: Mesh) -> Mesh:
        return scale(section(mesh, power), [stretch, 1, 1])

    a.add("body", move(shaped(hollow(profile, r * 0.035, segments)), (0, lift, 0)), material)
    if feet:
        for mesh in around(3, lambda t: rod(polar(r * 0.75, t), polar(r * 0.6, t, lift * 1.5), r * 0.05)):
            a.add("foot", mesh, material)
    y = lift + h * rng.uniform(0.72, 0.9)
    wall = radius_at(profile, y - lift) * stretch
    thick = r * rng.uniform(0.05, 0.08)
    long = style in ("pan", "milk") or (style in ("sauce", "wok", "pressure") and chance(rng, 0.7))
    if long:
        length, rise = r * rng.uniform(1.1, 2.0), r * rng.uniform(-0.05, 0.45)
        kind = pick(rng, ["round", "flat", "stem"])
        path = spline(
            [(wall * 0.96, y, 0), (wall + length * 0.3, y + rise * 0.6, 0), (wall + length, y + rise, 0)], 9
        )
        widths = thick * np.interp(np.linspace(0, 1, 9), [0, 0.3, 0.8, 1], [0.7, 1.0, 1.4, 0.9])
        grip = tube(path, widths, segments=6 if kind == "flat" else 10)
        flat = 1.9 if kind == "flat" else 1.0
        grip = scale(grip, [1, 1, flat])
        if kind == "stem":
            grip = merge(box((r * 0.3, thick * 1.2, thick * 3), (wall * 1.0, y, 0)), grip)
        a.add("handle", grip, trim)
        if (style in ("wok", "pressure") or r > 0.14) and chance(rng, 0.6):
            a.add("handle", rotate(loop_flat(wall, r * 0.25, r * 0.3, y, thick * 0.8), "y", np.pi), trim)
    else:
        kind = pick(rng, ["loop", "slab", "upright"])
        wide = r * rng.uniform(0.25, 0.45)
        out = r * rng.uniform(0.18, 0.32)
        if kind == "slab":
            one = box((out * 1.3, thick, wide * 2), (wall + out * 0.5, y, 0), bevel=thick * 0.3)
        elif kind == "upright":
            one = rotate(loop_flat(wall, out, wide, y, thick * 0.7), "z", rng.uniform(0.5, 0.9), (wall, y, 0))
        else:
            one = loop_flat(wall, out, wide, y, thick * 0.8)
        for k in range(2):
            a.add("handle", rotate(one, "y", k * np.pi), trim if chance(rng, 0.5) else material)
    if chance(rng, 0.12 if style in ("pan", "wok") else 0.65) or style == "pressure":
        tilt = chance(rng, 0.06)
        dome = h * rng.uniform(0.06, 0.15) + r * 0.08
        mouth = float(profile[-1, 0])
        cover = spline(
            [(mouth * 1.02, 0), (mouth * 1.0, dome * 0.25), (mouth * 0.6, dome * 0.85), (mouth * 0.05, dome)],
            10,
        )
        lid = shaped(lathe([(0, 0.0), *cover, (0, dome)], segments))
        knob = move(_knob(rng, r * rng.uniform(0.1, 0.16)), (0, dome, 0))
        offset, angle = (
            ((-r * 0.5, lift + h * 0.99, 0), rng.uniform(0.1, 0.25))
            if tilt
            else ((0, lift + h * 0.995, 0), 0.0)
        )
        a.add(
            "lid",
            move(rotate(lid, "z", angle), offset),
            made_of(rng, "glass", "metal") if chance(rng, 0.5) else material,
        )
        a.add("knob", move(rotate(knob, "z", angle), offset), trim)
    return a.pieces


CATEGORIES = {"jug": jug, "kitchen_pot": kitchen_pot}
