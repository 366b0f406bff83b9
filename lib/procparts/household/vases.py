"""Build vases and plant pots."""

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate, scale
from procparts.kit.toolkit import curved_sheet, cylinder, lathe, rod, sphere, torus, tube
from procparts.kit.vessels import around, hollow, loop, made_of, polar, radius_at, section, solid, spline


def _plant(rng: np.random.Generator, r: Scalar, top: Scalar, h: Scalar) -> Mesh:
    """Add stems with leaves or flowers out of an opening of radius `r` at height `top`."""
    kind = pick(rng, ["leaves", "flowers", "grass", "bush", "succulent"])
    out = []
    if kind == "bush":
        for _ in range(int(rng.integers(4, 9))):
            s = h * rng.uniform(0.2, 0.35)
            out.append(
                sphere(s, rng.normal(0, 0.22 * h, 3) * [1, 0.5, 1] + [0, top + h * 0.5, 0], segments=8)
            )
        return merge(rod((0, top - h * 0.1, 0), (0, top + h * 0.4, 0), r * 0.15), *out)
    for _ in range(int(rng.integers(5, 14))):
        angle, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.75)
        tall = h * rng.uniform(0.55, 1.1)
        base = polar(r * 0.3, angle, top - h * 0.12)
        tip = polar(r * 0.4 + tall * lean, angle, top + tall * np.cos(lean))
        mid = (base + tip) / 2 + [0, tall * 0.15, 0]
        path = spline([base, mid, tip], 7)
        width = (
            h
            * {"grass": 0.035, "leaves": 0.1, "succulent": 0.13}.get(kind, 0.015)
            * np.sin(np.linspace(0.25, np.pi, 7))
        )
        if kind == "flowers":
            out.append(tube(path, h * 0.012, segments=5))
            petals = [sphere(h * 0.05, tip + polar(h * 0.07, 1.2566 * k), (1, 0.5, 1), 6) for k in range(5)]
            out.append(merge(sphere(h * 0.05, tip, segments=8), *petals))
        else:
            side = np.cross(path[-1] - path[0], [0, 1, 0])
            side /= max(np.linalg.norm(side), 1e-9)
            out.append(curved_sheet(np.stack([path - side * width[:, None], path + side * width[:, None]])))
    return merge(*out)


_VASES = (
    "cylinder",
    "trumpet",
    "amphora",
    "bulb",
    "bottle",
    "bowl",
    "pot",
    "square",
    "ginger",
    "urn",
    "teardrop",
)


def vase(rng: np.random.Generator) -> list[Piece]:
    """Build a flower vase, amphora, ginger jar or plant pot, with neck, feet, handles, lid and plants."""
    a = Assembly()
    style = pick(rng, _VASES)
    r, h = 0.1 * rng.uniform(0.7, 1.3), 0.3 * rng.uniform(0.7, 1.4)
    if style in ("bowl", "pot", "square"):
        h *= 0.6
    n, b = r * rng.uniform(0.3, 0.6), r * rng.uniform(0.4, 0.75)
    rows: dict[str, tuple[list[tuple[float, float]], list[tuple[float, float]]]] = {
        "cylinder": ([(r * 0.7, 0), (r * 0.72, h * 0.05), (r * rng.uniform(0.6, 0.95), h)], []),
        "trumpet": (
            [(b * 1.1, 0), (b * 0.8, h * 0.15), (b * 0.95, h * 0.6)],
            [(b * 0.95, h * 0.6), (r * 1.2, h)],
        ),
        "amphora": (
            [(b * 0.5, 0), (r * 0.9, h * 0.4), (r, h * 0.55), (n, h * 0.72)],
            [(n, h * 0.72), (n * 0.9, h * 0.88), (n * 1.4, h)],
        ),
        "bulb": (
            [(b, 0), (r * 1.15, h * 0.3), (r * 0.9, h * 0.55), (n, h * 0.72)],
            [(n, h * 0.72), (n * 0.85, h * 0.85), (n * 1.3, h)],
        ),
        "bottle": (
            [(b, 0), (r * 0.9, h * 0.2), (r * 0.7, h * 0.4), (n * 0.6, h * 0.55)],
            [(n * 0.6, h * 0.55), (n * 0.5, h * 0.8), (n * 0.7, h)],
        ),
        "bowl": ([(b, 0), (r * 1.2, h * 0.45), (r * 1.3, h * 0.75), (r * 1.15, h)], []),
        "pot": ([(r * 0.7, 0), (r * 0.98, h * 0.82), (r, h)], []),
        "square": ([(r * 0.75, 0), (r * rng.uniform(0.75, 1.1), h)], []),
        "ginger": (
            [(b, 0), (r * 0.75, h * 0.25), (r * 1.1, h * 0.65), (n * 1.1, h * 0.85)],
            [(n * 1.1, h * 0.85), (n * 1.1, h)],
        ),
        "urn": (
            [(b * 0.5, 0), (r * 0.5, h * 0.12), (r, h * 0.55), (r * 0.8, h * 0.75)],
            [(r * 0.8, h * 0.75), (r * 0.75, h * 0.85), (r * 1.15, h)],
        ),
        "teardrop": (
            [(r, 0), (r * 1.1, h * 0.15), (r * 0.6, h * 0.55), (n * 0.6, h * 0.8)],
            [(n * 0.6, h * 0.8), (n * 0.75, h)],
        ),
    }
    lower, upper = rows[style]
    sharp = style in ("pot", "square")
    body = np.array(lower, dtype=float) if sharp else spline(lower, 16)
    material = made_of(
        rng, "ceramic", "ceramic", "ceramic", "glass", "stone", "metal", "wood", "plastic", "paint"
    )
    segments = int(rng.choice([6, 8, 16, 28, 36], p=[0.08, 0.07, 0.2, 0.35, 0.3]))
    power = rng.uniform(5, 12) if style == "square" else 2.0
    flutes, depth = (
        (int(rng.integers(6, 18)), rng.uniform(0.03, 0.1)) if chance(rng, 0.2) and not sharp else (0, 0.0)
    )
    if flutes:
        segments = 52

    lift = h * rng.uniform(0.05, 0.2) if chance(rng, 0.4) else 0.0

    def shaped(mesh: Mesh) -> Mesh:
        return move(section(mesh, power, flutes, depth), (0, lift, 0))

    wall = r * 0.06
    mouth = float((upper or lower)[-1][0])
    if upper:
        a.add("body", shaped(lathe([(0, 0), *body], segments)), material)
        a.add(
            "neck", shaped(hollow(spline(upper, 10), min(wall, mouth * 0.2), segments, floor=False)), material
        )
    else:
        if style == "pot" and chance(rng, 0.5):
            body = np.array([*lower[:-2], (r * 0.9, h * 0.8), (r, h * 0.8), (r, h)])
        a.add("body", shaped(hollow(body, wall, segments)), material)
    base_r = float(lower[0][0])
    if lift:
        trim = material if chance(rng, 0.5) else made_of(rng, "wood", "metal", "ceramic", "stone")
        kind = pick(rng, ["pedestal", "ring", "feet", "bracket", "plate"])
        if kind == "feet":
            for mesh in around(
                int(rng.integers(3, 5)),
                lambda t: rod(polar(base_r * 0.9, t), polar(base_r * 0.75, t, lift * 1.2), r * 0.06),
            ):
                a.add("foot", mesh, trim)
        elif kind == "bracket":
            ring_r, y = radius_at(body, h * 0.1) * 1.03, lift + h * 0.1
            legs = around(4, lambda t: tube(_stand_leg(ring_r, t, y, r), r * 0.04, segments=6))
            a.add(
                "bracket",
                merge(torus(ring_r, r * 0.04, (0, y, 0), sides=6), *legs),
                made_of(rng, "metal", "wood"),
            )
        elif kind == "plate":
            plate = hollow([(r * 0.9, 0), (r * 1.05, lift * 0.9)], r * 0.05, segments)
            a.add(
                "base", merge(plate, cylinder(base_r * 0.98, lift, (0, lift / 2 + 0.001, 0), segments)), trim
            )
        else:
            bulge = 1.3 if kind == "pedestal" else 0.95
            a.add(
                "base",
                solid(
                    spline(
                        [
                            (base_r * bulge, 0),
                            (base_r * bulge * 0.9, lift * 0.3),
                            (base_r * 0.7, lift * 0.7),
                            (base_r * 0.95, lift * 1.04),
                        ],
                        10,
                    ),
                    segments,
                ),
                trim,
            )
    if (style in ("amphora", "urn") and chance(rng, 0.75)) or chance(rng, 0.05):
        y0, y1 = h * rng.uniform(0.45, 0.6), h * rng.uniform(0.8, 0.95)
        everything = np.concatenate([body, np.array(upper)]) if upper else body
        grip = loop(
            pick(rng, ["c", "ear", "d"]),
            (radius_at(everything, y0) * 0.95, y0),
            (radius_at(everything, y1) * 0.93, y1),
            r * rng.uniform(0.1, 0.45),
            r * 0.07,
            1.3,
        )
        for k in range(2 if chance(rng, 0.85) else 1):
            a.add("handle", move(rotate(grip, "y", k * np.pi), (0, lift, 0)), material)
    top = lift + h
    if style == "ginger" or chance(rng, 0.05):
        cover = solid(
            spline([(mouth * 1.15, -h * 0.02), (mouth * 1.1, h * 0.06), (mouth * 0.3, h * 0.13)], 9), segments
        )
        a.add(
            "lid",
            move(merge(cover, sphere(mouth * 0.25, (0, h * 0.16, 0), segments=12)), (0, top, 0)),
            material,
        )
    else:
        wide = style in ("pot", "bowl", "square", "cylinder", "urn")
        if chance(rng, 0.6 if wide else 0.4):
            if wide and not flutes:
                level = h * 0.88
                soil = cylinder(
                    radius_at(body, level) * 0.97 if not upper else mouth * 0.8,
                    h * 0.05,
                    (0, level, 0),
                    segments,
                )
                a.add("soil", shaped(soil), made_of(rng, "stone", "leather"))
            tall = h * rng.uniform(0.4, 1.1) + r * 0.4
            a.add(
                "plant",
                _plant(rng, mouth * (0.9 if wide else 0.6), top - (h * 0.1 if wide else 0), tall),
                _greens(rng),
            )
    if chance(rng, 0.1) and not upper and not lift:
        a.add(
            "bottom",
            shaped(scale(cylinder(base_r * 1.03, h * 0.03, (0, 0, 0), segments), (1, 1, 1))),
            material,
        )
    return a.pieces


def _stand_leg(ring: Scalar, angle: Scalar, y: Scalar, r: Scalar) -> np.ndarray:
    """Return the path (n, 3) of a stand's leg from its ring down to the ground."""
    return spline(
        [polar(ring, angle, y), polar(ring + r * 0.12, angle, y * 0.5), polar(ring + r * 0.02, angle, 0)], 6
    )


def _greens(rng: np.random.Generator) -> Material:
    """Draw a leaf-like material."""
    paint = made_of(rng, "paint")
    paint.image = None
    paint.base_color = (rng.uniform(0.1, 0.4), rng.uniform(0.35, 0.7), rng.uniform(0.08, 0.3), 1.0)
    return paint


CATEGORIES = {"vase": vase}
