"""Build storage furniture: cabinets, chests, bookshelves, wardrobes, stands, lockers, racks."""

import numpy as np

from procparts.kit import materials
from procparts.kit.casework import door_leaf, drawers
from procparts.kit.fittings import Assembly, caster, chance, handle_maker, hard, leg_maker, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Piece, Scalar, merge
from procparts.kit.toolkit import arc, box, cylinder, extrude, outline, panel, rod, sphere


def _base(rng: np.random.Generator, a: Assembly, w: Scalar, d: Scalar, kind: str, frame: Material) -> float:
    """Add the base that the case stands on; return its height."""
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
            mesh = (
                sphere(h * 0.55, (px, h * 0.52, pz), segments=12)
                if ball
                else cylinder(0.02, h, (px, h / 2, pz), 12, top_radius=0.03)
            )
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


def _books(
    rng: np.random.Generator, a: Assembly, x0: Scalar, x1: Scalar, y: Scalar, room: Scalar, d: Scalar
) -> None:
    """Add a run of books standing on a shelf."""
    x = x0 + 0.01
    stop = x0 + (x1 - x0) * rng.uniform(0.3, 1.0)
    n = 0
    while x < stop - 0.05 and n < 7:
        t, h = rng.uniform(0.02, 0.05), room * rng.uniform(0.6, 0.92)
        a.add(
            "book",
            box((t * 0.95, h, d * rng.uniform(0.5, 0.75)), (x + t / 2, y + h / 2, 0)),
            materials.paint(rng),
        )
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


def _rack(
    rng: np.random.Generator, a: Assembly, w: Scalar, h: Scalar, d: Scalar, main: Material, frame: Material
) -> None:
    """Add open shelves on corner posts."""
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
            _books(
                rng,
                a,
                -w / 2,
                w / 2,
                low + (h - low - 0.02) * (k - 1) / (n - 1) + 0.01,
                (h - low) / (n - 1),
                d,
            )
    if chance(rng, 0.5):
        for s in (-1, 1):
            a.add(
                "frame_rail",
                rod((-w / 2, low, -d / 2), (w / 2, h * 0.95, -d / 2), 0.006)
                if s > 0
                else rod((w / 2, low, -d / 2), (-w / 2, h * 0.95, -d / 2), 0.006),
                frame,
            )


def _mirror(
    rng: np.random.Generator, a: Assembly, w: Scalar, high: Scalar, d: Scalar, main: Material
) -> None:
    """Add a framed mirror that stands at the back of a top at height `high`."""
    mh, mw = rng.uniform(0.4, 0.8), w * rng.uniform(0.5, 0.9)
    at = (0, high + mh / 2 + 0.03, -d / 2 + 0.03)
    mirror = materials.Material("mirror", None, (0.75, 0.82, 0.88, 1.0), 1.0, 0.02)
    if chance(rng, 0.5):
        flat = outline(mw, mh, rng.uniform(0.05, 0.5) * mh)
    else:
        flat = np.concatenate(
            [
                [(-mw / 2, -mh / 2), (mw / 2, -mh / 2)],
                arc(1, 0, np.pi, 14) * [mw / 2, mh * 0.4] + [0, mh * 0.1],
            ]
        )
    a.add("mirror_frame", extrude(flat * 1.1, 0.03, "z", at), main)
    a.add("mirror", extrude(flat, 0.006, "z", (at[0], at[1], at[2] + 0.016)), mirror)


def storage_furniture(rng: np.random.Generator) -> list[Piece]:
    """Build a cabinet, chest of drawers, bookshelf, wardrobe, stand, locker or the like; it faces +z."""
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
    a.add(
        "top_panel",
        box(
            (w + 2 * over, t * rng.uniform(1, 1.6), d + over),
            (0, high, over / 2),
            bevel=rng.choice([0.0, 0.004]),
        ),
        main,
    )
    a.add("bottom_panel", box((w - t, t, d * 0.99), (0, low + t / 2, 0)), main)
    if not (style == "bookshelf" and chance(rng, 0.35)):
        a.add(
            "back_panel",
            box((w - t, tall, 0.008), (0, middle, -d / 2 + 0.006))
            if chance(rng, 0.8)
            else panel(w - t, tall, center=(0, middle, -d / 2 + 0.006)),
            main,
        )
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
                door_look = (
                    "glass"
                    if fill == "glass"
                    else ("louvre" if fill == "locker" and chance(rng, 0.5) else look)
                )
                door_leaf(
                    rng,
                    a,
                    lx,
                    (y0 + y1) / 2,
                    lw,
                    (y1 - y0) * 0.98,
                    z,
                    door_look,
                    hinge,
                    ajar,
                    front,
                    glass,
                    pull,
                    make,
                )
                if chance(rng, 0.25):
                    for s in (-1, 1):
                        a.add(
                            "hinge",
                            cylinder(
                                0.008,
                                0.05,
                                (lx + hinge * lw / 2, (y0 + y1) / 2 + s * (y1 - y0) * 0.35, z + 0.008),
                                10,
                            ),
                            pull,
                        )
            if fill == "tall" and ajar:
                a.add("rail", rod((x - span / 2, y1 - 0.15, 0), (x + span / 2, y1 - 0.15, 0), 0.012), pull)
            if look == "glass" or fill == "glass" or ajar or chance(rng, 0.15):
                for i in range(1, 3):
                    a.add(
                        "shelf", box((span - t, t * 0.8, d * 0.9), (x, y0 + (y1 - y0) * i / 3, -0.015)), main
                    )
        elif fill == "drawers":
            n = rows if y1 - y0 > 0.45 else min(rows, 2)
            drawers(rng, a, x, y0, y1, span, z, d, n, front, pull)
        else:
            n = max(int((y1 - y0) / rng.uniform(0.25, 0.4)), 1)
            for i in range(1, n):
                a.add("shelf", box((span - t, t * 0.9, d * 0.95), (x, y0 + (y1 - y0) * i / n, -0.01)), main)
            if stock and n > 1:
                i = int(rng.integers(n))
                _books(
                    rng,
                    a,
                    x - span / 2 + t / 2,
                    x + span / 2 - t / 2,
                    y0 + (y1 - y0) * i / n,
                    (y1 - y0) / n,
                    d,
                )
    if style == "vanity" or (style == "chest" and chance(rng, 0.2)):
        _mirror(rng, a, w, high, d, main)
    elif chance(rng, 0.15) and high < 1.2:
        a.add("front_panel", box((w, rng.uniform(0.04, 0.1), 0.018), (0, low + 0.04, d / 2 + 0.02)), frame)
    return a.pieces


CATEGORIES = {"storage_furniture": storage_furniture}
