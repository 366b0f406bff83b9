"""Bags and suitcases."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, bent, chance, pick, smooth
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import box, curved_sheet, cylinder, loft, outline, rod, rounded_box, torus, tube
from alignparts.corpus.procedural.vessels import made_of, spline


def _cloth(rng: np.random.Generator) -> Material:
    return made_of(rng, "leather", "leather", "leather", "fabric", "fabric", "plastic")


def _sack(w: np.ndarray, d: np.ndarray, y: np.ndarray, corner: float, caps: bool = True, lean: float = 0.0) -> Mesh:
    """A stuffed body through rounded rectangles of widths `w` and depths `d` at heights `y`."""
    rings = []
    for wide, deep, high in zip(w, d, y, strict=True):
        flat = outline(wide, deep, corner * min(wide, deep))
        rings.append(np.column_stack([flat[:, 0], np.full(len(flat), high), flat[:, 1] + lean * high]))
    return loft(np.array(rings), caps=caps)


def _ribbon(path: np.ndarray, side: np.ndarray, width: float, thick: float = 0.0) -> Mesh:
    """A strap of `width` along a path (n, 3), spread along the direction `side`; a sheet when `thick` is 0."""
    half = np.asarray(side, dtype=float) * width / 2
    sheet = curved_sheet(np.stack([path - half, path + half]))
    if thick <= 0:
        return sheet
    mesh = tube(path, thick / 2, segments=4)
    along = (mesh.vertices - path[np.linalg.norm(mesh.vertices[:, None] - path[None], axis=2).argmin(1)]) @ half
    stretch = (width / thick - 1) * along / max(float(half @ half), 1e-12)
    return Mesh(mesh.vertices + stretch[:, None] * half, mesh.faces, mesh.uv)


def _arched(x: float, y: float, z: float, rise: float, lean: float, spread: float) -> np.ndarray:
    """Path of a bow handle from (-x, y, z) to (x, y, z), `rise` high, tipped by `lean`, tops drawn in by `spread`."""
    kind = [(-x, 0), (-x * spread, rise * 0.7), (-x * spread * 0.5, rise), (x * spread * 0.5, rise), (x * spread, rise * 0.7), (x, 0)]
    p = spline(kind, 17)
    return np.column_stack([p[:, 0], y + p[:, 1] * np.cos(lean), z + p[:, 1] * np.sin(lean)])


def _handbag(rng: np.random.Generator, a: Assembly) -> None:
    w, h = rng.uniform(0.25, 0.42), rng.uniform(0.18, 0.32)
    d = w * rng.uniform(0.22, 0.45)
    kind = pick(rng, ["trapeze", "box", "hobo", "barrel", "bucket"])
    t = np.linspace(0, 1, 9)
    tops = {"trapeze": 1 - 0.3 * t, "box": 1 - 0.03 * t, "hobo": 1 - 0.45 * t**2, "barrel": np.ones(9), "bucket": 0.75 + 0.25 * t}
    bulge = {"trapeze": 1 - 0.75 * t, "box": 1 - 0.1 * t, "hobo": 0.75 + 0.4 * np.sin(2.6 * t) - 0.35 * t, "barrel": np.sin(np.pi * (0.12 + 0.8 * t)), "bucket": 1 - 0.2 * t}
    cloth = _cloth(rng)
    if kind == "bucket":
        w, d = w * 0.75, w * 0.7
    body = _sack(w * tops[kind], np.maximum(d * bulge[kind], d * 0.1), h * t, 0.4 if kind == "bucket" else rng.uniform(0.1, 0.35))
    a.add("body", body, cloth)
    trim = cloth if chance(rng, 0.5) else _cloth(rng)
    metal = made_of(rng, "metal")
    top_w, top_d = w * float(tops[kind][-1]), max(d * float(bulge[kind][-1]), d * 0.1)
    flap = kind in ("box", "trapeze") and chance(rng, 0.35)
    if flap:
        fall, mid = h * rng.uniform(0.4, 0.7), 0.5 * (d * float(bulge[kind][4]) + top_d) * 0.5
        path = smooth([(0, h + 0.006, -top_d * 0.45), (0, h + 0.01, top_d * 0.5), (0, h - fall, mid + 0.012)], top_d * 0.4)
        a.add("pocket", _ribbon(path, np.array([1.0, 0, 0]), top_w * 0.98), trim)
        a.add("buckle", box((w * 0.09, w * 0.07, 0.012), (0, h - fall * 0.92, mid + 0.014), bevel=0.002), metal)
    elif chance(rng, 0.55):
        a.add("zipper", merge(box((top_w * 0.92, h * 0.015, max(top_d * 0.12, 0.008)), (0, h * 1.003, 0)), box((0.012, 0.012, 0.03), (top_w * 0.4, h * 1.01, 0.01))), metal)
    n = 1 if kind == "hobo" or flap or chance(rng, 0.3) else 2
    x, rise = top_w * rng.uniform(0.22, 0.42), h * rng.uniform(0.4, 1.0)
    thick = w * rng.uniform(0.012, 0.024)
    flat = chance(rng, 0.4)
    for s in [0] if n == 1 else [-1, 1]:
        z, y = s * top_d * 0.5, h * (0.97 if n == 1 else rng.uniform(0.86, 0.97))
        if n == 2:
            z = s * max(np.interp(y / h, t, np.maximum(d * bulge[kind], d * 0.1)) / 2, 0.004)
        path = _arched(x, y, z, rise, s * rng.uniform(0.0, 0.25), rng.uniform(0.6, 1.0))
        a.add("handle", _ribbon(path, np.array([0, 0, 1.0]), thick * 3, thick * 0.6) if flat else tube(path, thick, segments=8), trim)
        if chance(rng, 0.4):
            for end in (path[0], path[-1]):
                a.add("ring", torus(thick * 1.8, thick * 0.4, end, "z", segments=14, sides=6), metal)
        if chance(rng, 0.25):
            for end in (path[0], path[-1]):
                a.add("rivet", cylinder(thick * 0.9, thick * 1.6, end - [0, thick * 2, 0], 10, axis="z"), metal)
    if chance(rng, 0.3):
        wide = w * 0.5
        drop = rng.uniform(0.6, 1.3) * h
        path = _arched(float(top_w) * 0.49, h * 0.93, 0, drop, rng.uniform(-0.3, 0.3), wide / max(top_w * 0.49, 1e-6) * 0.7)
        a.add("strap", _ribbon(path, np.array([0, 0, 1.0]), w * 0.05), trim)
    if chance(rng, 0.25):
        for sx in (-0.36, 0.36):
            for sz in (-0.3, 0.3):
                a.add("foot", cylinder(w * 0.02, h * 0.05, (sx * w * tops[kind][0], -h * 0.015, sz * d * bulge[kind][0]), 10), metal)
    if chance(rng, 0.2):
        z = d * float(np.interp(0.35, t, bulge[kind])) / 2
        a.add("pocket", rounded_box((w * 0.5, h * 0.35, d * 0.12), d * 0.04, (0, h * 0.33, z)), cloth)


def _tote(rng: np.random.Generator, a: Assembly) -> None:
    w, h = rng.uniform(0.28, 0.42), rng.uniform(0.28, 0.45)
    d = w * rng.uniform(0.08, 0.4)
    paper = chance(rng, 0.35)
    cloth = made_of(rng, "paper_or_label", "paint") if paper else made_of(rng, "fabric", "fabric", "leather", "plastic")
    flare, y = rng.uniform(0.9, 1.15), np.linspace(0, h, 4)
    grow = np.linspace(1, flare, 4)
    outside = _sack(w * grow, d * grow, y, 0.02 if paper else 0.2, caps=False)
    floor = box((w * 0.98, h * 0.01, d * 0.96), (0, h * 0.005, 0))
    a.add("body", merge(outside, floor), cloth)
    trim = made_of(rng, "fabric", "leather", "plastic") if chance(rng, 0.6) else cloth
    x, rise, thick = w * rng.uniform(0.15, 0.25), h * rng.uniform(0.25, 0.75), w * rng.uniform(0.008, 0.016)
    below = h * (0.96 if paper else rng.uniform(0.55, 0.95))
    for s in (-1, 1):
        z = s * d * np.interp(below, y, grow) / 2 + s * thick * 0.3
        path = _arched(x, below, z, h - below + rise, s * rng.uniform(-0.05, 0.1), rng.uniform(0.85, 1.0))
        a.add("handle", _ribbon(path, np.array([0, 0, 1.0]), thick * 1.4, thick) if chance(rng, 0.3) else tube(path, thick * 0.8, segments=7), trim)
    if not paper and chance(rng, 0.3):
        a.add("pocket", box((w * 0.5, h * 0.4, d * 0.04 + 0.004), (0, h * 0.4, d * np.interp(0.4 * h, y, grow) / 2), bevel=0.001), trim)


def _backpack(rng: np.random.Generator, a: Assembly) -> None:
    h = rng.uniform(0.38, 0.6)
    w, d = h * rng.uniform(0.58, 0.78), h * rng.uniform(0.28, 0.42)
    cloth = made_of(rng, "fabric", "fabric", "leather", "plastic")
    trim = cloth if chance(rng, 0.4) else made_of(rng, "fabric", "leather")
    t = np.linspace(0, 1, 10)
    round_top = rng.uniform(0.3, 0.8)
    shape = np.sqrt(np.clip(1 - np.clip((t - 0.75) / 0.25, 0, 1) ** 2 * round_top, 0.05, 1))
    lean = rng.uniform(-0.12, 0.0)
    a.add("body", _sack(w * shape * (0.92 + 0.08 * np.sin(np.pi * t)), d * shape * (1 - 0.25 * t), h * t, rng.uniform(0.15, 0.4), lean=lean * d / h), cloth)
    ph, pd = h * rng.uniform(0.32, 0.5), d * rng.uniform(0.2, 0.4)
    front = d * 0.47
    if chance(rng, 0.8):
        a.add("pocket", rounded_box((w * rng.uniform(0.6, 0.85), ph, pd), pd * 0.45, (0, ph * 0.62, front)), trim)
        if chance(rng, 0.6):
            a.add("zipper", box((w * 0.55, h * 0.012, 0.008), (0, ph * 0.95, front + pd * 0.5)), made_of(rng, "metal", "plastic"))
    if chance(rng, 0.4):
        for s in (-1, 1):
            a.add("pocket", rounded_box((d * 0.22, h * 0.28, d * 0.6), d * 0.08, (s * w * 0.48, h * 0.2, 0)), trim)
    if chance(rng, 0.5):
        arch = np.linspace(0.15, 0.85, 9) * np.pi
        x, y = w * 0.47 * np.cos(arch), h * 0.62 + h * 0.3 * np.sin(arch)
        a.add("zipper", tube(np.stack([x, y, np.full(9, d * 0.36)], axis=1), h * 0.009, segments=5), made_of(rng, "metal", "plastic"))
    if chance(rng, 0.3):
        path = smooth([(0, h * 0.97, -d * 0.3), (0, h * 1.03, d * 0.1), (0, h * 0.95, d * 0.42), (0, h * 0.55, d * 0.52)], d * 0.3)
        a.add("pocket", _ribbon(path, np.array([1.0, 0, 0]), w * 0.85), trim)
        for s in ([0] if chance(rng, 0.4) else [-1, 1]):
            a.add("buckle", box((w * 0.08, h * 0.06, d * 0.06), (s * w * 0.25, h * 0.57, d * 0.53), bevel=0.003), made_of(rng, "metal", "plastic"))
    back = -d * 0.45
    for s in (-1, 1):
        path = spline([(s * w * 0.17, h * 0.93, back * 0.6), (s * w * 0.24, h * 0.9, back - d * 0.28), (s * w * 0.33, h * 0.55, back - d * 0.42), (s * w * 0.4, h * 0.2, back - d * 0.18), (s * w * 0.42, h * 0.08, back * 0.95)], 15)
        strap = _ribbon(path, np.array([1.0, 0, 0.1]), w * rng.uniform(0.12, 0.15), h * 0.02)
        a.add("strap", strap, trim)
    loop_x = w * 0.12
    a.add("handle", tube(_arched(loop_x, h * 0.95, back * 0.5, h * 0.1, -0.2, 0.95), h * 0.012, segments=7), trim)


def _briefcase(rng: np.random.Generator, a: Assembly) -> None:
    w, h, d = rng.uniform(0.36, 0.46), rng.uniform(0.24, 0.33), rng.uniform(0.06, 0.12)
    duffel = chance(rng, 0.4)
    cloth = made_of(rng, "fabric", "leather", "plastic") if duffel else made_of(rng, "leather", "leather", "metal")
    trim, metal = (cloth if chance(rng, 0.5) else _cloth(rng)), made_of(rng, "metal")
    if duffel:
        h, d = h * 0.85, h * rng.uniform(0.75, 1.0)
        body = rounded_box((w * 1.2, h, d), h * 0.4, (0, h / 2, 0))
        a.add("zipper", box((w * 0.95, h * 0.02, 0.012), (0, h, 0)), metal)
        for s in (-1, 1):
            path = _arched(w * 0.22, h * 0.35, s * d * 0.505, h * 1.0, -s * 0.1, 0.95)
            a.add("handle", _ribbon(path, np.array([0.6, 0, 0.8 * s]), w * 0.05, w * 0.012), trim)
        a.add("strap", _ribbon(_arched(w * 0.6, h * 0.6, 0, h * rng.uniform(0.9, 1.6), rng.uniform(-0.2, 0.2), 0.8), np.array([0, 0, 1.0]), w * 0.06), trim)
    else:
        body = box((w, h, d), (0, h / 2, 0), bevel=d * rng.uniform(0.05, 0.3))
        grip = w * rng.uniform(0.12, 0.17)
        a.add("handle", bent([(-grip, h * 0.99, 0), (-grip, h * 1.14, 0), (grip, h * 1.14, 0), (grip, h * 0.99, 0)], d * rng.uniform(0.08, 0.13), h * 0.08, 8), trim)
        for s in (-1, 1):
            a.add("ring", box((w * 0.03, h * 0.03, d * 0.3), (s * grip, h * 1.01, 0)), metal)
            a.add("buckle", box((w * 0.07, h * 0.09, d * 0.08 + 0.004), (s * w * 0.33, h * 0.86, d / 2), bevel=0.002), metal)
        if chance(rng, 0.5):
            path = np.array([(0, h + 0.003, -d * 0.4), (0, h + 0.004, d * 0.5), (0, h * 0.5, d * 0.5 + 0.006)])
            a.add("pocket", _ribbon(path, np.array([1.0, 0, 0]), w * 0.98), trim)
        if chance(rng, 0.4):
            for x in (-0.4, 0.4):
                a.add("foot", cylinder(d * 0.07, h * 0.03, (x * w, -h * 0.01, 0), 8), metal)
    a.add("body", body, cloth)


def bag(rng: np.random.Generator) -> list[Piece]:
    """Handbags, totes, paper bags, backpacks, briefcases and duffels; the front looks along +z."""
    a = Assembly()
    styles = {"hand": _handbag, "tote": _tote, "back": _backpack, "brief": _briefcase}
    styles[pick(rng, list(styles), [4, 2, 3, 2])](rng, a)
    return a.pieces


def suitcase(rng: np.random.Generator) -> list[Piece]:
    """Trolley cases, hard and soft, vintage trunks and flat cases, shut or open; standing on their wheels."""
    a = Assembly()
    style = pick(rng, ["hard", "hard", "soft", "vintage", "vintage", "trunk"])
    trolley = style in ("hard", "soft")
    material = {"hard": ("plastic", "metal", "paint"), "soft": ("fabric", "leather")}.get(style, ("leather", "wood", "fabric"))
    shell = made_of(rng, *material)
    trim, metal = made_of(rng, "metal", "plastic", "rubber"), made_of(rng, "metal")
    if trolley:
        h = rng.uniform(0.5, 0.75)
        w, d = h * rng.uniform(0.6, 0.75), h * rng.uniform(0.3, 0.45)
    else:
        w = rng.uniform(0.45, 0.7)
        h, d = w * rng.uniform(0.62, 0.78), w * (rng.uniform(0.2, 0.32) if style == "vintage" else rng.uniform(0.5, 0.65))
    wheel = h * rng.uniform(0.03, 0.05) if trolley else 0.0
    split = d * rng.uniform(-0.2, 0.35)
    back_d, front_d = d / 2 + split, d / 2 - split
    if style == "soft":
        front_d = d * 0.15
        back_d = d - front_d
    round_edge = min(back_d, front_d) * rng.uniform(0.25, 0.6) if trolley else d * 0.04
    y = wheel * 1.7 + h / 2
    gap = d * 0.015
    half_back = rounded_box((w, h, back_d), round_edge, (0, y, -d / 2 + back_d / 2 - gap))
    half_front = rounded_box((w, h, front_d), round_edge, (0, y, d / 2 - front_d / 2))
    if style == "hard" and chance(rng, 0.7):
        n = int(rng.integers(3, 8))
        wide = w / n * rng.uniform(0.3, 0.6)
        upright = chance(rng, 0.6)
        ribs = []
        for k in range(n):
            at = (w * 0.82 * ((k + 0.5) / n - 0.5), y, 0) if upright else (0, y + h * 0.82 * ((k + 0.5) / n - 0.5), 0)
            size = (wide, h * 0.85, 0.012) if upright else (w * 0.85, wide, 0.012)
            ribs.append(box(size, at, bevel=0.004))
        half_front = merge(half_front, *[move(r, (0, 0, d / 2)) for r in ribs])
        half_back = merge(half_back, *[move(r, (0, 0, -d / 2)) for r in ribs])
    lie = not trolley and chance(rng, 0.5)
    opened = rng.uniform(0.9, 1.9) if not trolley and chance(rng, 0.3) else 0.0
    a.add("body", half_back, shell)
    hinge = (0, y - h / 2, d / 2 - front_d)
    a.add("lid", rotate(half_front, "x", opened, hinge), shell if chance(rng, 0.85) else made_of(rng, *material))
    seam = d / 2 - front_d
    if style in ("hard", "soft") and chance(rng, 0.8):
        edge = outline(w * 1.008, h * 1.008, max(round_edge, h * 0.02))
        band = np.column_stack([edge[:, 0], edge[:, 1] + y, np.full(len(edge), seam - gap / 2)])
        a.add("zipper", tube(band, d * 0.02, segments=6, closed=True), made_of(rng, "metal", "plastic", "rubber"))
    if trolley:
        twin = chance(rng, 0.5)
        spots = [(sx, sz) for sx in (-1, 1) for sz in (-1, 1)] if chance(rng, 0.65) else [(-1, -1), (1, -1)]
        for sx, sz in spots:
            at = np.array([sx * w * 0.4, wheel, sz * d * 0.34])
            wheels = [cylinder(wheel, wheel * 0.6, at + [o * wheel * 0.5, 0, 0], 16, axis="x") for o in ((-1, 1) if twin else (0,))]
            fork = box((wheel * (2.4 if not twin else 0.5), wheel * 1.4, wheel * 1.2), at + [0, wheel * 0.7, 0], bevel=wheel * 0.1)
            a.add("wheel", merge(*wheels, fork), made_of(rng, "rubber", "plastic"))
        if len(spots) == 2:
            for sx in (-1, 1):
                a.add("foot", box((w * 0.1, wheel * 1.8, d * 0.15), (sx * w * 0.35, wheel * 0.9, d * 0.3), bevel=wheel * 0.2), trim)
        out = h * rng.choice([0.02, rng.uniform(0.3, 0.75)])
        x, top, z = w * rng.uniform(0.2, 0.32), y + h / 2, -d / 2 + back_d * 0.35
        t = h * rng.uniform(0.009, 0.015)
        bars = [rod((s * x, top - h * 0.15, z), (s * x, top + out, z), t) for s in (-1, 1)]
        bars.append(rounded_box((2 * x + t * 4, t * 3.5, t * 3.5), t * 1.5, (0, top + out + t, z)))
        a.add("trolley", merge(*bars), trim)
        grip = w * rng.uniform(0.13, 0.18)
        rise = h * 0.05
        low = z + d * 0.3
        a.add("handle", bent([(-grip, top - 0.004, low), (-grip, top + rise, low), (grip, top + rise, low), (grip, top - 0.004, low)], t * 1.1, rise, 8), trim)
        if chance(rng, 0.5):
            side = bent([(0, -grip, 0), (rise, -grip, 0), (rise, grip, 0), (0, grip, 0)], t * 1.1, rise, 8)
            a.add("handle", move(side, (w / 2 - 0.003, y, z)), trim)
        if style == "soft":
            for high, tall in ((0.2, 0.3), (-0.2, 0.38)) if chance(rng, 0.6) else ((-0.1, 0.5),):
                a.add("pocket", rounded_box((w * 0.8, h * tall, d * 0.12), d * 0.05, (0, y + high * h, d / 2)), shell)
        if chance(rng, 0.5):
            a.add("lock", box((w * 0.06, h * 0.05, d * 0.08), (w * 0.495, y + h * 0.25, seam), bevel=0.002), metal)
    else:
        grip, rise = w * rng.uniform(0.12, 0.18), h * 0.09
        top = y + h / 2
        thick = w * rng.uniform(0.012, 0.02)
        if style == "trunk":
            for s in (-1, 1):
                side = bent([(0, 0, -grip * 0.8), (s * rise, -rise * 0.3, -grip * 0.8), (s * rise, -rise * 0.3, grip * 0.8), (0, 0, grip * 0.8)], thick, rise * 0.6, 8)
                a.add("handle", move(side, (s * w * 0.497, y + h * 0.1, -d / 2 + back_d / 2)), trim)
        else:
            z = -d / 2 + back_d * 0.6
            a.add("handle", bent([(-grip, top - 0.003, z), (-grip, top + rise, z), (grip, top + rise, z), (grip, top - 0.003, z)], thick, rise * 0.8, 8), trim)
        for s in (-1, 1):
            plate = box((w * 0.07, h * 0.03, d * 0.25), (s * w * 0.3, top, seam - d * 0.08), bevel=0.003)
            a.add("lock", plate, metal)
        if chance(rng, 0.6):
            for sx in (-1, 1):
                for sz in (-1, 1):
                    a.add("foot", box((w * 0.05, h * 0.03, d * 0.1), (sx * w * 0.4, y - h / 2 - h * 0.01, (sz * 0.3 - 0.02) * d if sz < 0 else min(0.25 * d, seam - 0.05 * d)), bevel=0.002), metal)
    if lie:
        a.pieces = [Piece(p.part, rotate(p.mesh, "x", -np.pi / 2), p.material) for p in a.pieces]
    return a.pieces


CATEGORIES = {"bag": bag, "suitcase": suitcase}
