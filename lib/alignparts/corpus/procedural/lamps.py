"""Lamps: table, floor, desk, pendant, wall, ceiling, chandelier, track, street and lantern."""

from collections.abc import Callable

import numpy as np

from alignparts.corpus.procedural import lamp_parts as parts
from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick, turned_profile
from alignparts.corpus.procedural.mesh import Mesh, Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, cylinder, rod, sphere, torus, tube
from alignparts.corpus.procedural.vessels import around, chain, made_of, on_ground, plug, polar, solid, spline


def _cord(rng: np.random.Generator, a: Assembly, start: np.ndarray, size: float) -> None:
    mesh, end, heading = on_ground(rng, start, size * rng.uniform(0.8, 1.8), size * 0.02)
    a.add("cord", mesh, made_of(rng, "plastic", "rubber"))
    if chance(rng, 0.6):
        a.add("plug", plug(end, heading, size * 0.12), made_of(rng, "plastic"))


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
            a.add("body", sphere(step * 0.56, (0, base_h + step * (k + 0.48), 0), (rng.uniform(0.8, 1.3), 1, 1), 16), material)
    elif kind == "block":
        a.add("body", box((r * 1.2, h - base_h, r * rng.uniform(0.5, 1.2)), (0, (h + base_h) / 2, 0), bevel=r * 0.05), material)
    else:
        if kind == "gourd":
            rows = [(r * 0.5, 0), (r * 0.95, h * 0.25), (r * 0.9, h * 0.45), (r * 0.3, h * 0.8), (r * 0.2, h)]
        elif kind == "mushroom":
            rows = [(r * 0.6, 0), (r * 0.35, h * 0.3), (r * 0.3, h)]
        elif kind == "candlestick":
            rows = [(r * 0.6, 0), (r * 0.15, h * 0.15), (r * 0.3, h * 0.4), (r * 0.12, h * 0.6), (r * 0.2, h * 0.95), (r * 0.2, h)]
        else:
            rows = [(x, y * h) for x, y in turned_profile(rng, r * 0.8)[1:-1]]
        lower = np.array(rows)
        lower[:, 1] = base_h * 0.95 + lower[:, 1] * (h - base_h) / h
        a.add("body", solid(spline(lower, 20) if kind != "turned" else lower, int(rng.choice([6, 16, 26], p=[0.1, 0.3, 0.6]))), material)
    parts.head(rng, a, np.array([0, h, 0]), h * rng.uniform(0.55, 1.0), upward=True)
    if chance(rng, 0.15):
        a.add("switch", sphere(r * 0.08, (0, base_h, base_r * 0.7), segments=8), made_of(rng, "plastic", "metal"))
    if chance(rng, 0.3):
        _cord(rng, a, np.array([0, base_h * 0.5, -base_r * 0.5]), h)
    if chance(rng, 0.12) and base_h:
        for mesh in around(4, lambda t: sphere(base_h * 0.6, polar(base_r * 0.7, t + 0.78, -base_h * 0.2), segments=8)):
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
        a.add("base", parts.foot_disc(rng, base, rng.uniform(0.015, 0.05)), trim if chance(rng, 0.6) else made_of(rng, "stone", "metal"))
        if style == "arc":
            reach = rng.uniform(0.5, 1.0)
            path = spline([(0, 0.02, 0), (0.02, h * 0.7, 0), (reach * 0.3, h * 1.05, 0), (reach * 0.8, h * 1.02, 0), (reach, h * 0.88, 0)], 16)
            a.add("pole", tube(path, t, segments=8), trim)
            parts.head(rng, a, path[-1], rng.uniform(0.22, 0.4), upward=False)
            return
        a.add("pole", rod((0, 0.01, 0), (0, h, 0), t), trim)
        if style == "multi":
            for k in range(int(rng.integers(2, 6))):
                angle, y = 2 * np.pi * k / 3 + rng.uniform(0, 0.6), h * rng.uniform(0.7, 0.97)
                tip = polar(rng.uniform(0.15, 0.3), angle, y + rng.uniform(-0.02, 0.15))
                a.add("arm", tube(spline([(0, y, 0), (tip + [0, y, 0]) / 2 - [0, 0.02, 0], tip], 7), t * 0.7, segments=7), trim)
                parts.head(rng, a, tip, rng.uniform(0.12, 0.2), upward=bool(k % 2), simple=True)
            return
        if chance(rng, 0.3):
            for y in rng.uniform(0.2, 0.85, int(rng.integers(1, 3))):
                a.add("joint", cylinder(t * 1.8, t * 3, (0, h * y, 0), 12), made_of(rng, "metal"))
    parts.head(rng, a, np.array([0, h, 0]), rng.uniform(0.25, 0.45), upward=True, bowl=style == "torch")
    if chance(rng, 0.2):
        a.add("switch", rod((0.0, h, 0.03), (0, h - 0.12, 0.05), 0.004, 0.008), made_of(rng, "metal"))
    if chance(rng, 0.2):
        _cord(rng, a, np.array([0, 0.02, -0.05]), 0.5)


def _desk(rng: np.random.Generator, a: Assembly) -> None:
    s = rng.uniform(0.3, 0.45)
    trim = made_of(rng, "metal", "plastic", "paint")
    t, base_h = s * rng.uniform(0.02, 0.04), s * rng.uniform(0.05, 0.12)
    if chance(rng, 0.8):
        a.add("base", parts.foot_disc(rng, s * rng.uniform(0.22, 0.34), base_h), trim)
    else:
        a.add("base", merge(box((s * 0.15, s * 0.3, s * 0.12), (0, 0, 0)), box((s * 0.3, s * 0.06, s * 0.25), (s * 0.1, s * 0.13, 0)), cylinder(s * 0.02, s * 0.3, (s * 0.1, -s * 0.12, 0), 8)), trim)
        base_h = s * 0.15
    p = np.array([0.0, base_h, 0.0])
    if chance(rng, 0.3):
        reach, rise = s * rng.uniform(0.5, 1.0), s * rng.uniform(0.8, 1.3)
        path = spline([p, p + [-s * 0.05, rise * 0.7, 0], p + [reach * 0.4, rise * 1.1, 0], p + [reach, rise * 0.9, 0]], 16)
        a.add("arm", tube(path, t, segments=8), trim)
        q, ahead = path[-1], path[-1] - path[-2]
    else:
        lean, fold = rng.uniform(0.05, 0.6), rng.uniform(0.3, 1.4)
        q = p
        bars = [(np.pi / 2 + lean, s * rng.uniform(0.6, 1.0)), (np.pi / 2 + lean - fold - 0.4, s * rng.uniform(0.6, 1.0))]
        if chance(rng, 0.15):
            bars.append((-rng.uniform(0.1, 0.5), s * 0.3))
        ahead = np.array([1.0, 0, 0])
        double = chance(rng, 0.4)
        for angle, length in bars:
            ahead = np.array([np.cos(angle), np.sin(angle), 0])
            end = q + ahead * length
            gap = np.array([0, 0, t * 1.3])
            a.add("arm", merge(rod(q - gap, end - gap, t * 0.55), rod(q + gap, end + gap, t * 0.55)) if double else rod(q, end, t * 0.8), trim)
            a.add("joint", cylinder(t * 1.8, t * 4, q, 14, axis="z"), made_of(rng, "metal", "plastic"))
            q = end
        a.add("joint", cylinder(t * 1.6, t * 3.5, q, 14, axis="z"), made_of(rng, "metal", "plastic"))
    length, r = s * rng.uniform(0.3, 0.45), s * rng.uniform(0.16, 0.28)
    part, mesh = parts.reflector(rng, r, length)
    turn = rng.uniform(-0.2, 0.9)
    a.add(part, move(rotate(mesh, "z", turn), q), made_of(rng, "metal", "plastic", "paint") if chance(rng, 0.5) else trim)
    bulb = move(parts.bulb(rng, r * 0.5), (0, -length * 0.55, 0))
    a.add("bulb", move(rotate(bulb, "z", turn), q), parts.glow(rng))
    if chance(rng, 0.6):
        a.add("socket", move(rotate(cylinder(r * 0.3, length * 0.5, (0, -length * 0.1, 0), 12), "z", turn), q), trim)
    if chance(rng, 0.3):
        a.add("switch", cylinder(s * 0.02, s * 0.03, (s * 0.12, base_h, 0), 10), made_of(rng, "plastic", "metal"))
    if chance(rng, 0.3):
        _cord(rng, a, np.array([0, base_h * 0.4, -s * 0.15]), s)


def _pendant(rng: np.random.Generator, a: Assembly) -> None:
    n = int(rng.choice([1, 1, 1, 2, 3, 4, 5]))
    size = rng.uniform(0.2, 0.45) / np.sqrt(n)
    drop = rng.uniform(0.25, 0.8) * np.sqrt(np.sqrt(n)) * 0.8
    trim = made_of(rng, "metal", "plastic", "wood")
    gap = size * rng.uniform(1.2, 1.8)
    ring = n > 2 and chance(rng, 0.4)
    spots = [polar(gap * 0.6, 2 * np.pi * k / n) if ring else np.array([gap * (k - (n - 1) / 2), 0, 0]) for k in range(n)]
    top = drop
    if ring or n == 1:
        a.add("mount", solid([(size * 0.3 + ring * gap * 0.6, top), (size * 0.3 + ring * gap * 0.55, top + size * 0.12)], 22), trim)
    else:
        a.add("mount", box((gap * n * 0.9, size * 0.12, size * 0.25), (0, top + size * 0.05, 0), bevel=0.004), trim)
    kind, seed = pick(rng, ["cord", "chain", "rod"]), int(rng.integers(1 << 30))
    hang = made_of(rng, "metal", "plastic", "rubber")
    vary = chance(rng, 0.4)
    for spot in spots:
        low = drop * rng.uniform(0.0, 0.5) * (vary and n > 1)
        a_low, high = spot + [0, low, 0], spot + [0, top + size * 0.02, 0]
        if kind == "chain":
            a.add("chain", chain(a_low, high, size * 0.12), hang)
        else:
            a.add("cord" if kind == "cord" else "pole", rod(a_low, high, size * (0.012 if kind == "cord" else 0.035), sides=8), hang)
        if chance(rng, 0.1):
            a.add("hook", move(torus(size * 0.06, size * 0.015, axis="z", arc=5.0, segments=14, sides=6), high - [0, size * 0.05, 0]), hang)
        parts.head(np.random.default_rng(seed), a, a_low, size, upward=False)


def _wall(rng: np.random.Generator, a: Assembly) -> None:
    s = rng.uniform(0.18, 0.3)
    trim = made_of(rng, "metal", "metal", "wood", "ceramic", "paint")
    plate = pick(rng, ["disc", "board", "slab"])
    if plate == "disc":
        back = rotate(parts.foot_disc(rng, s * 0.3, s * 0.1), "x", np.pi / 2)
    else:
        back = box((s * 0.35, s * (1.1 if plate == "board" else 0.5), s * 0.07), (0, 0, s * 0.03), bevel=s * 0.02)
    a.add("mount", back, trim)
    n = int(rng.choice([1, 1, 2, 2, 3]))
    reach, upward = s * rng.uniform(0.4, 0.9), chance(rng, 0.6)
    seed, rise, dip = int(rng.integers(1 << 30)), s * rng.uniform(-0.1, 0.4), s * rng.uniform(-0.3, 0.3)
    for k in range(n):
        x = s * 0.6 * (k - (n - 1) / 2)
        tip = np.array([x, rise, reach])
        if not upward:
            tip[1] = rise * 0.5
        a.add("arm", tube(spline([(0, 0, s * 0.04), (x * 0.5, dip, reach * 0.6), tip + [0, -s * 0.02, 0]], 10), s * 0.035, segments=8), trim)
        parts.head(np.random.default_rng(seed), a, tip, s * rng.uniform(0.7, 0.75) * (1 if n == 1 else 0.75), upward=upward, simple=n > 1)
    if chance(rng, 0.2):
        a.add("switch", rod((s * 0.1, -s * 0.1, s * 0.05), (s * 0.1, -s * 0.5, s * 0.06), s * 0.01, s * 0.02), made_of(rng, "metal"))


def _chandelier(rng: np.random.Generator, a: Assembly) -> None:
    r, n = rng.uniform(0.3, 0.5), int(rng.integers(3, 9))
    trim = made_of(rng, "metal", "metal", "wood", "glass", "paint")
    h, drop = r * rng.uniform(0.5, 1.3), r * rng.uniform(0.4, 1.5)
    style = pick(rng, ["arms", "ring", "wheel", "sputnik"])
    body = np.array([(x, y * h) for x, y in turned_profile(rng, r * 0.13)[1:-1]]) if style == "arms" else np.array([(r * 0.03, 0), (r * 0.03, h)])
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
            a.add("arm", tube(spline([(0, y, 0), polar(r * 0.55, t, y + curl), tip], 9), r * 0.025, segments=7), trim)
        if chance(rng, 0.45) and upward and seed % 2:
            a.add("candle", cylinder(r * 0.045, r * 0.25, tip + [0, r * 0.12, 0], 10), made_of(rng, "paint", "ceramic"))
            a.add("bulb", move(parts.bulb(rng, r * 0.07), tip + [0, r * 0.29, 0]), parts.glow(rng))
        else:
            parts.head(np.random.default_rng(seed), a, tip, size, upward=upward, simple=True)
        if seed % 3 == 0:
            beads = merge(*[sphere(r * 0.03, tip - [0, r * 0.06 * (j + 0.6), 0], (0.7, 1.2, 0.7), 6) for j in range(3)])
            a.add("crystal", beads, made_of(rng, "glass"))
    if chance(rng, 0.5) and style in ("arms", "ring"):
        a.add("finial", sphere(r * 0.07, (0, -r * 0.03, 0), (1, 1.4, 1), 12), trim)


def _street(rng: np.random.Generator, a: Assembly) -> None:
    h = rng.uniform(3.0, 5.0)
    trim = made_of(rng, "metal", "paint", "stone")
    t = h * rng.uniform(0.012, 0.02)
    a.add("base", solid(spline([(t * 4, 0), (t * 3.6, h * 0.03), (t * 1.8, h * 0.07), (t * 1.6, h * 0.1)], 9), int(rng.choice([8, 18]))), trim)
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
            lens = move(sphere(h * 0.02, squash=(2.2, 0.6, 1), segments=12), path[-1] + [h * 0.05, -h * 0.01, 0])
            a.add("bulb", rotate(lens, "y", turn), parts.glow(rng))
        else:
            tip = rotate(Mesh(path[-1:], np.zeros((0, 3), dtype=np.int64), np.zeros((1, 2))), "y", turn).vertices[0]
            parts.lantern(rng, a, tip, h * 0.09, hanging=True)
    if chance(rng, 0.4):
        a.add("finial", sphere(t * 1.5, (0, h + t, 0), (1, 1.5, 1), 12), trim)


def _ceiling(rng: np.random.Generator, a: Assembly) -> None:
    r, trim = rng.uniform(0.15, 0.3), made_of(rng, "metal", "plastic", "wood")
    if chance(rng, 0.45):
        n, length = int(rng.integers(2, 6)), r * rng.uniform(3, 5)
        a.add("track", box((length, r * 0.1, r * 0.15), (0, 0, 0), bevel=r * 0.01), trim)
        for k in range(n):
            x, turn = length * ((k + 0.5) / n - 0.5), rng.uniform(-0.8, 0.8)
            a.add("arm", rod((x, -r * 0.04, 0), (x, -r * 0.4, 0), r * 0.03), trim)
            _, mesh = parts.reflector(rng, r * 0.18, r * 0.45)
            a.add("shade", move(rotate(mesh, "x", turn), (x, -r * 0.38, 0)), trim)
            a.add("bulb", move(rotate(sphere(r * 0.12, (0, -r * 0.38, 0), segments=10), "x", turn), (x, -r * 0.38, 0)), parts.glow(rng))
        return
    a.add("mount", cylinder(r * 0.9, r * 0.14, (0, 0, 0), 28), trim)
    dome = r * rng.uniform(0.25, 0.6)
    if chance(rng, 0.6):
        bowl = spline([(r * 0.04, -dome), (r * 0.7, -dome * 0.7), (r, -r * 0.05)], 10)
        a.add("shade", solid(bowl, 28), made_of(rng, "glass", "paint", "ceramic"))
    else:
        a.add("shade", cylinder(r * 1.1, dome, (0, -dome / 2, 0), 30), made_of(rng, "fabric", "glass", "paint"))
    if chance(rng, 0.6):
        a.add("finial", sphere(r * 0.07, (0, -dome - r * 0.03, 0), segments=10), trim)


def _lantern(rng: np.random.Generator, a: Assembly) -> None:
    s = rng.uniform(0.12, 0.2)
    parts.lantern(rng, a, np.array([0, 0, 0]), s, hanging=False)
    if chance(rng, 0.6):
        top = max(float(p.mesh.bounds()[1, 1]) for p in a.pieces)
        bow = bent([(-s * 0.4, top - s * 0.2, 0), (-s * 0.4, top + s * 0.6, 0), (s * 0.4, top + s * 0.6, 0), (s * 0.4, top - s * 0.2, 0)], s * 0.03, s * 0.4, 8)
        a.add("hook", bow, made_of(rng, "metal"))


_STYLES: dict[str, tuple[float, Callable[[np.random.Generator, Assembly], None]]] = {
    "table": (4.0, _table), "floor": (4.0, _floor), "desk": (2.5, _desk), "pendant": (3.5, _pendant),
    "wall": (2.0, _wall), "chandelier": (2.0, _chandelier), "street": (1.2, _street), "ceiling": (1.0, _ceiling),
    "lantern": (0.6, _lantern),
}  # fmt: skip


def lamp(rng: np.random.Generator) -> list[Piece]:
    """Lamps of nine kinds with many shades; pendants and chandeliers hang from their mount."""
    a = Assembly()
    style = pick(rng, list(_STYLES), [weight for weight, _ in _STYLES.values()])
    _STYLES[style][1](rng, a)
    return a.pieces


CATEGORIES = {"lamp": lamp}
