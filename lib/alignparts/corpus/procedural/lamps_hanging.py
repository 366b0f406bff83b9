# ruff: noqa: RUF005
"""Lamps on ceilings and walls."""

import numpy as np

from alignparts.corpus.procedural import lamp_parts as parts
from alignparts.corpus.procedural.fittings import Assembly, chance, pick, turned_profile
from alignparts.corpus.procedural.mesh import merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, cylinder, rod, sphere, torus, tube
from alignparts.corpus.procedural.vessels import chain, made_of, polar, solid, spline


def pendant(rng: np.random.Generator, a: Assembly) -> None:
    """One or several shades that hang from a rose or a bar."""
    n = int(rng.choice([1, 1, 1, 2, 3, 4, 5]))
    size = rng.uniform(0.2, 0.45) / np.sqrt(n)
    drop = rng.uniform(0.25, 0.8) * np.sqrt(np.sqrt(n)) * 0.8
    trim = made_of(rng, "metal", "plastic", "wood")
    gap = size * rng.uniform(1.2, 1.8)
    ring = n > 2 and chance(rng, 0.4)
    spots = [
        polar(gap * 0.6, 2 * np.pi * k / n) if ring else np.array([gap * (k - (n - 1) / 2), 0, 0])
        for k in range(n)
    ]
    top = drop
    if ring or n == 1:
        a.add(
            "mount",
            solid(
                [(size * 0.3 + ring * gap * 0.6, top), (size * 0.3 + ring * gap * 0.55, top + size * 0.12)],
                22,
            ),
            trim,
        )
    else:
        a.add(
            "mount",
            box((gap * n * 0.9, size * 0.12, size * 0.25), (0, top + size * 0.05, 0), bevel=0.004),
            trim,
        )
    kind, seed = pick(rng, ["cord", "chain", "rod"]), int(rng.integers(1 << 30))
    hang = made_of(rng, "metal", "plastic", "rubber")
    vary = chance(rng, 0.4)
    for spot in spots:
        low = drop * rng.uniform(0.0, 0.5) * (vary and n > 1)
        a_low, high = spot + [0, low, 0], spot + [0, top + size * 0.02, 0]
        if kind == "chain":
            a.add("chain", chain(a_low, high, size * 0.12), hang)
        else:
            a.add(
                "cord" if kind == "cord" else "pole",
                rod(a_low, high, size * (0.012 if kind == "cord" else 0.035), sides=8),
                hang,
            )
        if chance(rng, 0.1):
            a.add(
                "hook",
                move(
                    torus(size * 0.06, size * 0.015, axis="z", arc=5.0, segments=14, sides=6),
                    high - [0, size * 0.05, 0],
                ),
                hang,
            )
        parts.head(np.random.default_rng(seed), a, a_low, size, upward=False)


def wall(rng: np.random.Generator, a: Assembly) -> None:
    """A plate with one to three arms; it faces +z."""
    s = rng.uniform(0.18, 0.3)
    trim = made_of(rng, "metal", "metal", "wood", "ceramic", "paint")
    plate = pick(rng, ["disc", "board", "slab"])
    if plate == "disc":
        back = rotate(parts.foot_disc(rng, s * 0.3, s * 0.1), "x", np.pi / 2)
    else:
        back = box(
            (s * 0.35, s * (1.1 if plate == "board" else 0.5), s * 0.07), (0, 0, s * 0.03), bevel=s * 0.02
        )
    a.add("mount", back, trim)
    n = int(rng.choice([1, 1, 2, 2, 3]))
    reach, upward = s * rng.uniform(0.4, 0.9), chance(rng, 0.6)
    seed, rise, dip = int(rng.integers(1 << 30)), s * rng.uniform(-0.1, 0.4), s * rng.uniform(-0.3, 0.3)
    for k in range(n):
        x = s * 0.6 * (k - (n - 1) / 2)
        tip = np.array([x, rise, reach])
        if not upward:
            tip[1] = rise * 0.5
        a.add(
            "arm",
            tube(
                spline([(0, 0, s * 0.04), (x * 0.5, dip, reach * 0.6), tip + [0, -s * 0.02, 0]], 10),
                s * 0.035,
                segments=8,
            ),
            trim,
        )
        parts.head(
            np.random.default_rng(seed),
            a,
            tip,
            s * rng.uniform(0.7, 0.75) * (1 if n == 1 else 0.75),
            upward=upward,
            simple=n > 1,
        )
    if chance(rng, 0.2):
        a.add(
            "switch",
            rod((s * 0.1, -s * 0.1, s * 0.05), (s * 0.1, -s * 0.5, s * 0.06), s * 0.01, s * 0.02),
            made_of(rng, "metal"),
        )


def chandelier(rng: np.random.Generator, a: Assembly) -> None:
    """Arms or a ring of lights below a chain."""
    r, n = rng.uniform(0.3, 0.5), int(rng.integers(3, 9))
    trim = made_of(rng, "metal", "metal", "wood", "glass", "paint")
    h, drop = r * rng.uniform(0.5, 1.3), r * rng.uniform(0.4, 1.5)
    style = pick(rng, ["arms", "ring", "wheel", "sputnik"])
    body = (
        np.array([(x, y * h) for x, y in turned_profile(rng, r * 0.13)[1:-1]])
        if style == "arms"
        else np.array([(r * 0.03, 0), (r * 0.03, h)])
    )
    a.add("body" if style == "arms" else "pole", solid(body, 14), trim)
    low, high = np.array([0, h * 0.97, 0]), np.array([0, h + drop, 0])
    if chance(rng, 0.6):
        a.add("chain", chain(low, high, r * 0.12), made_of(rng, "metal"))
    else:
        a.add("pole", rod(low, high, r * 0.03), trim)
    a.add("mount", solid([(r * 0.24, h + drop), (r * 0.2, h + drop + r * 0.08)], 18), trim)
    upward = chance(rng, 0.75)
    seed, size = int(rng.integers(1 << 30)), r * rng.uniform(0.4, 0.55) * (4 / n) ** 0.3
    y = h * rng.uniform(0.1, 0.4)
    curl = rng.uniform(-0.5, 0.1) * r
    if style in ("ring", "wheel"):
        a.add("ring", torus(r, r * rng.uniform(0.025, 0.06), (0, y, 0), segments=32, sides=8), trim)
    for k in range(n):
        t = 2 * np.pi * k / n
        tip = polar(r, t, y + (r * 0.12 if style == "arms" else 0))
        if style == "sputnik":
            tip = polar(r * np.cos(k * 2.1), t, h * 0.5 + 0.7 * r * np.sin(k * 2.1))
            a.add("arm", rod((0, h * 0.5, 0), tip, r * 0.018), trim)
            a.add("bulb", sphere(r * 0.09, tip, segments=10), parts.glow(rng))
            continue
        if style == "wheel":
            a.add("chain", rod(tip, (0, h * 0.98, 0), r * 0.012, sides=6), made_of(rng, "metal"))
        else:
            a.add(
                "arm",
                tube(spline([(0, y, 0), polar(r * 0.55, t, y + curl), tip], 9), r * 0.025, segments=7),
                trim,
            )
        if chance(rng, 0.45) and upward and seed % 2:
            a.add(
                "candle",
                cylinder(r * 0.045, r * 0.25, tip + [0, r * 0.12, 0], 10),
                made_of(rng, "paint", "ceramic"),
            )
            a.add("bulb", move(parts.bulb(rng, r * 0.07), tip + [0, r * 0.235, 0]), parts.glow(rng))
        else:
            parts.head(np.random.default_rng(seed), a, tip, size, upward=upward, simple=True)
        if seed % 3 == 0:
            beads = merge(
                *[sphere(r * 0.03, tip - [0, r * 0.06 * (j + 0.6), 0], (0.7, 1.2, 0.7), 6) for j in range(3)]
            )
            a.add("crystal", beads, made_of(rng, "glass"))
    if chance(rng, 0.5) and style in ("arms", "ring"):
        a.add("finial", sphere(r * 0.07, (0, -r * 0.03, 0), (1, 1.4, 1), 12), trim)


def ceiling(rng: np.random.Generator, a: Assembly) -> None:
    """A flush bowl, or spots along a track."""
    r, trim = rng.uniform(0.15, 0.3), made_of(rng, "metal", "plastic", "wood")
    if chance(rng, 0.45):
        n, length = int(rng.integers(2, 6)), r * rng.uniform(3, 5)
        a.add("track", box((length, r * 0.1, r * 0.15), (0, 0, 0), bevel=r * 0.01), trim)
        for k in range(n):
            x, turn = length * ((k + 0.5) / n - 0.5), rng.uniform(-0.8, 0.8)
            a.add("arm", rod((x, -r * 0.04, 0), (x, -r * 0.4, 0), r * 0.03), trim)
            _, mesh = parts.reflector(rng, r * 0.18, r * 0.45, bar=False)
            a.add("shade", move(rotate(mesh, "x", turn), (x, -r * 0.38, 0)), trim)
            a.add(
                "bulb",
                move(rotate(sphere(r * 0.12, (0, -r * 0.38, 0), segments=10), "x", turn), (x, -r * 0.38, 0)),
                parts.glow(rng),
            )
        return
    a.add("mount", cylinder(r * 0.9, r * 0.14, (0, 0, 0), 28), trim)
    dome = r * rng.uniform(0.25, 0.6)
    if chance(rng, 0.6):
        bowl = spline([(r * 0.04, -dome), (r * 0.7, -dome * 0.7), (r, -r * 0.05)], 10)
        a.add("shade", solid(bowl, 28), made_of(rng, "glass", "paint", "ceramic"))
    else:
        a.add(
            "shade", cylinder(r * 1.1, dome, (0, -dome / 2, 0), 30), made_of(rng, "fabric", "glass", "paint")
        )
    if chance(rng, 0.6):
        a.add("finial", sphere(r * 0.07, (0, -dome - r * 0.03, 0), segments=10), trim)
