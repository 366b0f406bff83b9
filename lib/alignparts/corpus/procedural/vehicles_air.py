# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Airplanes: airliner, propeller plane, twin, fighter, glider, biplane."""

import numpy as np

from alignparts.corpus.procedural import materials
from alignparts.corpus.procedural.air_parts import Body, jet, propeller, wheel_leg, windows, wing_half
from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.mesh import Piece
from alignparts.corpus.procedural.toolkit import (
    box,
    lathe,
    merge,
    move,
    rod,
    rotate,
    scale,
    superellipsoid,
)


def airplane(rng: np.random.Generator) -> list[Piece]:
    """An airplane that flies towards +z."""
    style = pick(
        rng,
        ["airliner", "private_jet", "propeller", "twin", "fighter", "glider", "biplane"],
        [3, 1.5, 2.5, 1.5, 2, 1, 1.5],
    )
    a, coat, metal, dark = Assembly(), materials.paint(rng), materials.metal(rng), materials.rubber(rng)
    coat = metal if chance(rng, 0.15) else coat
    second = coat if chance(rng, 0.6) else materials.paint(rng)
    glass = (
        materials.Material("window", None, (0.1, 0.13, 0.18, 1.0), 0.2, 0.1)
        if chance(rng, 0.6)
        else materials.glass(rng)
    )
    jetlike = style in ("airliner", "private_jet")
    length = {
        "airliner": 30.0,
        "private_jet": 16.0,
        "propeller": 8.0,
        "twin": 11.0,
        "fighter": 15.0,
        "glider": 7.5,
        "biplane": 7.0,
    }[style] * rng.uniform(0.85, 1.2)
    slender = {
        "airliner": 0.055,
        "private_jet": 0.06,
        "propeller": 0.075,
        "twin": 0.07,
        "fighter": 0.055,
        "glider": 0.05,
        "biplane": 0.07,
    }[style]
    r = length * slender * rng.uniform(0.85, 1.2)
    body = Body(
        rng,
        length,
        r,
        {"fighter": 0.3, "glider": 0.2}.get(style, 0.14) * rng.uniform(0.8, 1.2),
        {"airliner": 0.38, "fighter": 0.25}.get(style, 0.55),
        rng.uniform(0.2, 0.6),
        rng.uniform(0.8, 1.05),
    )
    a.add("fuselage", body.mesh(), coat)
    high = rng.random() < {
        "airliner": 0.15,
        "propeller": 0.5,
        "twin": 0.4,
        "glider": 0.6,
        "biplane": 0.0,
    }.get(style, 0.1)
    span = (
        length
        * {
            "airliner": 0.5,
            "private_jet": 0.48,
            "propeller": 0.62,
            "twin": 0.6,
            "fighter": 0.32,
            "glider": 1.0,
            "biplane": 0.62,
        }[style]
        * rng.uniform(0.85, 1.15)
    )
    chord = (
        length * {"glider": 0.1, "fighter": 0.36, "airliner": 0.19}.get(style, 0.17) * rng.uniform(0.85, 1.15)
    )
    sweep = (
        rng.uniform(0.35, 0.6)
        if jetlike
        else (rng.uniform(0.5, 0.85) if style == "fighter" else rng.uniform(-0.03, 0.08))
    )
    taper = rng.uniform(0.1, 0.35) if jetlike or style == "fighter" else rng.uniform(0.5, 1.0)
    dihedral = rng.uniform(0.0, 0.12)
    if style == "biplane":
        dihedral = rng.uniform(0.0, 0.05)
    front = length * (rng.uniform(0.08, 0.16) if style != "fighter" else 0.0)
    y = body.at(front - chord / 2)[2] + r * (0.85 if high else -0.55)
    wing = wing_half(np.array([0, y, front]), span, chord, taper, sweep, dihedral, 0.12)
    a.both("wing", wing, second)
    tip_z, tip_y = front - np.tan(sweep) * span, y + np.tan(dihedral) * span
    if jetlike and chance(rng, 0.5):
        tip = wing_half(
            np.array([span * 0.99, tip_y, tip_z]),
            chord * 0.35,
            chord * taper * 0.8,
            0.4,
            0.6,
            0,
            0.08,
            upright=True,
        )
        a.both("fairing", rotate(tip, "z", -0.25, (span, tip_y, tip_z)), second)
    rear = -length / 2
    tail_chord = chord * {"fighter": 0.55, "glider": 0.9}.get(style, 0.75)
    fin_h = length * {"glider": 0.14, "fighter": 0.15}.get(style, 0.16) * rng.uniform(0.8, 1.2)
    fin_z = rear + tail_chord * 1.05
    base = body.at(fin_z - tail_chord * 0.5)
    fins = (-1, 1) if style == "fighter" and chance(rng, 0.45) else (0,)
    for s in fins:
        fin = wing_half(
            np.array([0, base[2] + base[1] * 0.4, fin_z]),
            fin_h,
            tail_chord * 1.1,
            rng.uniform(0.35, 0.6),
            rng.uniform(0.3, 0.7),
            0,
            0.1,
            upright=True,
        )
        a.add(
            "vertical_stabilizer",
            move(rotate(fin, "z", -0.25 * s, (0, base[2], 0)), (s * r * 0.7, 0, 0)),
            second,
        )
    tee = style in ("glider", "private_jet") and chance(rng, 0.7)
    tail_y = base[2] + base[1] * 0.4 + fin_h * 0.97 if tee else base[2] + base[1] * 0.1
    tail_z = fin_z - (fin_h * 0.45 if tee else 0.0)
    stab = wing_half(
        np.array([0, tail_y, tail_z]),
        span * {"glider": 0.2, "fighter": 0.5}.get(style, 0.36),
        tail_chord * 0.85,
        max(taper, 0.4),
        sweep * 0.9,
        rng.uniform(0, 0.1),
        0.1,
    )
    a.both("horizontal_stabilizer", stab, second)
    ground = -r * rng.uniform(1.6, 2.2) if style != "glider" else -r * 1.25
    spat = second if style in ("propeller", "biplane") and chance(rng, 0.5) else None
    if jetlike:
        er, el = r * rng.uniform(0.42, 0.6), length * rng.uniform(0.09, 0.13)
        if style == "airliner" and chance(rng, 0.85):
            places = (0.33,) if chance(rng, 0.7) else (0.28, 0.55)
            for f in places:
                at = np.array(
                    [
                        span * f,
                        y + np.tan(dihedral) * span * f - er * 1.25,
                        front - np.tan(sweep) * span * f + el * 0.55,
                    ]
                )
                for s in (-1, 1):
                    jet(rng, a, at * [s, 1, 1], er, el, coat if chance(rng, 0.5) else metal, metal)
                a.both("pylon", box((er * 0.18, er * 0.9, el * 0.9), at + [0, er * 0.85, -el * 0.6]), coat)
            ground = min(ground, y - er * 2.6)
        else:
            z = rear + length * 0.3
            w, h, mid = body.at(z)
            for s in (-1, 1):
                at = np.array([s * (w + er * 1.15), mid + h * 0.4, z])
                jet(rng, a, at, er, el, coat if chance(rng, 0.5) else metal, metal)
                a.add(
                    "pylon",
                    box((er * 1.1, er * 0.25, el * 0.6), (s * (w + er * 0.1), mid + h * 0.4, z - el * 0.5)),
                    coat,
                )
        n = int(rng.integers(9, 20)) if style == "airliner" else int(rng.integers(4, 8))
        windows(rng, a, body, -length * 0.28, length * 0.27, n, 0.2, glass)
        for s in (-1, 1):
            z = length * 0.31
            w, h, mid = body.at(z)
            a.add(
                "door",
                superellipsoid((0.06 * r, r * 0.85, r * 0.45), 0.3, (s * w * 0.985, mid + h * 0.05, z), 12),
                metal,
            )
    elif style == "fighter":
        twin = chance(rng, 0.5)
        for s in (-1, 1) if twin else (0,):
            nozzle = lathe(
                [
                    (r * 0.45, -r * 0.9),
                    (r * 0.62, 0),
                    (r * 0.62, r * 0.5),
                    (r * 0.5, r * 0.5),
                    (r * 0.4, -r * 0.7),
                ],
                18,
            )
            a.add(
                "engine",
                move(rotate(nozzle, "x", np.pi / 2), (s * r * 0.5, body.at(rear + r)[2], rear + r * 0.1)),
                metal,
            )
        if chance(rng, 0.8):
            box_in = superellipsoid(
                (r * 0.7, r * 0.9, length * 0.28), 0.4, (r * 0.95, -r * 0.15, length * 0.05), 14
            )
            a.both("fairing", box_in, coat)
        if chance(rng, 0.6):
            f = 0.55
            missile = lathe([(0, -r), (r * 0.1, -r), (r * 0.1, r * 0.7), (0, r)], 10)
            at = (span * f, y - r * 0.25, front - np.tan(sweep) * span * f - chord * 0.2)
            a.both(
                "pylon",
                merge(
                    move(rotate(missile, "x", np.pi / 2), at),
                    box((0.04 * r, 0.3 * r, r * 0.6), (at[0], at[1] + 0.13 * r, at[2])),
                ),
                metal,
            )
    elif style == "twin":
        for s in (-1, 1):
            f = 0.3
            at = np.array(
                [
                    s * span * f,
                    y + np.tan(dihedral) * span * f,
                    front - np.tan(sweep) * span * f + chord * 0.45,
                ]
            )
            pod = superellipsoid((r * 0.85, r * 0.85, chord * 1.3), 0.85, at - [0, 0, chord * 0.5], 18)
            a.add("engine", pod, second)
            propeller(
                rng,
                a,
                at + [0, 0, chord * 0.16],
                r * rng.uniform(0.9, 1.2),
                int(rng.integers(2, 5)),
                metal,
                dark,
            )
        windows(rng, a, body, -length * 0.15, length * 0.2, int(rng.integers(3, 7)), 0.35, glass)
    elif style in ("propeller", "biplane"):
        w, h, mid = body.at(length / 2 - r * 0.2)
        hub = np.array([0, mid, length / 2])
        cowl = lathe(
            [(h * 0.8, -r * 0.9), (h * 1.12, -r * 0.7), (h * 1.1, 0), (h * 0.75, r * 0.18), (0, r * 0.2)], 22
        )
        a.add(
            "engine",
            move(rotate(cowl, "x", np.pi / 2), hub - [0, 0, r * 0.15]),
            metal if chance(rng, 0.5) else second,
        )
        propeller(
            rng,
            a,
            hub + [0, 0, r * 0.12],
            r * rng.uniform(1.2, 1.7),
            int(rng.choice([2, 2, 3, 4])),
            metal,
            dark if chance(rng, 0.5) else materials.wood(rng),
        )
    if style == "biplane":
        gap = r * rng.uniform(2.0, 2.6)
        upper = wing_half(
            np.array([0, y + gap, front + chord * 0.2]), span, chord, taper, sweep, dihedral, 0.12
        )
        a.both("wing", upper, second)
        for f in (0.12, 0.7) if chance(rng, 0.7) else (0.12, 0.45, 0.8):
            for dz in (0.25, 0.75):
                low = np.array([span * f, y + np.tan(dihedral) * span * f, front - chord * dz])
                a.both("wing_strut", rod(low, low + [0, gap, chord * 0.2], r * 0.05), metal)
    elif high and not jetlike and style != "glider" and chance(rng, 0.7):
        a.both(
            "wing_strut",
            rod(
                (r * 0.6, -r * 0.6, front - chord * 0.3),
                (span * 0.45, y + np.tan(dihedral) * span * 0.45, front - chord * 0.3),
                r * 0.06,
            ),
            metal,
        )
    if jetlike or style == "twin":
        z = length / 2 - body.nose * length * rng.uniform(0.45, 0.6)
        w, h, mid = body.at(z)
        shield = superellipsoid((w * 1.7, h * 0.55, r * 0.9), 0.6, (0, mid + h * 0.62, z), 16)
        a.add("window", shield, glass)
    else:
        z = {"fighter": length * 0.22, "glider": length * 0.26}.get(style, length * rng.uniform(0.0, 0.12))
        w, h, mid = body.at(z)
        if high and style == "propeller":
            a.add(
                "window",
                superellipsoid(
                    (w * 2.05, r * 0.75, r * 2.6), 0.35, (0, mid + h * 0.7, front - chord * 0.2), 18
                ),
                glass,
            )
        else:
            a.add(
                "window",
                superellipsoid(
                    (w * 1.3, r * 1.1, r * rng.uniform(2.2, 3.4)), 0.9, (0, mid + h * 0.85, z), 20
                ),
                glass,
            )
    if style != "glider" and chance(rng, 0.75):
        big = r * (0.3 if jetlike else 0.36)
        nose_wheel = style not in ("biplane",) and chance(rng, 0.75)
        spread = span * 0.12 if jetlike or style == "fighter" else r * 1.3
        z = front - chord * (0.75 if nose_wheel else 0.25)
        for s in (-1, 1):
            wheel_leg(
                rng,
                a,
                np.array([s * max(spread, r * 0.5), y if not high else -r * 0.4, z]),
                ground,
                big,
                jetlike,
                dark,
                metal,
                spat,
            )
        far = length * 0.36 if nose_wheel else rear + length * 0.06
        w, h, mid = body.at(far)
        wheel_leg(
            rng,
            a,
            np.array([0, mid - h * 0.8, far]),
            ground if nose_wheel else mid - h - big * 1.5,
            big * (0.85 if nose_wheel else 0.6),
            jetlike,
            dark,
            metal,
            spat,
        )
    elif style == "glider" and chance(rng, 0.7):
        wheel_leg(rng, a, np.array([0, -r * 0.6, length * 0.1]), -r * 1.4, r * 0.35, False, dark, metal, None)
    if chance(rng, 0.25):
        a.add("antenna", rod((0, r * 0.8, 0), (0, r * 1.45, -r * 0.2), r * 0.03, r * 0.012), metal)
    shrink = 1.0 / length
    for piece in a.pieces:
        piece.mesh = scale(piece.mesh, shrink * 4)
    return a.pieces


CATEGORIES = {"airplane": airplane}
