# ruff: noqa: RUF005
"""Build cameras."""

import itertools

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material, glass, screen
from procparts.kit.mesh import Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, extrude, lathe, panel, rounded_box, tube
from procparts.kit.vessels import made_of, section, spline


def _lens(
    rng: np.random.Generator, a: Assembly, r: Scalar, length: Scalar, at: np.ndarray, material: Material
) -> None:
    """Add a lens barrel of steps along +z with ribbed rings and its front glass."""
    n = int(rng.integers(2, 5))
    cuts = np.linspace(0, length, n + 1)
    rows = [(r * 0.9, -length * 0.05)]
    for low, high in itertools.pairwise(cuts):
        k = r * rng.uniform(0.8, 1.0)
        rows += [(k, low), (k, high)]
    rows += [(r * 0.75, length), (r * 0.65, length * 0.9), (0, length * 0.88)]
    barrel = lathe(rows, 36)
    if chance(rng, 0.5):
        grip = section(
            lathe(
                [
                    (r * 0.9, length * 0.3),
                    (r * 1.05, length * 0.32),
                    (r * 1.05, length * 0.55),
                    (r * 0.9, length * 0.57),
                ],
                60,
            ),
            2.0,
            30,
            0.04,
        )
        barrel = merge(barrel, grip)
    a.add("lens", move(rotate(barrel, "x", np.pi / 2), at), material)
    if chance(rng, 0.2):
        a.add(
            "lens_cap",
            cylinder(r * 0.92, length * 0.08 + 0.002, at + [0, 0, length * 1.02], 28, axis="z"),
            made_of(rng, "plastic"),
        )
    else:
        dome = lathe(spline([(r * 0.7, 0), (r * 0.45, r * 0.12), (0, r * 0.2)], 6), 24)
        a.add("lens_glass", move(rotate(dome, "x", np.pi / 2), at + [0, 0, length * 0.9]), glass(rng))


def camera(rng: np.random.Generator) -> list[Piece]:
    """Build a reflex, compact, rangefinder, instant, box or folding camera; the lens looks along +z."""
    a = Assembly()
    style = pick(rng, ["slr", "slr", "compact", "rangefinder", "instant", "box", "twin"])
    w = 0.13 * rng.uniform(0.75, 1.15)
    h = (
        w
        * {"slr": 0.66, "compact": 0.6, "rangefinder": 0.55, "instant": 0.85, "box": 1.1, "twin": 1.45}[style]
        * rng.uniform(0.92, 1.1)
    )
    d = (
        w
        * {"slr": 0.38, "compact": 0.22, "rangefinder": 0.26, "instant": 0.5, "box": 1.2, "twin": 0.9}[style]
        * rng.uniform(0.9, 1.2)
    )
    if style in ("box", "twin"):
        w, h, d = w * 0.65, h * 0.65, d * 0.65
    shell = made_of(rng, "plastic", "plastic", "leather", "metal", "paint")
    metal = made_of(rng, "metal", "plastic")
    body = (
        rounded_box((w, h, d), d * rng.uniform(0.08, 0.3))
        if chance(rng, 0.7)
        else box((w, h, d), bevel=d * 0.06)
    )
    if style == "slr" and chance(rng, 0.8):
        body = merge(
            body, rounded_box((w * 0.2, h * 0.95, d * 0.7), d * 0.25, (-w * 0.4, -h * 0.01, d * 0.35))
        )
    a.add("body", body, shell)
    if style == "rangefinder" or (style in ("slr", "twin", "box") and chance(rng, 0.3)):
        a.add("body", box((w * 1.005, h * 0.2, d * 1.01), (0, h * 0.42, 0), bevel=d * 0.05), metal)
    x = w * {"slr": 0.08, "compact": rng.uniform(-0.1, 0.2)}.get(style, 0.0)
    r = (
        h
        * {"slr": 0.42, "compact": 0.3, "rangefinder": 0.32, "instant": 0.3, "box": 0.2, "twin": 0.17}[style]
        * rng.uniform(0.85, 1.08)
    )
    length = r * {"slr": rng.uniform(0.8, 3.5), "compact": rng.uniform(0.2, 0.9)}.get(
        style, rng.uniform(0.4, 1.2)
    )
    at = np.array([x, -h * (0.12 if style != "twin" else 0.22), d * 0.48])
    dark = made_of(rng, "plastic", "metal", "rubber")
    if style == "twin":
        plate = box((w * 0.7, h * 0.8, d * 0.12), (0, -h * 0.02, d * 0.52), bevel=d * 0.02)
        a.add("body", plate, shell)
        for y in (-0.22, 0.15):
            _lens(rng, a, r, length * 0.8, np.array([0, h * y, d * 0.56]), dark)
    else:
        _lens(rng, a, r, length, at, dark)
    top = h / 2
    if style == "slr":
        prism = np.array(
            [(-w * 0.17, -0.02 * h), (w * 0.17, -0.02 * h), (w * 0.1, h * 0.2), (-w * 0.1, h * 0.2)]
        )
        a.add("view_finder", extrude(prism, d * rng.uniform(0.8, 1.1), center=(x, top, 0)), shell)
        if chance(rng, 0.5):
            a.add(
                "flash",
                box((w * 0.2, h * 0.06, d * 0.35), (x, top + h * 0.2, d * 0.25), bevel=h * 0.01),
                metal,
            )
    elif style == "twin":
        hood = [box((w * 0.7, h * 0.16, w * 0.02), (0, top + h * 0.08, s * d * 0.3)) for s in (-1, 1)]
        hood += [box((w * 0.02, h * 0.16, d * 0.6), (s * w * 0.34, top + h * 0.08, 0)) for s in (-1, 1)]
        a.add("view_finder", merge(*hood), shell)
    else:
        wide = w * rng.uniform(0.09, 0.16)
        a.add(
            "view_finder",
            box(
                (wide, h * 0.12, d * 0.08), (rng.choice([-0.2, 0.28]) * w, h * 0.33, d * 0.5), bevel=h * 0.008
            ),
            made_of(rng, "plastic", "glass"),
        )
    if style in ("compact", "instant", "rangefinder") and chance(rng, 0.8):
        a.add(
            "flash",
            box(
                (w * rng.uniform(0.12, 0.28), h * 0.13, d * 0.07),
                (w * rng.choice([0.33, -0.34, 0.0]), h * 0.36, d * 0.5),
                bevel=h * 0.01,
            ),
            glass(rng) if chance(rng, 0.4) else made_of(rng, "paint", "metal"),
        )
    button_r = w * rng.uniform(0.022, 0.045)
    if style in ("box", "twin"):
        a.add("button", cylinder(button_r, w * 0.12, (w * 0.52, -h * 0.2, d * 0.2), 14, axis="x"), metal)
        a.add(
            "dial",
            merge(
                cylinder(button_r * 2, w * 0.1, (w * 0.53, h * 0.15, 0), 18, axis="x"),
                box((w * 0.04, h * 0.12, w * 0.03), (w * 0.6, h * 0.18, 0)),
            ),
            metal,
        )
    else:
        for k in range(int(rng.integers(1, 3))):
            a.add(
                "button",
                cylinder(
                    button_r, h * 0.1, (-w * (0.38 - 0.12 * k), top + h * 0.02, d * (0.25 - 0.2 * k)), 16
                ),
                metal,
            )
        for k in range(int(rng.integers(0, 3))):
            knurled = section(cylinder(w * 0.06, h * 0.1, segments=40), 2.0, 20, 0.05)
            a.add(
                "dial",
                move(knurled, (w * (0.38 - 0.62 * k) if k else w * 0.38, top + h * 0.045, -d * 0.1)),
                metal,
            )
        if chance(rng, 0.6):
            back = panel(w * 0.55, h * 0.6)
            display = rotate(back, "y", np.pi) if chance(rng, 0.5) else box((w * 0.55, h * 0.6, d * 0.05))
            a.add("display", move(display, (-w * 0.08, -h * 0.05, -d * 0.51)), screen(rng))
            for k in range(int(rng.integers(0, 5))):
                a.add(
                    "button",
                    cylinder(
                        button_r * 0.6, d * 0.08, (w * 0.33, h * 0.25 - h * 0.13 * k, -d * 0.5), 10, axis="z"
                    ),
                    metal,
                )
    if chance(rng, 0.2):
        side = w * 0.5
        path = spline(
            [
                (-side, h * 0.35, 0),
                (-side * 1.3, h * 1.0, -d * 0.6),
                (0, h * 1.9, -d * 1.2),
                (side * 1.3, h * 1.0, -d * 0.6),
                (side, h * 0.35, 0),
            ],
            19,
        )
        mesh = tube(path, w * 0.012, segments=5)
        a.add("strap", mesh, made_of(rng, "fabric", "leather"))
    return a.pieces


CATEGORIES = {"camera": camera}
