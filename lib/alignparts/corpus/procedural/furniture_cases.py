"""Storage furniture and doors."""

import numpy as np

from alignparts.corpus.procedural import materials
from alignparts.corpus.procedural.fittings import (
    Assembly,
    caster,
    chance,
    handle_maker,
    hard,
    leg_maker,
    pick,
)
from alignparts.corpus.procedural.furniture_tables import _drawers as drawers
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Piece
from alignparts.corpus.procedural.toolkit import (
    arc,
    box,
    cylinder,
    extrude,
    merge,
    move,
    outline,
    panel,
    rod,
    rotate,
    sphere,
    torus,
)


def _leaf(rng: np.random.Generator, a: Assembly, x: float, y: float, w: float, h: float, z: float, style: str, hinge: int, ajar: float, main: Material, glass: Material, pull: Material, make) -> None:  # type: ignore[no-untyped-def]
    """A cabinet door leaf centred at (x, y), hinged on the side `hinge`, turned open by `ajar` radians."""
    edge = (x + hinge * w / 2, y, z)

    def swing(mesh):  # type: ignore[no-untyped-def]
        return rotate(mesh, "y", hinge * ajar, edge)

    rim = min(0.07, w * 0.2)
    if style == "glass":
        bars = [box((w, rim, 0.02), (x, y + s * (h - rim) / 2, z)) for s in (-1, 1)]
        bars += [box((rim, h, 0.02), (x + s * (w - rim) / 2, y, z)) for s in (-1, 1)]
        a.add("door", swing(merge(*bars)), main)
        a.add("glass", swing(box((w - 1.8 * rim, h - 1.8 * rim, 0.005), (x, y, z))), glass)
    elif style == "raised":
        face = merge(box((w, h, 0.018), (x, y, z)), box((w - 2 * rim, h - 2 * rim, 0.012), (x, y, z + 0.012), bevel=0.005))
        a.add("door", swing(face), main)
    elif style == "louvre":
        n = max(int(h / 0.06), 4)
        slats = [rotate(box((w - 2 * rim, 0.05, 0.006), (x, y + h * ((k + 0.5) / n - 0.5) * 0.9, z)), "x", 0.5, (x, y + h * ((k + 0.5) / n - 0.5) * 0.9, z)) for k in range(n)]
        bars = [box((w, rim, 0.02), (x, y + s * (h - rim) / 2, z)) for s in (-1, 1)]
        bars += [box((rim, h, 0.02), (x + s * (w - rim) / 2, y, z)) for s in (-1, 1)]
        a.add("door", swing(merge(*slats, *bars)), main)
    else:
        a.add("door", swing(box((w, h, 0.02), (x, y, z), bevel=rng.choice([0.0, 0.003]))), main)
    at = (x - hinge * w * 0.4, y + h * rng.choice([0.0, 0.05]), z + 0.0095)
    a.add("handle", swing(make(at, True)), pull)


def _base(rng: np.random.Generator, a: Assembly, w: float, d: float, kind: str, frame: Material) -> float:
    """What the case stands on; gives its height."""
    x, z = w / 2 - 0.04, d / 2 - 0.04
    corners = [(sx * x, sz * z) for sx in (-1, 1) for sz in (-1, 1)]
    if kind == "legs":
        h = rng.uniform(0.1, 0.35)
        maker, splay = leg_maker(rng, rng.uniform(0.025, 0.06)), rng.choice([0, 0.08])
        for px, pz in corners:
            a.add("leg", maker((px * (1 + splay), 0, pz * (1 + splay)), (px, h + 0.002, pz)), frame)
        if chance(rng, 0.3):
            for s in (-1, 1):
                a.add("frame_rail", box((2 * x, 0.025, 0.02), (0, h - 0.02, s * z)), frame)
    elif kind == "feet":
        h = rng.uniform(0.03, 0.08)
        ball = chance(rng, 0.4)
        for px, pz in corners:
            mesh = sphere(h * 0.55, (px, h * 0.52, pz), segments=12) if ball else cylinder(0.02, h, (px, h / 2, pz), 12, top_radius=0.03)
            a.add("foot", mesh, frame)
    elif kind == "casters":
        r = rng.uniform(0.02, 0.035)
        h = r * 2.4
        shade, twin = materials.rubber(rng), chance(rng, 0.5)
        for px, pz in corners:
            yoke, disc = caster(rng, (px, h, pz), r, twin, rng.uniform(0, np.pi))
            a.add("wheel", merge(yoke, disc), shade)
    elif kind == "plinth":
        h = rng.uniform(0.05, 0.12)
        a.add("base_panel", box((w * 0.97, h, 0.02), (0, h / 2, z)), frame)
        a.add("base_panel", box((w * 0.97, h, 0.02), (0, h / 2, -z)), frame)
        for s in (-1, 1):
            a.add("base_panel", box((0.02, h, 2 * z), (s * x, h / 2, 0)), frame)
    else:
        h = 0.0
    return h


def _books(rng: np.random.Generator, a: Assembly, x0: float, x1: float, y: float, room: float, d: float) -> None:
    """A run of books standing on a shelf."""
    x = x0 + 0.01
    stop = x0 + (x1 - x0) * rng.uniform(0.3, 1.0)
    n = 0
    while x < stop - 0.05 and n < 7:
        t, h = rng.uniform(0.02, 0.05), room * rng.uniform(0.6, 0.92)
        a.add("book", box((t * 0.95, h, d * rng.uniform(0.5, 0.75)), (x + t / 2, y + h / 2, 0)), materials.paint(rng))
        x, n = x + t, n + 1


STYLES = {
    # (width, height, depth) ranges and what fills the bays
    "cabinet": ((0.5, 1.4), (0.6, 1.1), (0.35, 0.55), ["door", "door", "drawers"]),
    "chest": ((0.5, 1.4), (0.6, 1.3), (0.4, 0.55), ["drawers"]),
    "bookshelf": ((0.5, 1.3), (1.0, 2.2), (0.22, 0.4), ["open"]),
    "wardrobe": ((0.8, 2.0), (1.7, 2.3), (0.5, 0.65), ["door", "door", "tall"]),
    "tv": ((1.1, 2.2), (0.3, 0.6), (0.35, 0.5), ["open", "drawers", "door"]),
    "sideboard": ((1.0, 1.9), (0.65, 0.95), (0.38, 0.52), ["door", "drawers", "open"]),
    "locker": ((0.3, 1.2), (1.5, 2.0), (0.4, 0.55), ["locker"]),
    "nightstand": ((0.35, 0.6), (0.4, 0.7), (0.32, 0.48), ["drawers", "mixed", "open"]),
    "vanity": ((0.7, 1.2), (0.65, 0.85), (0.4, 0.5), ["drawers", "door", "mixed"]),
    "display": ((0.5, 1.2), (1.4, 2.1), (0.3, 0.45), ["glass"]),
    "frame_rack": ((0.5, 1.2), (0.8, 2.0), (0.3, 0.5), ["rack"]),
}


def _rack(rng: np.random.Generator, a: Assembly, w: float, h: float, d: float, main: Material, frame: Material) -> None:
    """Open shelves on corner posts."""
    post = leg_maker(rng, rng.uniform(0.015, 0.04), pick(rng, ["square", "round"]))
    for sx in (-1, 1):
        for sz in (-1, 1):
            a.add("frame_post", post((sx * w / 2, 0, sz * d / 2), (sx * w / 2, h, sz * d / 2)), frame)
    n = int(rng.integers(3, 6))
    low = rng.uniform(0.05, 0.2)
    for k in range(n):
        y = low + (h - low - 0.02) * k / (n - 1)
        a.add("shelf", box((w, 0.02, d), (0, y, 0)), main)
        if k and chance(rng, 0.25):
            _books(rng, a, -w / 2, w / 2, low + (h - low - 0.02) * (k - 1) / (n - 1) + 0.01, (h - low) / (n - 1), d)
    if chance(rng, 0.5):
        for s in (-1, 1):
            a.add("frame_rail", rod((-w / 2, low, -d / 2), (w / 2, h * 0.95, -d / 2), 0.006) if s > 0 else rod((w / 2, low, -d / 2), (-w / 2, h * 0.95, -d / 2), 0.006), frame)


def storage_furniture(rng: np.random.Generator) -> list[Piece]:
    """A cabinet, chest of drawers, bookshelf, wardrobe, stand, locker or the like."""
    style = pick(rng, list(STYLES), [3, 2.5, 2.5, 2, 1.5, 1.5, 1, 1.2, 1, 1, 0.9])
    wr, hr, dr, fills = STYLES[style]
    a, main = Assembly(), materials.wood(rng) if chance(rng, 0.55) else hard(rng)
    w, h, d = rng.uniform(*wr), rng.uniform(*hr), rng.uniform(*dr)
    frame = main if chance(rng, 0.6) else hard(rng)
    if style == "frame_rack":
        _rack(rng, a, w, h, d, main, frame)
        return a.pieces
    front = main if chance(rng, 0.6) else hard(rng)
    pull, glass = materials.metal(rng) if chance(rng, 0.7) else materials.wood(rng), materials.glass(rng)
    kind = pick(rng, ["legs", "feet", "casters", "plinth", "none"], [3, 2, 0.8, 2, 2])
    if h > 1.4 and kind in ("casters", "legs"):
        kind = "feet"
    low = _base(rng, a, w, d, kind, frame)
    t = rng.uniform(0.015, 0.03)
    high = max(h, low + 0.25)
    middle, tall = (low + high) / 2, high - low
    for s in (-1, 1):
        a.add("side_panel", box((t, tall, d), (s * (w - t) / 2, middle, 0)), main)
    over = rng.choice([0.0, rng.uniform(0.01, 0.04)])
    a.add("top_panel", box((w + 2 * over, t * rng.uniform(1, 1.6), d + over), (0, high, over / 2), bevel=rng.choice([0.0, 0.004])), main)
    a.add("bottom_panel", box((w - t, t, d * 0.99), (0, low + t / 2, 0)), main)
    if not (style == "bookshelf" and chance(rng, 0.35)):
        a.add("back_panel", box((w - t, tall, 0.008), (0, middle, -d / 2 + 0.006)) if chance(rng, 0.8) else panel(w - t, tall, center=(0, middle, -d / 2 + 0.006)), main)
    bays = int(np.clip(round(w / rng.uniform(0.35, 0.75)), 1, 4))
    span = (w - t) / bays
    for k in range(1, bays):
        a.add("divider_panel", box((t, tall - t, d * 0.95), (k * span - (w - t) / 2, middle, -0.01)), main)
    make = handle_maker(rng, rng.uniform(0.07, 0.14))
    look = pick(rng, ["flat", "raised", "glass", "louvre"], [4, 2, 1.5, 0.8])
    z = d / 2 + 0.008
    leaning = rng.uniform(0.2, 1.4) if chance(rng, 0.2) else 0.0
    rows = int(rng.integers(2, 6))
    stock = chance(rng, 0.4)
    for k in range(bays):
        x = (k + 0.5) * span - (w - t) / 2
        fill = fills[int(rng.integers(len(fills)))]
        y0, y1 = low + t, high - t * 0.5
        if fill == "mixed":
            cut = y1 - (y1 - y0) * rng.uniform(0.25, 0.5)
            drawers(rng, a, x, cut, y1, span, z, d, 1, front, pull)
            a.add("shelf", box((span - t, t, d * 0.95), (x, cut, -0.01)), main)
            y1 = cut
            fill = pick(rng, ["open", "door"])
        if fill in ("door", "glass", "tall", "locker"):
            leaves = 2 if span > 0.6 else 1
            ajar = leaning if k == 0 else 0.0
            for j in range(leaves):
                lw = span / leaves * 0.98
                lx = x + (j - (leaves - 1) / 2) * span / leaves
                hinge = (-1 if j == 0 else 1) if leaves == 2 else (-1 if k % 2 == 0 else 1)
                door_look = "glass" if fill == "glass" else ("louvre" if fill == "locker" and chance(rng, 0.5) else look)
                _leaf(rng, a, lx, (y0 + y1) / 2, lw, (y1 - y0) * 0.98, z, door_look, hinge, ajar, front, glass, pull, make)
                if chance(rng, 0.25):
                    for s in (-1, 1):
                        a.add("hinge", cylinder(0.008, 0.05, (lx + hinge * lw / 2, (y0 + y1) / 2 + s * (y1 - y0) * 0.35, z + 0.008), 10), pull)
            if fill == "tall" and ajar:
                a.add("rail", rod((x - span / 2, y1 - 0.15, 0), (x + span / 2, y1 - 0.15, 0), 0.012), pull)
            if look == "glass" or fill == "glass" or ajar or chance(rng, 0.15):
                for i in range(1, 3):
                    a.add("shelf", box((span - t, t * 0.8, d * 0.9), (x, y0 + (y1 - y0) * i / 3, -0.015)), main)
        elif fill == "drawers":
            n = rows if y1 - y0 > 0.45 else min(rows, 2)
            drawers(rng, a, x, y0, y1, span, z, d, n, front, pull)
        else:
            n = max(int((y1 - y0) / rng.uniform(0.25, 0.4)), 1)
            for i in range(1, n):
                a.add("shelf", box((span - t, t * 0.9, d * 0.95), (x, y0 + (y1 - y0) * i / n, -0.01)), main)
            if stock and n > 1:
                i = int(rng.integers(n))
                _books(rng, a, x - span / 2 + t / 2, x + span / 2 - t / 2, y0 + (y1 - y0) * i / n, (y1 - y0) / n, d)
    if style == "vanity" or (style == "chest" and chance(rng, 0.2)):
        mh, mw = rng.uniform(0.4, 0.8), w * rng.uniform(0.5, 0.9)
        at = (0, high + mh / 2 + 0.03, -d / 2 + 0.03)
        mirror = materials.Material("mirror", None, (0.75, 0.82, 0.88, 1.0), 1.0, 0.02)
        if chance(rng, 0.5):
            flat = outline(mw, mh, rng.uniform(0.05, 0.5) * mh)
        else:
            flat = np.concatenate([[(-mw / 2, -mh / 2), (mw / 2, -mh / 2)], arc(1, 0, np.pi, 14) * [mw / 2, mh * 0.4] + [0, mh * 0.1]])
        a.add("mirror_frame", extrude(flat * 1.1, 0.03, "z", at), main)
        a.add("mirror", extrude(flat, 0.006, "z", (at[0], at[1], at[2] + 0.016)), mirror)
    elif chance(rng, 0.15) and high < 1.2:
        a.add("front_panel", box((w, rng.uniform(0.04, 0.1), 0.018), (0, low + 0.04, d / 2 + 0.02)), frame)
    return a.pieces


def _grip(rng: np.random.Generator, style: str) -> tuple:  # type: ignore[type-arg]
    """Plate and grip of a door handle about the origin, on a face that looks along +z."""
    if style == "knob":
        plate = cylinder(0.03, 0.01, (0, 0, 0.005), 18, axis="z")
        grip = merge(cylinder(0.01, 0.05, (0, 0, 0.03), 10, axis="z"), sphere(0.028, (0, 0, 0.06), (1, 1, 0.75), 16))
    elif style == "lever":
        plate = box((0.035, 0.14, 0.01), (0, 0, 0.005), bevel=0.003) if chance(rng, 0.5) else cylinder(0.025, 0.01, (0, 0, 0.005), 16, axis="z")
        from alignparts.corpus.procedural.fittings import bent

        grip = bent([(0, 0, 0), (0, 0, 0.055), (0.12, 0, 0.055)], 0.009, 0.02)
    elif style == "ring":
        plate = cylinder(0.03, 0.012, (0, 0, 0.006), 16, axis="z")
        grip = torus(0.045, 0.007, (0, -0.035, 0.02), "z", segments=20, sides=8)
    else:
        length = rng.uniform(0.2, 0.7)
        plate = merge(*[cylinder(0.009, 0.05, (0, s * length * 0.38, 0.025), 10, axis="z") for s in (-1, 1)])
        grip = cylinder(0.012, length, (0, 0, 0.05), 14)
    return plate, grip


def _door_leaf(rng: np.random.Generator, style: str, w: float, h: float, t: float, main: Material, trim: Material, glass: Material) -> list[Piece]:
    """A door leaf with its hinge edge at x = 0, standing on y = 0, extending to x = w."""
    a = Assembly()
    c, m = w / 2, h / 2
    rim = rng.uniform(0.08, 0.14)
    if style == "flush":
        a.add("board", box((w, h, t), (c, m, 0), bevel=rng.choice([0.0, 0.003])), main)
        if chance(rng, 0.35):
            gw, gh = w * rng.uniform(0.15, 0.5), h * rng.uniform(0.12, 0.4)
            a.add("glass", box((gw, gh, t * 1.1), (c, h * 0.72, 0)), glass)
    elif style == "panel":
        a.add("board", box((w, h, t * 0.6), (c, m, 0)), main)
        rows, cols = int(rng.integers(1, 5)), int(rng.integers(1, 3))
        for k in range(rows + 1):
            a.add("horizontal_bar", box((w, rim, t), (c, rim / 2 + (h - rim) * k / rows, 0)), trim)
        for k in range(cols + 1):
            a.add("vertical_bar", box((rim, h, t), (rim / 2 + (w - rim) * k / cols, m, 0)), trim)
        if chance(rng, 0.3):
            for k in range(rows):
                y = rim / 2 + (h - rim) * (k + 0.5) / rows
                a.add("decoration", box((w - 2.6 * rim, (h - rim) / rows - 1.7 * rim, t * 0.9), (c, y, 0), bevel=0.006), main)
    elif style in ("glass", "lattice"):
        for s in (0, 1):
            a.add("vertical_bar", box((rim, h, t), (rim / 2 + s * (w - rim), m, 0)), main)
            a.add("horizontal_bar", box((w - 2 * rim, rim, t), (c, rim / 2 + s * (h - rim), 0)), main)
        low = rim
        if chance(rng, 0.3):
            low = h * rng.uniform(0.25, 0.4)
            a.add("board", box((w - 1.9 * rim, low - rim + 0.01, t * 0.6), (c, (low + rim) / 2, 0)), main)
        a.add("glass", box((w - 1.9 * rim, h - low - 0.95 * rim, 0.008), (c, (h - rim + low) / 2, 0)), glass)
        if style == "lattice":
            rows, cols = int(rng.integers(2, 6)), int(rng.integers(1, 4))
            for k in range(1, rows):
                a.add("horizontal_bar", box((w - 1.9 * rim, 0.022, t * 0.6), (c, low + (h - rim - low) * k / rows, 0)), main)
            for k in range(1, cols):
                a.add("vertical_bar", box((0.022, h - rim - low, t * 0.6), (rim + (w - 2 * rim) * k / cols, (h - rim + low) / 2, 0)), main)
    else:
        n = int(rng.integers(4, 9))
        planks = [box((w / n * 0.97, h, t * 0.6), ((k + 0.5) * w / n, m, 0)) for k in range(n)]
        a.add("board", merge(*planks), main)
        for y in (0.15 * h, 0.5 * h, 0.85 * h) if chance(rng, 0.5) else (0.12 * h, 0.88 * h):
            a.add("horizontal_bar", box((w * 0.96, rim, t * 0.5), (c, y, t * 0.5)), trim)
    return a.pieces


def door(rng: np.random.Generator) -> list[Piece]:
    """A door in its frame: flush, panelled, glazed, latticed or planked; one leaf or two."""
    a, main = Assembly(), materials.wood(rng) if chance(rng, 0.55) else materials.paint(rng)
    trim, pull, glass = (main if chance(rng, 0.7) else hard(rng)), materials.metal(rng), materials.glass(rng)
    jamb = trim if chance(rng, 0.5) else hard(rng)
    leaves = 2 if chance(rng, 0.3) else 1
    w, h, t = rng.uniform(0.7, 1.0), rng.uniform(1.9, 2.4), rng.uniform(0.035, 0.06)
    style = pick(rng, ["flush", "panel", "glass", "lattice", "plank"], [2.5, 3, 1.5, 1.5, 1])
    grip = pick(rng, ["knob", "lever", "bar", "ring"], [2.5, 3, 1.5, 0.6])
    leaf = _door_leaf(rng, style, w, h, t, main, trim, glass)
    hold = [Piece(p, m, pull) for p, m in zip(("handle_base", "handle_grip"), _grip(rng, grip), strict=True)]
    high = h * rng.uniform(0.42, 0.5)
    for piece in hold:
        leaf.append(Piece(piece.part, move(rotate(piece.mesh, "z", np.pi if grip == "lever" else 0.0), (w - 0.06, high, t / 2 - 0.001)), pull))
    if chance(rng, 0.6):
        for piece in hold:
            mesh = rotate(rotate(piece.mesh, "z", np.pi if grip == "lever" else 0.0), "y", np.pi)
            if grip == "lever":
                mesh = rotate(mesh, "z", np.pi)
            leaf.append(Piece(piece.part, move(mesh, (w - 0.06, high, 0.001 - t / 2)), pull))
    if chance(rng, 0.3):
        lock = cylinder(0.012, 0.012, (w - 0.06, high + 0.11, t / 2), 12, axis="z")
        leaf.append(Piece("screw", lock, pull))
    hinges = int(rng.integers(2, 4)) if chance(rng, 0.6) else 0
    ajar = rng.uniform(0.2, 1.8) if chance(rng, 0.3) else 0.0
    for side in range(leaves):
        for piece in leaf:
            mesh = rotate(piece.mesh, "y", ajar * (1 if side == 0 else rng.choice([0, 1]) * 0))
            mesh = move(mesh, (-w * leaves / 2, 0, 0))
            if side:
                flipped = mesh.vertices * [-1, 1, 1]
                mesh = type(mesh)(flipped, mesh.faces[:, ::-1].copy(), mesh.uv.copy())
            a.add(piece.part, mesh, piece.material)
        for k in range(hinges):
            y = h * (0.12 + 0.76 * k / max(hinges - 1, 1))
            s = -1 if side == 0 else 1
            a.add("hinge", cylinder(0.012, 0.1, (s * (w * leaves / 2 + 0.004), y, t / 2), 10), pull)
    rim, deep = rng.uniform(0.05, 0.12), t * rng.uniform(1.1, 3)
    total = w * leaves + 0.01
    if chance(rng, 0.9):
        for s in (-1, 1):
            a.add("frame", box((rim, h + 0.01, deep), (s * (total + rim) / 2, h / 2, 0)), jamb)
        top = rng.choice([rim, rim, rng.uniform(0.2, 0.4)])
        a.add("frame", box((total + 2 * rim, rim, deep), (0, h + 0.01 + rim / 2, 0)), jamb)
        if top > rim * 1.5:
            a.add("glass", box((total, top, 0.01), (0, h + rim + top / 2, 0)), glass)
            a.add("frame", box((total + 2 * rim, rim, deep), (0, h + 1.5 * rim + top, 0)), jamb)
            for s in (-1, 1):
                a.add("frame", box((rim, top + rim, deep), (s * (total + rim) / 2, h + rim + top / 2, 0)), jamb)
        if chance(rng, 0.3):
            a.add("frame", box((total + 2 * rim, 0.02, deep), (0, -0.01, 0)), jamb)
    return a.pieces


CATEGORIES = {"storage_furniture": storage_furniture, "door": door}
