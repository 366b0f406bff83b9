# ruff: noqa: RUF005
"""Lamps that stand, and the choice among all kinds of lamps."""

from collections.abc import Callable

import numpy as np

from alignparts.corpus.procedural import lamp_parts as parts
from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick, turned_profile
from alignparts.corpus.procedural.lamp_parts import power_cord
from alignparts.corpus.procedural.lamps_hanging import ceiling, chandelier, pendant, wall
from alignparts.corpus.procedural.mesh import Mesh, Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, cylinder, rod, sphere, tube
from alignparts.corpus.procedural.vessels import around, made_of, polar, solid, spline


def _table(rng: np.random.Generator, a: Assembly) -> None:
    h = rng.uniform(0.22, 0.42)
    r = h * rng.uniform(0.18, 0.42)
    kind = pick(rng, ["turned", "gourd", "pole", "balls", "block", "candlestick", "mushroom"])
    material = made_of(rng, "ceramic", "ceramic", "metal", "wood", "glass", "stone", "paint")
    base_r, base_h = r * rng.uniform(0.7, 1.15), h * rng.uniform(0.03, 0.1)
    trim = material if chance(rng, 0.4) else made_of(rng, "metal", "wood", "plastic", "stone")
    if chance(rng, 0.8):
        a.add("base", parts.foot_disc(rng, base_r, base_h), trim)
    else:
        base_h = 0.0
    if kind == "pole":
        a.add("pole", cylinder(h * 0.025, h - base_h, (0, (h + base_h) / 2, 0), 12), trim)
    elif kind == "balls":
        n = int(rng.integers(2, 5))
        step = (h - base_h) / n
        for k in range(n):
            a.add(
                "body",
                sphere(step * 0.56, (0, base_h + step * (k + 0.48), 0), (rng.uniform(0.8, 1.3), 1, 1), 16),
                material,
            )
    elif kind == "block":
        a.add(
            "body",
            box((r * 1.2, h - base_h, r * rng.uniform(0.5, 1.2)), (0, (h + base_h) / 2, 0), bevel=r * 0.05),
            material,
        )
    else:
        if kind == "gourd":
            rows = [(r * 0.5, 0), (r * 0.95, h * 0.25), (r * 0.9, h * 0.45), (r * 0.3, h * 0.8), (r * 0.2, h)]
        elif kind == "mushroom":
            rows = [(r * 0.6, 0), (r * 0.35, h * 0.3), (r * 0.3, h)]
        elif kind == "candlestick":
            rows = [
                (r * 0.6, 0),
                (r * 0.15, h * 0.15),
                (r * 0.3, h * 0.4),
                (r * 0.12, h * 0.6),
                (r * 0.2, h * 0.95),
                (r * 0.2, h),
            ]
        else:
            rows = [(x, y * h) for x, y in turned_profile(rng, r * 0.8)[1:-1]]
        lower = np.array(rows)
        lower[:, 1] = base_h * 0.95 + lower[:, 1] * (h - base_h) / h
        a.add(
            "body",
            solid(
                spline(lower, 20) if kind != "turned" else lower,
                int(rng.choice([6, 16, 26], p=[0.1, 0.3, 0.6])),
            ),
            material,
        )
    parts.head(rng, a, np.array([0, h, 0]), h * rng.uniform(0.55, 1.0), upward=True)
    if base_h and chance(rng, 0.15):
        a.add(
            "switch",
            sphere(r * 0.08, (0, base_h, base_r * 0.7), segments=8),
            made_of(rng, "plastic", "metal"),
        )
    if chance(rng, 0.3):
        power_cord(rng, a, np.array([0, base_h * 0.5, -base_r * 0.5 if base_h else 0.0]), h)
    if chance(rng, 0.12) and base_h:
        for mesh in around(
            4, lambda t: sphere(base_h * 0.6, polar(base_r * 0.7, t + 0.78, -base_h * 0.2), segments=8)
        ):
            a.add("foot", mesh, trim)


def _floor(rng: np.random.Generator, a: Assembly) -> None:
    h = rng.uniform(1.2, 1.7)
    style = pick(rng, ["pole", "tripod", "arc", "multi", "torch", "legs"])
    trim = made_of(rng, "metal", "metal", "wood", "paint")
    t = rng.uniform(0.011, 0.02)
    if style in ("tripod", "legs"):
        n, spread, top = int(rng.choice([3, 3, 4])), rng.uniform(0.22, 0.38), h * rng.uniform(0.8, 1.0)
        thick = t * rng.uniform(1.0, 1.8)
        for mesh in around(n, lambda k: rod(polar(spread, k), polar(t * 1.5, k, top), thick * 0.8, thick)):
            a.add("leg", mesh, trim)
        a.add("joint", cylinder(t * 3, t * 4, (0, top, 0), 16), made_of(rng, "metal", "wood"))
        if top < h * 0.98:
            a.add("pole", rod((0, top - 0.02, 0), (0, h, 0), t * 0.9), trim)
    else:
        base = rng.uniform(0.12, 0.18)
        a.add(
            "base",
            parts.foot_disc(rng, base, rng.uniform(0.015, 0.05)),
            trim if chance(rng, 0.6) else made_of(rng, "stone", "metal"),
        )
        if style == "arc":
            reach = rng.uniform(0.5, 1.0)
            path = spline(
                [
                    (0, 0.02, 0),
                    (0.02, h * 0.7, 0),
                    (reach * 0.3, h * 1.05, 0),
                    (reach * 0.8, h * 1.02, 0),
                    (reach, h * 0.88, 0),
                ],
                16,
            )
            a.add("pole", tube(path, t, segments=8), trim)
            parts.head(rng, a, path[-1], rng.uniform(0.22, 0.4), upward=False)
            return
        a.add("pole", rod((0, 0.01, 0), (0, h, 0), t), trim)
        if style == "multi":
            for k in range(int(rng.integers(2, 6))):
                angle, y = 2 * np.pi * k / 3 + rng.uniform(0, 0.6), h * rng.uniform(0.7, 0.97)
                tip = polar(rng.uniform(0.15, 0.3), angle, y + rng.uniform(-0.02, 0.15))
                a.add(
                    "arm",
                    tube(
                        spline([(0, y, 0), (tip + [0, y, 0]) / 2 - [0, 0.02, 0], tip], 7), t * 0.7, segments=7
                    ),
                    trim,
                )
                parts.head(rng, a, tip, rng.uniform(0.12, 0.2), upward=bool(k % 2), simple=True)
            return
        if chance(rng, 0.3):
            for y in rng.uniform(0.2, 0.85, int(rng.integers(1, 3))):
                a.add("joint", cylinder(t * 1.8, t * 3, (0, h * y, 0), 12), made_of(rng, "metal"))
    parts.head(rng, a, np.array([0, h, 0]), rng.uniform(0.25, 0.45), upward=True, bowl=style == "torch")
    if chance(rng, 0.2):
        a.add("switch", rod((0.0, h, 0.03), (0, h - 0.12, 0.05), 0.004, 0.008), made_of(rng, "metal"))
    if chance(rng, 0.2):
        power_cord(rng, a, np.array([0, 0.02, -0.05]), 0.5)


def _desk(rng: np.random.Generator, a: Assembly) -> None:
    s = rng.uniform(0.3, 0.45)
    trim = made_of(rng, "metal", "plastic", "paint")
    t, base_h = s * rng.uniform(0.02, 0.04), s * rng.uniform(0.05, 0.12)
    if chance(rng, 0.8):
        a.add("base", parts.foot_disc(rng, s * rng.uniform(0.22, 0.34), base_h), trim)
    else:
        a.add(
            "base",
            merge(
                box((s * 0.15, s * 0.3, s * 0.12), (0, 0, 0)),
                box((s * 0.3, s * 0.06, s * 0.25), (s * 0.1, s * 0.13, 0)),
                cylinder(s * 0.02, s * 0.3, (s * 0.1, -s * 0.12, 0), 8),
            ),
            trim,
        )
        base_h = s * 0.15
    p = np.array([0.0, base_h, 0.0])
    if chance(rng, 0.3):
        reach, rise = s * rng.uniform(0.5, 1.0), s * rng.uniform(0.8, 1.3)
        path = spline(
            [p, p + [-s * 0.05, rise * 0.7, 0], p + [reach * 0.4, rise * 1.1, 0], p + [reach, rise * 0.9, 0]],
            16,
        )
        a.add("arm", tube(path, t, segments=8), trim)
        q, ahead = path[-1], path[-1] - path[-2]
    else:
        lean, fold = rng.uniform(0.05, 0.6), rng.uniform(0.3, 1.4)
        q = p
        bars = [
            (np.pi / 2 + lean, s * rng.uniform(0.6, 1.0)),
            (np.pi / 2 + lean - fold - 0.4, s * rng.uniform(0.6, 1.0)),
        ]
        if chance(rng, 0.15):
            bars.append((-rng.uniform(0.1, 0.5), s * 0.3))
        ahead = np.array([1.0, 0, 0])
        double = chance(rng, 0.4)
        for angle, length in bars:
            ahead = np.array([np.cos(angle), np.sin(angle), 0])
            end = q + ahead * length
            gap = np.array([0, 0, t * 1.3])
            a.add(
                "arm",
                merge(rod(q - gap, end - gap, t * 0.55), rod(q + gap, end + gap, t * 0.55))
                if double
                else rod(q, end, t * 0.8),
                trim,
            )
            a.add("joint", cylinder(t * 1.8, t * 4, q, 14, axis="z"), made_of(rng, "metal", "plastic"))
            q = end
        a.add("joint", cylinder(t * 1.6, t * 3.5, q, 14, axis="z"), made_of(rng, "metal", "plastic"))
    length, r = s * rng.uniform(0.3, 0.45), s * rng.uniform(0.16, 0.28)
    part, mesh = parts.reflector(rng, r, length)
    turn = rng.uniform(-0.2, 0.9)
    a.add(
        part,
        move(rotate(mesh, "z", turn), q),
        made_of(rng, "metal", "plastic", "paint") if chance(rng, 0.5) else trim,
    )
    bulb = move(parts.bulb(rng, r * 0.5), (0, -length * 0.55, 0))
    a.add("bulb", move(rotate(bulb, "z", turn), q), parts.glow(rng))
    if chance(rng, 0.6):
        a.add(
            "socket",
            move(rotate(cylinder(r * 0.3, length * 0.5, (0, -length * 0.1, 0), 12), "z", turn), q),
            trim,
        )
    if chance(rng, 0.3):
        a.add(
            "switch",
            cylinder(s * 0.02, s * 0.03, (s * 0.12, base_h, 0), 10),
            made_of(rng, "plastic", "metal"),
        )
    if chance(rng, 0.3):
        power_cord(rng, a, np.array([0, base_h * 0.4, -s * 0.15]), s)


def _street(rng: np.random.Generator, a: Assembly) -> None:
    h = rng.uniform(3.0, 5.0)
    trim = made_of(rng, "metal", "paint", "stone")
    t = h * rng.uniform(0.012, 0.02)
    a.add(
        "base",
        solid(
            spline([(t * 4, 0), (t * 3.6, h * 0.03), (t * 1.8, h * 0.07), (t * 1.6, h * 0.1)], 9),
            int(rng.choice([8, 18])),
        ),
        trim,
    )
    a.add("pole", rod((0, h * 0.09, 0), (0, h, 0), t * 1.3, t), trim)
    n = int(rng.choice([0, 1, 1, 2, 3]))
    if n == 0:
        parts.lantern(rng, a, np.array([0, h, 0]), h * rng.uniform(0.08, 0.13), hanging=False)
        return
    reach, rise, modern = h * rng.uniform(0.12, 0.3), h * rng.uniform(-0.02, 0.1), chance(rng, 0.6)
    for k in range(n):
        turn = 2 * np.pi * k / n
        path = spline([(0, h * 0.96, 0), (reach * 0.4, h + rise * 0.7, 0), (reach, h + rise, 0)], 9)
        a.add("arm", rotate(tube(path, t * 0.8, segments=8), "y", turn), trim)
        if modern:
            case = move(box((h * 0.13, h * 0.022, h * 0.05), bevel=h * 0.008), path[-1] + [h * 0.04, 0, 0])
            a.add("shade", rotate(case, "y", turn), trim)
            lens = move(
                sphere(h * 0.02, squash=(2.2, 0.6, 1), segments=12), path[-1] + [h * 0.05, -h * 0.01, 0]
            )
            a.add("bulb", rotate(lens, "y", turn), parts.glow(rng))
        else:
            tip = rotate(
                Mesh(path[-1:], np.zeros((0, 3), dtype=np.int64), np.zeros((1, 2))), "y", turn
            ).vertices[0]
            parts.lantern(rng, a, tip, h * 0.09, hanging=True)
    if chance(rng, 0.4):
        a.add("finial", sphere(t * 1.5, (0, h + t, 0), (1, 1.5, 1), 12), trim)


def _lantern(rng: np.random.Generator, a: Assembly) -> None:
    s = rng.uniform(0.12, 0.2)
    parts.lantern(rng, a, np.array([0, 0, 0]), s, hanging=False)
    if chance(rng, 0.6):
        top = max(float(p.mesh.bounds()[1, 1]) for p in a.pieces)
        bow = bent(
            [
                (-s * 0.4, top - s * 0.2, 0),
                (-s * 0.4, top + s * 0.6, 0),
                (s * 0.4, top + s * 0.6, 0),
                (s * 0.4, top - s * 0.2, 0),
            ],
            s * 0.03,
            s * 0.4,
            8,
        )
        a.add("hook", bow, made_of(rng, "metal"))


_STYLES: dict[str, tuple[float, Callable[[np.random.Generator, Assembly], None]]] = {
    "table": (4.0, _table), "floor": (4.0, _floor), "desk": (2.5, _desk), "pendant": (3.5, pendant),
    "wall": (2.0, wall), "chandelier": (2.0, chandelier), "street": (1.2, _street), "ceiling": (1.0, ceiling),
    "lantern": (0.6, _lantern),
}  # fmt: skip


def lamp(rng: np.random.Generator) -> list[Piece]:
    """Lamps of nine kinds with many shades; pendants and chandeliers hang from their mount."""
    a = Assembly()
    style = pick(rng, list(_STYLES), [weight for weight, _ in _STYLES.values()])
    _STYLES[style][1](rng, a)
    return a.pieces


CATEGORIES = {"lamp": lamp}
