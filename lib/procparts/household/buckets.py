"""Build buckets."""

import numpy as np

from procparts.kit.fittings import Assembly, arch, chance, pick
from procparts.kit.mesh import Mesh, Piece, rotate
from procparts.kit.toolkit import box, cylinder, lathe, torus
from procparts.kit.vessels import bail, beak, hollow, loop_flat, made_of, radius_at, section, solid


def bucket(rng: np.random.Generator) -> list[Piece]:
    """Build a pail of plastic, metal or wood, a mop bucket, a paint tin or a flower bucket."""
    a = Assembly()
    style = pick(rng, ["pail", "metal", "wooden", "square", "tin", "tub", "spouted"])
    r = 0.14 * rng.uniform(0.8, 1.25)
    h = r * rng.uniform(1.4, 2.3) * (0.7 if style == "tub" else 1.0)
    low = r * (1.0 if style == "tin" else rng.uniform(0.65, 0.9))
    profile = np.array([(low, 0), (low + (r - low) * 0.05, h * 0.04), (r, h)])
    kinds = {"metal": ("metal",), "wooden": ("wood",), "tin": ("metal", "paint")}
    material = made_of(rng, *kinds.get(style, ("plastic", "plastic", "paint")))
    segments, power = int(rng.choice([16, 24, 32])), rng.uniform(4, 8) if style == "square" else 2.0

    def shaped(mesh: Mesh) -> Mesh:
        return section(mesh, power)

    body = shaped(hollow(profile, r * 0.04, segments))
    if style == "spouted":
        body = beak(profile, body, r * 0.35, h * 0.75)
    if style == "wooden" and chance(rng, 0.6):
        body = section(hollow(profile, r * 0.08, 48), 2.0, 16, 0.03)
    a.add("body", body, material)
    trim = material if chance(rng, 0.3) else made_of(rng, "metal", "plastic")
    if style in ("wooden", "metal") or chance(rng, 0.4):
        for y in [
            0.96,
            *([rng.uniform(0.12, 0.3)] if style == "wooden" else []),
            *([rng.uniform(0.55, 0.75)] if chance(rng, 0.4) else []),
        ]:
            x, t = radius_at(profile, h * y), r * 0.03
            band = lathe(
                [(x * 0.96, h * y - t), (x + t, h * y - t), (x + t, h * y + t), (x * 0.96, h * y + t)],
                segments,
                close=True,
            )
            a.add("band", shaped(band), trim)
    if chance(rng, 0.15):
        a.add("base", shaped(cylinder(low * 1.03, h * 0.05, (0, -h * 0.02, 0), segments)), trim)
    y = h * rng.uniform(0.86, 0.95)
    x = radius_at(profile, y)
    if style == "tub" and chance(rng, 0.7):
        for k in range(2):
            a.add("handle", rotate(loop_flat(x, r * 0.22, r * 0.35, y, r * 0.04), "y", k * np.pi), material)
    else:
        lean = rng.choice([0.0, rng.uniform(0.2, 1.0), rng.uniform(1.5, 1.75), -rng.uniform(0.2, 1.0)])
        rise = r * rng.uniform(0.85, 1.15)
        if abs(lean) > 1.2:
            rise = max(rise, r * 1.12)
        thick = r * rng.uniform(0.018, 0.035)
        pivot = x + r * 0.03
        if chance(rng, 0.25) and abs(lean) < 1.2:
            mesh = arch((-pivot, y, 0), (-pivot, y + rise, 0), thick * 1.2, r * 0.4, 8)
            mesh = rotate(mesh, "x", lean, (0, y, 0))
        else:
            mesh = bail(pivot, y, rise, thick, lean)
        a.add("handle", mesh, made_of(rng, "metal", "plastic"))
        if chance(rng, 0.4):
            grip = cylinder(thick * 2.4, r * 0.55, (0, y + rise, 0), 12, axis="x")
            a.add("grip", rotate(grip, "x", lean, (0, y, 0)), made_of(rng, "plastic", "wood", "rubber"))
        ear = r * rng.uniform(0.08, 0.14)
        kind = pick(rng, ["disc", "plate", "ring"])
        for s in (-1, 1):
            if kind == "disc":
                mesh = cylinder(ear, r * 0.07, (s * x, y, 0), 14, axis="x")
            elif kind == "plate":
                mesh = box((r * 0.07, ear * 2.4, ear * 1.6), (s * x, y, 0), bevel=r * 0.015)
            else:
                mesh = torus(ear * 0.8, ear * 0.22, (s * (x + r * 0.02), y, 0), "x", segments=14, sides=6)
            a.add("bracket", mesh, trim)
    if chance(rng, 0.45 if style == "tin" else 0.12):
        a.add(
            "lid",
            shaped(solid([(r * 1.04, h * 0.97), (r * 1.04, h * 1.03), (r * 0.9, h * 1.04)], segments)),
            made_of(rng, "plastic", "metal"),
        )
    return a.pieces


CATEGORIES = {"bucket": bucket}
