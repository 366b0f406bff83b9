# ruff: noqa: RUF005
"""Build drinking vessels and bottles."""

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import glass, paper_or_label
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate, scale
from procparts.kit.toolkit import box, curved_sheet, cylinder, lathe, rod, sphere, torus, tube
from procparts.kit.vessels import hollow, loop, made_of, polar, radius_at, section, solid, spline

_MUG_SHAPES = (
    "straight",
    "tapered",
    "flared",
    "barrel",
    "bulb",
    "bell",
    "tea",
    "stein",
    "travel",
    "square",
    "waist",
)


def _mug_profile(rng: np.random.Generator, shape: str, r: Scalar, h: Scalar) -> np.ndarray:
    """Return the outer profile (n, 2) of a mug of radius `r` and height `h`."""
    k = rng.uniform(0.7, 0.9)
    walls = {
        "straight": [(r * 0.92, 0), (r, h * 0.05), (r, h)],
        "square": [(r * 0.92, 0), (r, h * 0.05), (r, h)],
        "tapered": [(r * k * 0.95, 0), (r * k, h * 0.03), (r, h)],
        "flared": [(r * k * 0.8, 0), (r * k * 0.85, h * 0.1), (r * 0.9, h * 0.7), (r * 1.1, h)],
        "barrel": [(r * 0.8, 0), (r, h * 0.3), (r * 1.05, h * 0.55), (r * 0.85, h)],
        "bulb": [(r * 0.6, 0), (r * 1.1, h * 0.35), (r * 0.95, h * 0.7), (r * 0.85, h)],
        "bell": [(r * 0.55, 0), (r * 0.85, h * 0.2), (r * 0.95, h * 0.6), (r * 1.2, h)],
        "tea": [(r * 0.5, 0), (r * 0.6, h * 0.08), (r * 1.05, h * 0.45), (r * 1.25, h)],
        "stein": [(r * 1.1, 0), (r * 1.05, h * 0.08), (r * 0.95, h * 0.2), (r * 0.85, h)],
        "travel": [(r * 0.7, 0), (r * 0.72, h * 0.3), (r * 0.95, h * 0.5), (r, h)],
        "waist": [(r, 0), (r * 0.98, h * 0.1), (r * 0.75, h * 0.55), (r * 0.98, h)],
    }
    corners = shape in ("straight", "square", "tapered")
    return np.array(walls[shape], dtype=float) if corners else spline(walls[shape], 14)


def mug(rng: np.random.Generator) -> list[Piece]:
    """Build a mug, tea cup, stein or travel mug with its handles; maybe lid, saucer, spoon, drink."""
    a = Assembly()
    shape = pick(rng, _MUG_SHAPES)
    r = 0.04 * rng.uniform(0.85, 1.15)
    height = {"tea": 1.3, "stein": 3.6, "travel": 4.2}.get(shape, 2.3) * r * rng.uniform(0.8, 1.25)
    lift = r * rng.uniform(0.06, 0.2) if chance(rng, 0.3) else 0.0
    profile = _mug_profile(rng, shape, r, height)
    wall = r * rng.uniform(0.05, 0.13)
    kinds = {"stein": ("ceramic", "glass", "metal", "wood"), "travel": ("metal", "plastic")}
    material = made_of(rng, *kinds.get(shape, ("ceramic", "ceramic", "ceramic", "glass", "metal", "plastic")))
    segments = int(rng.choice([8, 16, 24, 32, 40], p=[0.08, 0.17, 0.35, 0.25, 0.15]))

    def shaped(mesh: Mesh) -> Mesh:
        return section(mesh, 5.0) if shape == "square" else mesh

    if chance(rng, 0.2):
        flutes, depth = int(rng.integers(6, 14)), rng.uniform(0.02, 0.07)
        body = section(hollow(profile, wall, 48), 2.0, flutes, depth)
    else:
        body = shaped(hollow(profile, wall, segments))
    a.add("body", move(body, (0, lift, 0)), material)
    if lift:
        ring = [(profile[0, 0] * 0.95, 0), (profile[0, 0], lift * 1.05)]
        a.add(
            "foot",
            shaped(lathe([(profile[0, 0] * 0.7, lift), (profile[0, 0] * 0.75, 0), *ring], segments)),
            material,
        )
    if chance(rng, 0.12) and shape not in ("square", "travel"):
        a.add(
            "rim",
            torus(profile[-1, 0] - wall / 2, wall * 0.7, (0, lift + height, 0), segments=24, sides=6),
            made_of(rng, "metal", "ceramic", "paint"),
        )
    trim = material if chance(rng, 0.7) else made_of(rng, "ceramic", "plastic", "metal", "wood", "rubber")
    style = pick(rng, ["c", "d", "ear", "drop", "angular", "ring"])
    low, high = rng.uniform(0.12, 0.32), rng.uniform(0.7, 0.92)
    y0, y1 = lift + height * low, lift + height * high
    reach = r * rng.uniform(0.55, 1.0)
    attach = [(radius_at(profile, y - lift) - wall * 0.7, y) for y in (y0, y1)]
    grip = loop(style, attach[0], attach[1], reach, r * rng.uniform(0.09, 0.17), rng.uniform(0.9, 2.0))
    handles = 0 if shape == "travel" and chance(rng, 0.4) else 2 if chance(rng, 0.06) else 1
    for k in range(handles):
        a.add("handle", rotate(grip, "y", np.pi * k), trim)
    top, mouth = lift + height, profile[-1, 0]
    if shape == "travel" or (shape == "stein" and chance(rng, 0.5)) or chance(rng, 0.06):
        cover = [(mouth * 1.03, 0), (mouth * 1.03, r * 0.12), (mouth * 0.8, r * rng.uniform(0.2, 0.5))]
        lid = move(solid(cover, segments), (0, top - 0.01 * r, 0))
        if shape == "travel":
            lid = merge(lid, box((r * 0.3, r * 0.2, r * 0.5), (0, top + r * 0.4, mouth * 0.4)))
        elif chance(rng, 0.6):
            lid = merge(lid, sphere(r * 0.16, (0, top + r * 0.5, 0), segments=12))
        a.add("lid", shaped(lid), made_of(rng, "plastic", "metal", "ceramic"))
    elif chance(rng, 0.2):
        level = height * rng.uniform(0.7, 0.88)
        disc = cylinder(radius_at(profile, level) - wall * 0.9, r * 0.02, (0, lift + level, 0), segments)
        a.add("liquid", shaped(disc), made_of(rng, "leather", "paint"))
    if chance(rng, 0.55 if shape == "tea" else 0.06):
        s = r * rng.uniform(1.7, 2.1)
        plate = hollow(spline([(s * 0.5, -r * 0.14), (s * 0.6, -r * 0.1), (s, r * 0.12)], 8), r * 0.06, 32)
        a.add("saucer", move(plate, (0, 0.02 * r, 0)), material)
    if chance(rng, 0.07) and handles:
        tilt = np.array([-mouth * 0.8, top + r * rng.uniform(0.5, 1.0), 0.0])
        foot = np.array([mouth * 0.3, lift + wall * 1.5, 0.0])
        bowl = move(sphere(r * 0.24, squash=(0.8, 1.3, 0.3), segments=10), foot + [0, r * 0.2, 0])
        a.add("spoon", merge(rod(foot, tilt, r * 0.05), bowl), made_of(rng, "metal"))
    return a.pieces


def _bottle_profile(
    rng: np.random.Generator, style: str, r: Scalar, h: Scalar
) -> tuple[np.ndarray, np.ndarray]:
    """Return outer profiles of body and neck, (n, 2) each; they meet in one point."""
    neck = r * {"wine": 0.34, "beer": 0.4, "water": 0.45, "flask": 0.5, "jar": 0.85, "dispenser": 0.4}.get(
        style, 0.38
    )
    neck *= rng.uniform(0.85, 1.2)
    split = h * {"wine": 0.66, "beer": 0.62, "water": 0.86, "jar": 0.88, "flask": 0.85}.get(style, 0.8)
    soft = rng.uniform(0.02, 0.1)
    start = [(r * (1 - soft), 0), (r, h * 0.03)]
    shoulder = split - h * rng.uniform(0.06, 0.2)
    if style == "beer":
        body = spline([*start, (r, shoulder * 0.85), (r * 0.65, shoulder * 1.02), (neck, split)], 16)
    elif style == "round":
        body = spline(
            [(r * 0.55, 0), (r * 0.9, h * 0.15), (r, h * 0.36), (r * 0.75, h * 0.6), (neck, split)], 16
        )
    elif style == "cone":
        body = spline([(r, 0), (r * 0.98, h * 0.05), (r * 0.6, h * 0.5), (neck, split)], 12)
    elif style == "water" and chance(rng, 0.6):
        waist = rng.uniform(0.82, 0.93)
        body = spline(
            [*start, (r, h * 0.28), (r * waist, h * 0.42), (r, h * 0.56), (r * 0.9, h * 0.68), (neck, split)],
            20,
        )
    else:
        body = np.array(
            [
                *start,
                (r, shoulder),
                *spline([(r, shoulder), (r * 0.9, (shoulder * 2 + split) / 3), (neck, split)], 7)[1:],
            ]
        )
    upper = np.array([(neck, split), (neck * rng.uniform(0.82, 1.0), h * 0.97), (neck * 0.95, h)])
    return body, upper


_BOTTLES = (
    "wine",
    "beer",
    "water",
    "spray",
    "jughandled",
    "flask",
    "jar",
    "round",
    "cone",
    "dispenser",
    "sport",
    "square",
)


def bottle(rng: np.random.Generator) -> list[Piece]:
    """Build a wine, beer or water bottle, flask, jar, spray, pump dispenser, can or sport bottle."""
    a = Assembly()
    style = pick(rng, _BOTTLES)
    r = 0.035 * rng.uniform(0.8, 1.3)
    slim = {
        "wine": 7.5,
        "beer": 6.5,
        "water": 6.0,
        "jar": 2.8,
        "round": 3.4,
        "cone": 4.5,
        "jughandled": 3.6,
        "square": 4,
    }
    h = r * slim.get(style, 4.6) * rng.uniform(0.8, 1.2)
    body, neck = _bottle_profile(rng, style, r, h)
    segments = int(rng.choice([12, 20, 28, 36]))
    material = (
        glass(rng)
        if style in ("wine", "beer") and chance(rng, 0.7)
        else made_of(rng, "plastic", "glass", "metal", "ceramic", "paint")
    )
    power = (
        rng.uniform(3.5, 7)
        if style == "square" or (style in ("spray", "jughandled", "dispenser") and chance(rng, 0.5))
        else 2.0
    )
    wide = rng.uniform(1.2, 1.8) if style in ("flask", "spray", "jughandled") and chance(rng, 0.6) else 1.0

    def shaped(mesh: Mesh) -> Mesh:
        return scale(section(mesh, power), [wide, 1, 1])

    if style == "water" and chance(rng, 0.5):
        a.add("body", section(lathe([(0, 0), *body], 40), 2, int(rng.integers(5, 16)), 0.05), material)
    else:
        a.add("body", shaped(lathe([(0, 0), *body], segments)), material)
    if wide == 1.0 or power == 2.0:
        a.add("neck", shaped(lathe(neck, segments)) if power == 2.0 else lathe(neck, segments), material)
    else:
        a.add("neck", lathe(neck * [wide, 1], segments), material)
    n = neck[-1, 0] * (wide if power != 2.0 else 1.0)
    cap = made_of(rng, "plastic", "plastic", "metal", "rubber", "wood")
    if chance(rng, 0.25) and style not in ("spray", "dispenser"):
        a.add("mouth", torus(n, n * 0.12, (0, h * 0.985, 0), segments=20, sides=8), material)
    if style == "spray":
        nozzle = box((n * 1.6, n * 1.6, n * 4.2), (0, h + n * 1.6, n * 1.0), bevel=n * 0.3)
        a.add(
            "closure",
            merge(
                cylinder(n * 1.2, n * 1.8, (0, h - n * 0.2, 0), 20),
                nozzle,
                cylinder(n * 0.35, n * 0.5, (0, h + n * 1.8, n * 3.2), 10, axis="z"),
            ),
            cap,
        )
        pull = spline([(h + n, n * 1.3), (h - n * 0.5, n * 2.2), (h - n * 2, n * 2.3)], 7)
        a.add(
            "lid_handle",
            tube(np.column_stack([np.zeros(7), pull]), n * 0.3, segments=8),
            made_of(rng, "plastic"),
        )
    elif style == "dispenser":
        arm = tube(
            [(0, h + n * 3, -n * 0.3), (0, h + n * 3.1, n * 2.4), (0, h + n * 2.5, n * 3)],
            n * 0.32,
            segments=8,
        )
        a.add(
            "closure",
            merge(
                cylinder(n * 1.2, n * 1.6, (0, h, 0), 20),
                cylinder(n * 0.3, n * 2.5, (0, h + n * 1.8, 0), 10),
                cylinder(n * 0.8, n * 0.5, (0, h + n * 3, 0), 16),
                arm,
            ),
            cap,
        )
    elif style == "sport":
        a.add(
            "lid",
            move(solid([(n * 1.5, 0), (n * 1.5, n), (n * 0.8, n * 1.5)], segments), (0, h * 0.95, 0)),
            cap,
        )
        if chance(rng, 0.5):
            a.add(
                "straw",
                rod((0, h * 0.95, 0), (n * 0.6, h * 0.95 + n * 3.4, 0), n * 0.24),
                made_of(rng, "plastic"),
            )
        else:
            a.add("lid_handle", loop("ring", (0, h + n * 0.2), (0, h + n * 1.9), n * 1.4, n * 0.2), cap)
    elif style == "wine" and chance(rng, 0.5):
        a.add("closure", cylinder(n * 0.8, n * 2.2, (0, h + n * 0.5, 0), 14), made_of(rng, "wood"))
    elif chance(rng, 0.85):
        tall = n * rng.uniform(0.7, 2.0)
        grooves = section(cylinder(n * 1.18, tall, (0, h - tall * 0.2, 0), 40), 2, 20, 0.04)
        a.add(
            "lid",
            grooves
            if chance(rng, 0.6)
            else cylinder(n * 1.2, tall, (0, h - tall * 0.2, 0), 20, top_radius=n * rng.uniform(0.7, 1.2)),
            cap,
        )
    if style == "jughandled" or (style in ("round", "flask") and chance(rng, 0.35)):
        y0, y1 = h * rng.uniform(0.25, 0.45), h * rng.uniform(0.78, 0.9)
        x0 = radius_at(body, y0) * wide * 0.95
        a.add(
            "handle",
            loop(
                pick(rng, ["c", "d", "ear"]),
                (x0, y0),
                (n * 0.9, y1),
                r * rng.uniform(0.2, 0.5),
                r * 0.12,
                1.3,
            ),
            material,
        )
    if chance(rng, 0.5) and style not in ("round", "cone") and power == 2.0 and wide == 1.0:
        y0, y1 = h * rng.uniform(0.12, 0.2), h * rng.uniform(0.36, 0.5)
        ys = np.linspace(y0, y1, 6)
        turn = np.linspace(0, np.pi * rng.choice([1.2, 2.0]), 25)
        wrap = np.array([[polar(radius_at(body, y) * 1.015, t, y) for t in turn] for y in ys])
        a.add("label", curved_sheet(wrap), paper_or_label(rng))
    if chance(rng, 0.12):
        a.add("bottom", cylinder(body[0, 0] * wide * 0.96, h * 0.02, (0, -h * 0.008, 0), 20), cap)
    return a.pieces


CATEGORIES = {"mug": mug, "bottle": bottle}
