"""Clocks: wall, table, alarm, mantel, digital, pendulum, cuckoo and pocket."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick
from alignparts.corpus.procedural.materials import Material, glass, screen
from alignparts.corpus.procedural.mesh import Mesh, Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, curved_sheet, cylinder, extrude, lathe, outline, rod, rounded_box, sphere, torus, tube
from alignparts.corpus.procedural.vessels import around, chain, made_of, polar, section, solid, spline


def _hand(rng: np.random.Generator, style: str, length: float, wide: float, thick: float) -> Mesh:
    """A clock hand in the x-y plane that points up from the origin."""
    w, n = wide / 2, length
    outlines = {
        "bar": [(-w, -0.12 * n), (w, -0.12 * n), (w, n), (-w, n)],
        "taper": [(-w, -0.15 * n), (w, -0.15 * n), (w * 0.25, n), (-w * 0.25, n)],
        "leaf": [(-w * 0.5, -0.1 * n), (w * 0.5, -0.1 * n), (w * 1.4, 0.5 * n), (0, n), (-w * 1.4, 0.5 * n)],
        "spade": [(-w * 0.4, -0.1 * n), (w * 0.4, -0.1 * n), (w * 0.4, 0.65 * n), (w * 2, 0.78 * n), (0, n), (-w * 2, 0.78 * n), (-w * 0.4, 0.65 * n)],
    }
    return extrude(np.array(outlines[style]), thick)


def _dial(rng: np.random.Generator, a: Assembly, r: float, z: float, plate: Mesh, half: float = 1.0) -> None:
    """Dial plate, marks and hands facing +z about (0, 0, z); `half` squeezes the ring of marks for square dials."""
    paper = made_of(rng, "paint", "paint", "ceramic", "wood", "metal", "paper_or_label")
    a.add("face", plate, paper)
    ink = made_of(rng, "metal", "plastic", "paint")
    marks = pick(rng, ["ticks", "dots", "blocks", "none", "quarters"])
    count, step = (4, 3) if marks == "quarters" else (12, 1)
    if marks != "none":
        size = r * rng.uniform(0.04, 0.07)
        for k in range(count):
            t = k * step * np.pi / 6
            at = np.array([np.sin(t), np.cos(t), 0]) * r * 0.84 * half + [0, 0, z]
            if marks == "dots":
                mesh = move(cylinder(size * 0.6, r * 0.03, axis="z", segments=10), at)
            else:
                tall = size * (2.6 if k * step % 3 == 0 else 1.7) if marks != "blocks" else size * 1.8
                wide = size * (0.7 if marks != "blocks" else 1.3)
                mesh = move(rotate(box((wide, tall, r * 0.03)), "z", -t), at)
            a.add("number", mesh, ink)
    style = pick(rng, ["bar", "taper", "leaf", "spade"])
    hour, minute = rng.uniform(0, 2 * np.pi, 2)
    wide = r * rng.uniform(0.04, 0.09)
    steel = made_of(rng, "metal", "plastic", "paint")
    long = r * rng.uniform(0.68, 0.85) * half
    a.add("hour_hand", move(rotate(_hand(rng, style, long * 0.62, wide * 1.3, r * 0.018), "z", -hour), (0, 0, z + r * 0.04)), steel)
    a.add("minute_hand", move(rotate(_hand(rng, style, long, wide, r * 0.018), "z", -minute), (0, 0, z + r * 0.06)), steel)
    if chance(rng, 0.5):
        tick = move(rotate(_hand(rng, "taper", long * 1.02, wide * 0.4, r * 0.012), "z", -rng.uniform(0, 6.28)), (0, 0, z + r * 0.08))
        a.add("second_hand", tick, made_of(rng, "paint", "metal"))
    a.add("axis", cylinder(wide * rng.uniform(0.7, 1.1), r * 0.12, (0, 0, z + r * 0.05), 12, axis="z"), steel)


def _round(rng: np.random.Generator, a: Assembly, r: float, depth: float, material: Material) -> None:
    """A round movement with its axis along z about the origin: rim, back, dial, maybe a glass."""
    rim = r * rng.uniform(0.06, 0.2)
    kind = pick(rng, ["round", "square", "step", "torus"])
    n = int(rng.choice([8, 12, 32, 40], p=[0.07, 0.06, 0.5, 0.37]))
    d = depth
    if kind == "torus":
        ring = torus(r - rim * 0.4, rim * 0.6, (0, 0, d * 0.3), axis="z", segments=n)
    else:
        rows = {
            "round": [(r - rim, 0), (r, 0), (r, d * 0.7), (r - rim * 0.5, d), (r - rim, d * 0.8)],
            "square": [(r - rim, 0), (r, 0), (r, d), (r - rim, d)],
            "step": [(r - rim, 0), (r * 1.02, 0), (r * 1.02, d * 0.35), (r - rim * 0.5, d * 0.5), (r - rim * 0.5, d), (r - rim, d)],
        }
        ring = rotate(lathe(rows[kind], n, close=True), "x", np.pi / 2)
    a.add("frame", ring, material)
    back = d * 0.25
    if chance(rng, 0.5):
        a.add("back", cylinder(r * 0.96, back, (0, 0, back * 0.45), n, axis="z"), made_of(rng, "plastic", "wood", "metal"))
    z = back
    plate = cylinder(r - rim * 0.6, d * 0.12, (0, 0, z), n, axis="z")
    _dial(rng, a, r - rim, z + d * 0.05, plate)
    if chance(rng, 0.2):
        bulge, wide = r * rng.uniform(0.16, 0.24), r - rim * 0.7
        dome = lathe(spline([(wide, 0), (wide * 0.8, bulge * 0.7), (0, bulge)], 7), n)
        a.add("glass", move(rotate(dome, "x", np.pi / 2), (0, 0, z + d * 0.05)), glass(rng))


def _wall(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.12, 0.22)
    depth = r * rng.uniform(0.15, 0.35)
    material = made_of(rng, "wood", "metal", "plastic", "paint")
    style = pick(rng, ["round", "round", "square", "sun", "bare"])
    if style == "square":
        w, h = r * rng.uniform(0.85, 1.0), r * rng.uniform(0.85, 1.0)
        t = r * rng.uniform(0.08, 0.18)
        corner = r * rng.choice([0.03, 0.3])
        outer, inner = outline(2 * w, 2 * h, corner), outline(2 * (w - t), 2 * (h - t), corner * 0.7)
        a.add("frame", _frame(outer, inner, depth), material)
        plate = extrude(outline(2 * (w - t * 0.6), 2 * (h - t * 0.6), corner * 0.7), depth * 0.2, center=(0, 0, -depth * 0.25))
        _dial(rng, a, min(w, h) - t, -depth * 0.14, plate)
    elif style == "bare":
        a.add("back", cylinder(r * 0.2, depth, (0, 0, -depth * 0.5), 16, axis="z"), material)
        _dial(rng, a, r, 0.0, section_plate(rng, r, depth * 0.15))
    else:
        _round(rng, a, r, depth, material)
        if style == "sun":
            n = int(rng.choice([12, 16, 24]))
            rays = [rotate(move(_hand(rng, "taper", r * rng.uniform(0.5, 0.8), r * 0.1, depth * 0.3), (0, r * 0.95, depth * 0.3)), "z", 2 * np.pi * k / n) for k in range(n)]
            a.pieces[0] = Piece("frame", merge(a.pieces[0].mesh, *rays), material)
    if chance(rng, 0.3):
        top = max(float(p.mesh.bounds()[1, 1]) for p in a.pieces if p.part in ("frame", "back", "face"))
        a.add("hanger", torus(r * 0.08, r * 0.018, (0, top + r * 0.05, 0), "z", segments=14, sides=6), made_of(rng, "metal"))


def section_plate(rng: np.random.Generator, r: float, thick: float) -> Mesh:
    """A dial plate facing +z: round, square or polygonal."""
    kind = pick(rng, ["round", "square", "polygon", "flower"])
    disc = cylinder(r, thick, segments=int(rng.integers(6, 13)) if kind == "polygon" else 48)
    if kind == "square":
        disc = section(disc, 8.0)
    elif kind == "flower":
        disc = section(disc, 2.0, int(rng.integers(6, 13)), 0.12)
    return rotate(disc, "x", np.pi / 2)


def _frame(outer: np.ndarray, inner: np.ndarray, depth: float) -> Mesh:
    """A flat frame between two polygons of as many points, `depth` thick about z = 0."""
    rings = [np.column_stack([p, np.full(len(p), z)]) for p, z in ((inner, -depth / 2), (outer, -depth / 2), (outer, depth / 2), (inner, depth / 2), (inner, -depth / 2))]
    return curved_sheet(np.stack([np.concatenate([q, q[:1]]) for q in rings])).flipped()


def _alarm(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.045, 0.065)
    depth = r * rng.uniform(0.6, 1.0)
    material = made_of(rng, "metal", "paint", "plastic")
    _round(rng, a, r, depth, material)
    a.add("back", cylinder(r * 0.97, depth * 0.4, (0, 0, depth * 0.1), 28, axis="z"), material)
    trim = made_of(rng, "metal", "paint")
    for s in (-1, 1):
        foot = np.array([s * 0.62, -1.25, 0]) * r + [0, 0, depth * 0.4]
        a.add("foot", merge(rod(np.array([s * 0.5, -0.8, 0]) * r + [0, 0, depth * 0.4], foot, r * 0.07), sphere(r * 0.1, foot, segments=8)), trim)
    if chance(rng, 0.75):
        for s in (-1, 1):
            axis = np.array([s * 0.55, 0.85, 0])
            stem, at = axis * r * 0.9, axis * r * 1.22
            a.add("alarm_connector", rod(stem + [0, 0, depth * 0.4], at + [0, 0, depth * 0.4], r * 0.05), trim)
            bell = solid(spline([(r * 0.42, 0), (r * 0.36, r * 0.2), (r * 0.05, r * 0.34)], 8), 18)
            a.add("alarm_bell", move(rotate(bell, "z", -s * 0.57), at + [0, 0, depth * 0.4]), trim)
        if chance(rng, 0.7):
            grip = bent([(-r * 0.6, r * 1.3, 0), (-r * 0.5, r * 1.95, 0), (r * 0.5, r * 1.95, 0), (r * 0.6, r * 1.3, 0)], r * 0.05, r * 0.4, 8)
            a.add("hanger", move(grip, (0, 0, depth * 0.4)), trim)
    else:
        a.add("button", cylinder(r * 0.25, r * 0.25, (0, r * 1.02, depth * 0.4), 14), made_of(rng, "plastic", "metal"))


def _mantel(rng: np.random.Generator, a: Assembly) -> None:
    w, h, d = rng.uniform(0.1, 0.22), rng.uniform(0.16, 0.28), rng.uniform(0.05, 0.09)
    wood = made_of(rng, "wood", "wood", "stone", "metal", "ceramic")
    kind = pick(rng, ["arch", "gable", "box", "tambour"])
    r = min(w, h) * 0.42
    if kind == "tambour":
        x = np.linspace(-1, 1, 21)
        y = h * (0.25 + 0.75 * np.exp(-((x / 0.45) ** 2)))
        shape = np.concatenate([[(-w * 1.6, 0)], np.stack([x * w * 1.6, y], axis=1), [(w * 1.6, 0)]])
        r, cy = min(w * 0.6, h * 0.33), h * 0.58
    elif kind == "gable":
        shape, cy = np.array([(-w / 2, 0), (w / 2, 0), (w / 2, h * 0.7), (0, h), (-w / 2, h * 0.7)]), h * 0.45
        r = min(r, w * 0.42)
    elif kind == "arch":
        t = np.linspace(0, np.pi, 15)
        shape = np.concatenate([[(-w / 2, 0), (w / 2, 0)], np.stack([w / 2 * np.cos(t), h * 0.65 + w / 2 * np.sin(t)], axis=1)])
        cy = h * 0.6
    else:
        shape, cy = outline(w, h, w * rng.uniform(0.02, 0.2)) + [0, h / 2], h * 0.5
    a.add("frame", extrude(shape, d), wood)
    plate = cylinder(r, d * 0.1, (0, 0, d * 0.52), 32, axis="z")
    start = len(a.pieces)
    _dial(rng, a, r, d * 0.57, plate)
    for p in a.pieces[start:]:
        p.mesh = move(p.mesh, (0, cy, 0))
    if chance(rng, 0.6):
        wide = float(np.ptp(shape[:, 0]))
        a.add("base", box((wide * 1.08, h * 0.07, d * 1.3), (0, -h * 0.03, 0), bevel=h * 0.01), wood)
    else:
        wide = float(np.ptp(shape[:, 0])) * 0.42
        for x in (-wide, wide):
            for z in (-d * 0.35, d * 0.35):
                a.add("foot", sphere(h * 0.04, (x, -h * 0.02, z), segments=8), made_of(rng, "metal", "wood"))


def _digital(rng: np.random.Generator, a: Assembly) -> None:
    w, h, d = rng.uniform(0.12, 0.25), rng.uniform(0.05, 0.1), rng.uniform(0.03, 0.08)
    material = made_of(rng, "plastic", "wood", "metal")
    kind = pick(rng, ["box", "wedge", "round"])
    if kind == "wedge":
        side = np.array([(-d, 0), (d * 0.7, 0), (d * 0.45, h), (-d * 0.4, h)])
        a.add("frame", extrude(side, w, axis="x"), material)
        tilt, z = np.arctan2(d * 0.25, h), d * 0.575
    else:
        a.add("frame", rounded_box((w, h, d), h * (0.45 if kind == "round" else 0.06), (0, h / 2, 0)), material)
        tilt, z = 0.0, d * 0.5
    face = box((w * rng.uniform(0.7, 0.9), h * rng.uniform(0.55, 0.75), d * 0.05))
    a.add("screen", move(rotate(face, "x", -tilt), (0, h / 2, z)), screen(rng))
    n = int(rng.integers(1, 6))
    for k in range(n):
        a.add("button", box((w * 0.08, h * 0.06, d * 0.2), (w * 0.13 * (k - (n - 1) / 2), h * 1.01, 0), bevel=h * 0.01), made_of(rng, "plastic", "rubber"))
    if chance(rng, 0.5):
        for x in (-w * 0.4, w * 0.4):
            a.add("foot", box((w * 0.06, h * 0.08, d * 0.7), (x, -h * 0.03, 0)), made_of(rng, "rubber"))


def _pendulum(rng: np.random.Generator, a: Assembly) -> None:
    floor = chance(rng, 0.55)
    w = rng.uniform(0.35, 0.5) if floor else rng.uniform(0.22, 0.35)
    h, d = (rng.uniform(1.5, 2.1), w * rng.uniform(0.45, 0.7)) if floor else (w * rng.uniform(1.6, 2.6), w * rng.uniform(0.3, 0.5))
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
        a.add("base", merge(box((trunk * 1.1, low * 0.5, d * 1.1), (0, low * 0.75, 0)), rotate(cylinder(w * 0.3, low, (0, 0, 0), 4, top_radius=w * 0.55), "y", np.pi / 4)), wood)
    kind = pick(rng, ["gable", "arch", "flat", "scroll"])
    top = hood * 0.3
    shapes = {
        "gable": np.array([(-hood * 0.6, 0), (hood * 0.6, 0), (0, top)]),
        "arch": np.stack([hood * 0.55 * np.cos(np.linspace(0, np.pi, 15)), top * np.sin(np.linspace(0, np.pi, 15))], axis=1),
        "flat": np.array([(-hood * 0.58, 0), (hood * 0.58, 0), (hood * 0.54, top * 0.3), (-hood * 0.54, top * 0.3)]),
        "scroll": np.array([(-hood * 0.55, 0), (hood * 0.55, 0), (hood * 0.5, top * 0.4), (hood * 0.15, top), (0, top * 0.35), (-hood * 0.15, top), (-hood * 0.5, top * 0.4)]),
    }
    a.add("top", extrude(shapes[kind], d * 1.15, center=(0, h - 0.002, 0)), wood)
    r = hood * rng.uniform(0.36, 0.43)
    start = len(a.pieces)
    a.add("frame", torus(r, r * 0.07, (0, 0, d * 0.56), "z", segments=32, sides=8), made_of(rng, "metal", "wood"))
    _dial(rng, a, r, d * 0.575, cylinder(r, d * 0.06, (0, 0, d * 0.55), 32, axis="z"))
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


def _standing(rng: np.random.Generator, a: Assembly) -> None:
    r = rng.uniform(0.05, 0.12)
    depth = r * rng.uniform(0.25, 0.7)
    material = made_of(rng, "metal", "plastic", "wood", "paint")
    _round(rng, a, r, depth, material)
    kind = pick(rng, ["pillar", "cradle", "legs", "block"])
    trim = material if chance(rng, 0.5) else made_of(rng, "metal", "wood", "stone")
    if kind == "legs":
        for mesh in around(3, lambda t: rod((0, -r * 0.9, depth * 0.4), polar(r * 0.7, t, -r * 1.6) + [0, 0, depth * 0.4], r * 0.05), 0.5):
            a.add("foot", mesh, trim)
    elif kind == "pillar":
        tall = r * rng.uniform(0.3, 2.0)
        post = merge(rod((0, -r * 0.93, depth * 0.4), (0, -r - tall, depth * 0.4), r * 0.1), move(solid(spline([(r * 0.7, 0), (r * 0.6, r * 0.12), (r * 0.12, r * 0.25)], 8), 24), (0, -r - tall - r * 0.05, depth * 0.4)))
        a.add("base", post, trim)
    elif kind == "cradle":
        below = np.pi + np.pi * np.linspace(0.05, 0.95, 15)
        bow = tube(r * 1.05 * np.stack([np.cos(below), np.sin(below), np.zeros(15)], axis=1), r * 0.07, segments=8)
        plate = box((r * 1.2, r * 0.12, depth * 1.5), (0, -r * 1.1, 0))
        a.add("base", move(merge(bow, plate), (0, 0, depth * 0.4)), trim)
    else:
        a.add("base", box((r * 1.7, r * 0.35, depth * 1.8), (0, -r * 1.05, depth * 0.4), bevel=r * 0.03), trim)


_STYLES = {"wall": _wall, "alarm": _alarm, "mantel": _mantel, "digital": _digital, "pendulum": _pendulum, "standing": _standing}


def clock(rng: np.random.Generator) -> list[Piece]:
    """Wall, alarm, mantel, digital, pendulum and standing clocks; the dial faces +z."""
    a = Assembly()
    _STYLES[pick(rng, list(_STYLES), [3, 1.5, 1.5, 1, 2, 1.5])](rng, a)
    return a.pieces


CATEGORIES = {"clock": clock}
