"""Build trash cans."""

import numpy as np

from procparts.kit.fittings import Assembly, arch, bent, chance, pick
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate, scale
from procparts.kit.toolkit import box, cylinder, lathe, rod, rounded_box, sphere, torus
from procparts.kit.vessels import around, hollow, made_of, polar, radius_at, section, solid, spline

_STYLES = ("pedal", "open", "swing", "wheeled", "wire", "dome", "street", "slatted", "square")


def _wheeled(rng: np.random.Generator, a: Assembly) -> None:
    """Add a wheeled bin with a hinged lid."""
    w, d, h = rng.uniform(0.45, 0.6), rng.uniform(0.5, 0.75), rng.uniform(0.85, 1.1)
    material, low = made_of(rng, "plastic"), rng.uniform(0.72, 0.88)
    wheel = rng.uniform(0.07, 0.12)
    profile = [(low / np.sqrt(2), 0.06), (1 / np.sqrt(2), h * 0.93)]
    shell = rotate(hollow(profile, 0.03, 4), "y", np.pi / 4)
    a.add("body", scale(shell, [w, 1, d]), material)
    a.add("rim", move(_square_ring(w * 1.06, d * 1.06, 0.04, 0.05), (0, h * 0.92, 0)), material)
    back = -d / 2
    lid_material = material if chance(rng, 0.5) else made_of(rng, "plastic")
    lid = box((w * 1.08, 0.05, d * 1.12), (0, h * 0.965, 0.01), bevel=0.015)
    if chance(rng, 0.5):
        lid = merge(lid, box((w * 0.8, 0.04, d * 0.8), (0, h * 0.965 + 0.04, 0), bevel=0.015))
    swing = -rng.uniform(0.4, 1.9) if chance(rng, 0.25) else 0.0
    a.add("lid", rotate(lid, "x", swing, (0, h * 0.96, back)), lid_material)
    for s in (-1, 1):
        a.add(
            "hinge",
            cylinder(0.022, 0.07, (s * w * 0.35, h * 0.955, back - 0.025), 10, axis="x"),
            lid_material,
        )
    grip = arch((w * 0.4, h * 0.92, back), (w * 0.4, h * 0.92, back - 0.09), 0.016, 0.04, 8)
    a.add("handle", grip, material)
    z = -low * d / 2 - wheel * 0.1
    a.add("axle", cylinder(0.015, w * 0.9, (0, wheel, z), 10, axis="x"), made_of(rng, "metal"))
    for s in (-1, 1):
        a.add(
            "wheel",
            merge(
                cylinder(wheel, 0.05, (s * w * 0.45, wheel, z), 22, axis="x"),
                cylinder(wheel * 0.4, 0.06, (s * w * 0.45, wheel, z), 12, axis="x"),
            ),
            made_of(rng, "rubber"),
        )
    if chance(rng, 0.5):
        a.add("foot", box((w * low * 0.7, 0.07, 0.04), (0, 0.035, low * d * 0.4)), material)


def _square_ring(w: Scalar, d: Scalar, h: Scalar, t: Scalar) -> Mesh:
    """Build a rectangular frame lying level, its underside at y = 0."""
    sides = [box((w, h, t), (0, h / 2, s * (d - t) / 2)) for s in (-1, 1)]
    return merge(*sides, *[box((t, h, d), (s * (w - t) / 2, h / 2, 0)) for s in (-1, 1)])


def _wire(rng: np.random.Generator, a: Assembly, r: Scalar, h: Scalar) -> None:
    """Add a wire basket."""
    low, material = r * rng.uniform(0.65, 1.0), made_of(rng, "metal", "paint")
    t, n = r * rng.uniform(0.025, 0.05), int(rng.integers(10, 22))
    if chance(rng, 0.4):
        a.add("basket", lathe([(low, t), (r, h)], 28), material)
    else:
        bars = around(n, lambda k: rod(polar(low, k, t), polar(r, k, h), t * 0.7, sides=5))
        if chance(rng, 0.5):
            for bar in bars:
                a.add("frame_bar", bar, material)
        else:
            a.add("basket", merge(*bars), material)
    a.add("bottom", cylinder(low, t, (0, t, 0), 24), material)
    for y in np.linspace(0, 1, int(rng.integers(2, 5))):
        a.add(
            "frame_ring",
            torus(low + (r - low) * y, t * 1.3, (0, t + (h - t) * y, 0), segments=24, sides=6),
            material,
        )


def _slatted(rng: np.random.Generator, a: Assembly, r: Scalar, h: Scalar) -> None:
    """Add a street bin clad in slats."""
    wood = made_of(rng, "wood", "metal", "plastic")
    lift = h * rng.uniform(0.06, 0.14)
    a.add(
        "body",
        move(hollow([(r * 0.85, 0), (r * 0.85, h * 0.95)], r * 0.04, 24), (0, lift, 0)),
        made_of(rng, "metal", "plastic"),
    )
    n = int(rng.integers(10, 18))
    wide = 2 * np.pi * r / n * rng.uniform(0.6, 0.85)
    slat = box((r * 0.08, h, wide), (r * 0.94, lift + h / 2, 0))
    for mesh in around(n, lambda t: rotate(slat, "y", t)):
        a.add("frame_bar", mesh, wood)
    for y in (0.12, 0.88):
        a.add(
            "frame_ring",
            torus(r * 0.9, r * 0.03, (0, lift + h * y, 0), segments=24, sides=6),
            made_of(rng, "metal"),
        )
    if chance(rng, 0.5):
        a.add("base", cylinder(r * 0.8, lift * 1.05, (0, lift / 2, 0), 24), made_of(rng, "stone", "metal"))
    else:
        for mesh in around(3, lambda t: rod(polar(r * 0.8, t), polar(r * 0.8, t, lift * 1.3), r * 0.06)):
            a.add("leg", mesh, made_of(rng, "metal"))


def trash_can(rng: np.random.Generator) -> list[Piece]:
    """Build a pedal, open, wire, swing-lid, wheeled, dome-topped or street bin."""
    a = Assembly()
    style = pick(rng, _STYLES)
    r, h = rng.uniform(0.12, 0.2), rng.uniform(0.3, 0.7)
    if style == "wheeled":
        _wheeled(rng, a)
        return a.pieces
    if style == "wire":
        _wire(rng, a, r, h)
        return a.pieces
    if style == "slatted":
        _slatted(rng, a, r, h)
        return a.pieces
    boxy = style == "square" or chance(rng, 0.3)
    power, deep = (rng.uniform(4, 14), rng.uniform(0.6, 1.0)) if boxy else (2.0, 1.0)
    segments = 40 if boxy else int(rng.choice([18, 26, 34]))

    def shaped(mesh: Mesh) -> Mesh:
        squared = section(mesh, power)
        return scale(squared, [1, 1, deep])

    low = r * (rng.uniform(0.65, 0.95) if style in ("open", "swing", "square") else rng.uniform(0.92, 1.0))
    profile = np.array([(low, 0), (r, h)])
    material = made_of(rng, "metal", "plastic", "plastic", "paint")
    trim = made_of(rng, "plastic", "metal", "rubber") if chance(rng, 0.6) else material
    lift = 0.03 if style in ("pedal", "dome", "street") or chance(rng, 0.2) else 0.0
    a.add("body", move(shaped(hollow(profile, r * 0.05, segments)), (0, lift, 0)), material)
    if lift:
        if chance(rng, 0.6):
            a.add("base", shaped(cylinder(low * 1.04, lift * 1.3, (0, lift * 0.65, 0), segments)), trim)
        else:
            for mesh in around(
                4,
                lambda t: cylinder(
                    r * 0.09, lift * 1.2, polar(low * 0.75, t + np.pi / 4, lift * 0.6) * [1, 1, deep], 10
                ),
            ):
                a.add("foot", mesh, trim)
    top = lift + h
    front, back = r * deep, -r * deep
    if style in ("open", "street", "square") or chance(rng, 0.4):
        t = r * rng.uniform(0.04, 0.09)
        rim = lathe(
            [(r * 0.95, -t), (r + t * 0.7, -t), (r + t * 0.7, t), (r * 0.95, t)], segments, close=True
        )
        a.add("rim", move(shaped(rim), (0, top, 0)), trim)
    if style == "pedal":
        dome = h * rng.uniform(0.03, 0.2)
        lid = solid(spline([(r * 1.03, 0), (r * 0.98, dome * 0.6), (r * 0.4, dome)], 8), segments)
        swing = -rng.uniform(0.5, 1.4) if chance(rng, 0.3) else 0.0
        a.add(
            "lid",
            move(rotate(shaped(lid), "x", swing, (0, 0, back)), (0, top, 0)),
            material if chance(rng, 0.5) else trim,
        )
        a.add("hinge", box((r * 0.5, h * 0.05, r * 0.14), (0, top, back - r * 0.03)), trim)
        wide = r * rng.uniform(0.35, 0.6)
        pedal = box((wide, 0.012, r * 0.45), (0, lift * 0.8, low * deep + r * 0.14), bevel=0.003)
        a.add("pedal", pedal, trim)
    elif style in ("swing", "dome"):
        rise = h * rng.uniform(0.15, 0.4)
        cover = spline([(r * 1.04, 0), (r * 0.98, rise * 0.4), (r * 0.75, rise * 0.8), (r * 0.15, rise)], 10)
        a.add(
            "lid_frame" if style == "swing" else "lid",
            move(shaped(lathe([*cover, (0, rise)], segments)), (0, top, 0)),
            trim,
        )
        if style == "swing":
            flap = rounded_box((r * 1.1, rise * 0.9, r * 0.08), r * 0.03)
            flap = rotate(flap, "x", -0.55 + rng.uniform(-0.5, 0.2))
            a.add("lid", move(flap, (0, top + rise * 0.55, front * 0.8)), material)
        elif chance(rng, 0.5):
            a.add(
                "lid_handle",
                merge(
                    cylinder(r * 0.06, r * 0.2, (0, top + rise + r * 0.05, 0), 8),
                    sphere(r * 0.12, (0, top + rise + r * 0.18, 0), segments=10),
                ),
                trim,
            )
    elif style == "street":
        for mesh in around(
            4, lambda t: rod(polar(r * 0.9, t, top), polar(r * 0.9, t, top + h * 0.3), r * 0.05)
        ):
            a.add("frame_bar", mesh, trim)
        roof = solid(spline([(r * 1.15, 0), (r * 1.1, h * 0.05), (r * 0.3, h * 0.16)], 8), segments)
        a.add("lid", move(roof, (0, top + h * 0.29, 0)), trim)
    elif chance(rng, 0.3):
        a.add(
            "lid",
            move(
                shaped(solid([(r * 1.05, 0), (r * 1.05, h * 0.04), (r * 0.95, h * 0.06)], segments)),
                (0, top, 0),
            ),
            material,
        )
        bow = arch((r * 0.3, 0, 0), (r * 0.3, h * 0.08, 0), r * 0.05, r * 0.1, 8)
        a.add("lid_handle", move(bow, (0, top + h * 0.05, 0)), trim)
    if chance(rng, 0.3) and style != "street":
        y = top - h * rng.uniform(0.12, 0.3)
        x = radius_at(profile, y - lift)
        for s in (-1, 1):
            grip = bent(
                [
                    (s * x * 0.96, y, -r * 0.3),
                    (s * (x + r * 0.18), y, -r * 0.3),
                    (s * (x + r * 0.18), y, r * 0.3),
                    (s * x * 0.96, y, r * 0.3),
                ],
                r * 0.045,
                r * 0.1,
                8,
            )
            a.add("handle", grip, trim)
    return a.pieces


CATEGORIES = {"trash_can": trash_can}
