# ruff: noqa: RUF005
"""Faucets."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, chance, pick, smooth
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Piece, Scalar, merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, cylinder, rod, sphere, torus, tube
from alignparts.corpus.procedural.vessels import around, made_of, polar, section, slab, solid, spline


def _finish(rng: np.random.Generator) -> Material:
    return made_of(rng, "metal", "metal", "metal", "metal", "paint", "plastic")


def _spout_path(rng: np.random.Generator, style: str, r: Scalar) -> np.ndarray:
    """Middle line (n, 3) of a spout that starts at the origin, goes up, then forwards (+z), to the basin."""
    reach, rise = r * rng.uniform(4, 8), r * rng.uniform(4, 11)
    if style == "gooseneck":
        bow = reach / 2
        t = np.linspace(np.pi, rng.uniform(-0.3, 0.1), 13)
        top = np.stack([bow + bow * np.cos(t), rise + bow * np.sin(t)], axis=1)
        path = np.concatenate([[(0, 0)], top, [(2 * bow, rise - r * rng.uniform(0.3, 2.0))]])
    elif style == "square":
        rough = [(0, 0, 0), (0, rise, 0), (0, rise, reach), (0, rise - r * rng.uniform(1.5, 3), reach)]
        return smooth(rough, r * rng.uniform(0.3, 2.5))
    elif style == "slant":
        path = spline(
            [(0, 0), (reach * 0.5, rise * 0.35), (reach, rise * 0.5), (reach * 1.05, rise * 0.35)], 10
        )
    elif style == "flat":
        path = np.array(
            [(0, 0), (reach * 0.9, r * rng.uniform(0.0, 1.5)), (reach * 0.98, -r * 0.4), (reach, -r)]
        )
    else:
        path = spline(
            [
                (0, 0),
                (reach * 0.12, rise * 0.45),
                (reach * 0.5, rise * 0.62),
                (reach * 0.92, rise * 0.42),
                (reach, rise * 0.25),
            ],
            14,
        )
    return np.column_stack([np.zeros(len(path)), path[:, 1], path[:, 0]])


def _switch(rng: np.random.Generator, kind: str, r: Scalar) -> Mesh:
    """A handle that stands on y = 0 and points up; levers point towards +z."""
    stem = cylinder(r * 0.45, r * 1.2, (0, r * 0.4, 0), 14)
    if kind == "cross":
        high = r * rng.uniform(0.9, 1.4)
        n = int(rng.choice([3, 4, 4, 5]))
        spokes = around(
            n,
            lambda t: merge(
                rod((0, high, 0), polar(r * 1.7, t, high), r * 0.2),
                sphere(r * 0.3, polar(r * 1.7, t, high), segments=8),
            ),
        )
        return merge(stem, cylinder(r * 0.5, r * 0.5, (0, high, 0), 12), *spokes)
    if kind == "knob":
        shape = spline([(r * 0.8, 0), (r * 1.25, r * 0.6), (r * 1.1, r * 1.3), (r * 0.4, r * 1.6)], 8)
        return section(solid(shape, 40), 2.0, int(rng.integers(5, 12)), rng.uniform(0.02, 0.15))
    if kind == "wheel":
        spokes = around(4, lambda t: rod((0, r * 1.1, 0), polar(r * 1.4, t, r * 1.1), r * 0.14, sides=6))
        return merge(stem, torus(r * 1.4, r * 0.25, (0, r * 1.1, 0), segments=18, sides=6), *spokes)
    length, lean = r * rng.uniform(3, 5.5), rng.uniform(-0.1, 0.9)
    tip = np.array([0, r + np.sin(lean) * length, np.cos(lean) * length])
    if kind == "lever":
        cap = solid(spline([(r * 1.02, 0), (r * 1.0, r * 0.7), (r * 0.6, r * 1.4)], 7), 18)
        return merge(
            cap,
            tube(
                [(0, r * 0.7, 0), tip * [0, 0.5, 0.5] + [0, r * 0.45, 0], tip],
                [r * 0.5, r * 0.32, r * 0.42],
                segments=8,
            ),
        )
    if kind == "blade":
        flat = rotate(box((r * 1.1, r * 0.3, length), (0, 0, length * 0.42), bevel=r * 0.08), "x", -lean)
        return merge(cylinder(r * 0.95, r * 1.2, (0, r * 0.4, 0), 18), move(flat, (0, r * 0.95, 0)))
    ring = torus(length * 0.28, r * 0.2, (0, r + length * 0.28, 0), "x", segments=16, sides=6)
    return merge(solid([(r, 0), (r * 0.9, r)], 16), ring)


def _column(rng: np.random.Generator, r: Scalar, h: Scalar) -> Mesh:
    kind = pick(rng, ["plain", "collar", "classic", "square"])
    if kind == "square":
        return box((r * 1.9, h, r * 1.9), (0, h / 2, 0), bevel=r * 0.15)
    rows = {
        "plain": [(r, 0), (r, h)],
        "collar": [(r * 1.25, 0), (r * 1.25, h * 0.12), (r, h * 0.16), (r, h)],
        "classic": [
            (r * 1.4, 0),
            (r * 1.2, h * 0.15),
            (r * 0.75, h * 0.35),
            (r * 1.05, h * 0.7),
            (r * 0.85, h),
        ],
    }
    return solid(spline(rows[kind], 14) if kind == "classic" else rows[kind], 20)


def faucet(rng: np.random.Generator) -> list[Piece]:
    """Single-lever, two-handle, bridge, wall-mounted, pull-out, touch-free, garden taps; spout to +z."""
    a = Assembly()
    style = pick(
        rng, ["single", "double", "bridge", "wall", "pullout", "sensor", "garden", "pillar", "hoseshower"]
    )
    r = 0.02 * rng.uniform(0.8, 1.25)
    material = _finish(rng)
    trim = material if chance(rng, 0.65) else _finish(rng)
    neck = pick(rng, ["gooseneck", "square", "slant", "flat", "curve"])
    kind = pick(rng, ["lever", "blade", "lever", "loop"])
    thin = r * rng.uniform(0.5, 0.85)
    if style in ("wall", "garden"):
        thin = r * rng.uniform(0.6, 0.9)
        if style == "garden":
            drop = np.array([(0, 0, 0), (0, 0, r * 3.5), (0, -r * 0.6, r * 4.6), (0, -r * 2.2, r * 4.8)])
            path, width = smooth(drop, r * 1.2), 0.0
        else:
            path = _spout_path(rng, pick(rng, ["flat", "curve", "slant"]), r)
            path = np.concatenate([[path[0] - [0, 0, r]], path])
            width = r * rng.uniform(3.5, 7)
        depth = r * 2.0
        seed, kind = int(rng.integers(1 << 30)), pick(rng, ["cross", "knob", "wheel", "lever"])
        if width:
            a.add("bridge", cylinder(r, 2 * width, (0, 0, 0), 18, axis="x"), material)
            a.add("body", cylinder(r * 1.15, r * 2.3, (0, 0, 0), 20), material)
            for s in (-1, 1):
                a.add(
                    "connector",
                    cylinder(r * 0.8, depth, (s * width * 0.85, 0, -depth / 2), 14, axis="z"),
                    trim,
                )
                a.add("plate", cylinder(r * 1.7, r * 0.5, (s * width * 0.85, 0, -depth), 20, axis="z"), trim)
                valve = _switch(np.random.default_rng(seed), kind, r)
                a.add("valve", move(rotate(valve, "z", -s * np.pi / 2), (s * (width - r * 0.1), 0, 0)), trim)
        else:
            a.add(
                "body",
                merge(
                    cylinder(r, r * 3.0, (0, 0, -r * 0.5), 18, axis="z"),
                    cylinder(r * 0.8, r * 2.4, (0, r * 0.8, r * 1.2), 14),
                ),
                material,
            )
            a.add("plate", cylinder(r * 1.8, r * 0.4, (0, 0, -r * 2), 20, axis="z"), trim)
            a.add(
                "valve",
                move(_switch(rng, pick(rng, ["wheel", "cross", "lever"]), r), (0, r * 1.8, r * 1.2)),
                trim,
            )
        a.add("tube", tube(path, thin, segments=12), material)
        end = path[-1]
        a.add("mouth", cylinder(thin * 1.15, r * 0.7, end - [0, r * 0.1, 0], 14), trim)
        return a.pieces
    wide = style in ("double", "bridge") or chance(rng, 0.25)
    span = r * rng.uniform(4.0, 7.0)
    base = 0.0
    if wide and style != "bridge":
        base = r * rng.uniform(0.3, 0.8)
        corner = rng.uniform(0.2, 1.6) * r
        a.add("plate", slab(2 * span + r * 3, r * rng.uniform(2.8, 3.8), base, corner), trim)
    elif style != "bridge" and chance(rng, 0.6):
        base = r * 0.3
        a.add("plate", cylinder(r * rng.uniform(1.4, 1.9), base, (0, base / 2, 0), 22), trim)
    h = r * rng.uniform(2.5, 7)
    if style in ("double", "bridge"):
        h = r * rng.uniform(1.6, 3.2)
    elif style == "pillar":
        h = r * rng.uniform(9, 15)
    if style == "bridge":
        y = h * rng.uniform(1.1, 1.6)
        a.add("bridge", cylinder(r * 0.7, 2 * span, (0, y, 0), 14, axis="x"), material)
        twins = int(rng.integers(1 << 30))
        for s in (-1, 1):
            a.add("body", move(_column(np.random.default_rng(twins), r, y + r), (s * span, 0, 0)), material)
            a.add("plate", cylinder(r * 1.7, r * 0.35, (s * span, 0, 0), 20), trim)
        h = y
        origin = np.array([0, y, 0])
        a.add("connector", cylinder(r * 1.05, r * 2.0, (0, y, 0), 18), trim)
    else:
        a.add("body", move(_column(rng, r * 1.15, h), (0, base * 0.9, 0)), material)
        origin = np.array([0, base * 0.9 + h * 0.97, 0])
    if style in ("pillar", "single", "sensor") and neck in ("flat", "slant", "curve") and chance(rng, 0.6):
        origin = origin - [0, r * rng.uniform(1.0, 1.8), 0]
    if style in ("pullout", "hoseshower"):
        neck = pick(rng, ["gooseneck", "curve"])
    path = _spout_path(rng, neck, r) + origin
    flatten = neck in ("flat", "square") and chance(rng, 0.5)
    spout = tube(
        path,
        thin * (0.95 if neck != "slant" else 1.0) * np.linspace(1.1, 0.9, len(path)),
        segments=4 if flatten else 12,
    )
    if flatten:
        spout = Mesh(spout.vertices * [rng.uniform(1.2, 2.2), 1, 1], spout.faces, spout.uv)
    a.add("tube", spout, material)
    end, heading = path[-1], path[-1] - path[-2]
    heading = heading / np.linalg.norm(heading)
    if style in ("pullout", "hoseshower"):
        length = r * rng.uniform(3, 6)
        a.add(
            "head",
            tube(
                [end - heading * r * 0.2, end + heading * length * 0.4, end + heading * length],
                [thin * 1.1, thin * 1.3, thin * 1.9],
                segments=14,
            ),
            trim,
        )
        end = end + heading * length
        a.add(
            "mouth",
            rod(end - heading * r * 0.1, end + heading * r * 0.25, thin * 1.6, sides=14),
            made_of(rng, "rubber", "metal"),
        )
        if style == "hoseshower":
            side = span if wide else r * 4
            stand = np.array([side, base, 0.0])
            a.add("connector", cylinder(r, r * 2.4, stand + [0, r * 1.2, 0], 16), trim)
            coil = spline(
                [
                    stand + [0, r * 2, 0],
                    stand + [0, r * 7, -r],
                    (stand + end) / 2 + [0, r * 9, 0],
                    end - heading * length * 0.9,
                ],
                18,
            )
            a.add("hose", tube(coil, r * 0.3, segments=8), made_of(rng, "metal", "rubber"))
    else:
        if chance(rng, 0.15):
            a.add("head", sphere(thin * 1.7, end, segments=14), material)
            end = end + heading * thin * 1.2
        if chance(rng, 0.85):
            a.add("mouth", rod(end - heading * r * 0.3, end + heading * r * 0.5, thin * 1.12, sides=14), trim)
    if style in ("double", "bridge"):
        seed, turned = (
            int(rng.integers(1 << 30)),
            pick(rng, ["cross", "knob", "lever", "blade", "wheel", "lever"]),
        )
        for s in (-1, 1):
            one = _switch(np.random.default_rng(seed), turned, r * 0.9)
            turn = s * rng.uniform(0.6, 1.6) if turned in ("lever", "blade") else 0.0
            rise = r * 1.6 if style == "double" else 0.0
            if style == "double":
                a.add(
                    "body", cylinder(r * 0.95, rise * 1.1, (s * span, base * 0.9 + rise / 2, 0), 16), material
                )
                y = base * 0.9 + rise
            else:
                y = h + r * 0.95
            a.add(
                "lever" if turned in ("lever", "blade") else "valve",
                move(rotate(one, "y", turn), (s * span, y, 0)),
                trim,
            )
    elif style != "sensor":
        lever = _switch(rng, kind, r)
        place = pick(rng, ["top", "side"]) if neck not in ("gooseneck", "square") else "side"
        if place == "top":
            back = rng.choice([0.0, np.pi]) if neck in ("slant", "flat") else 0.0
            top = max(float(path[0, 1]) + thin, base * 0.9 + h) - r * 0.15
            a.add("lever", move(rotate(lever, "y", back), (0, top, 0)), trim)
        else:
            hand = float(rng.choice([-1, 1]))
            lever = rotate(rotate(lever, "y", -np.pi * rng.uniform(-0.3, 1.0)), "z", -hand * np.pi / 2)
            a.add("lever", move(lever, (hand * r, base + h * rng.uniform(0.35, 0.75), 0)), trim)
    if chance(rng, 0.25) and wide and style != "bridge":
        for s in (-1, 1):
            a.add("screw", cylinder(r * 0.35, r * 0.3, (s * (span + r), base, 0), 6), made_of(rng, "metal"))
    return a.pieces


CATEGORIES = {"faucet": faucet}
