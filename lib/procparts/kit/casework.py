"""Build drawers, desks and cabinet doors for tables and cases."""

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, Puller, chance, handle_maker, hard, leg_maker, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, rotate
from procparts.kit.toolkit import box


def drawers(
    rng: np.random.Generator,
    a: Assembly,
    x: Scalar,
    y0: Scalar,
    y1: Scalar,
    w: Scalar,
    z: Scalar,
    depth: Scalar,
    rows: int,
    main: Material,
    pull: Material,
    handle: str = "handle",
) -> None:
    """Add a column of drawer fronts at x between two heights, faces at z; at times one is pulled out."""
    make = handle_maker(rng, min(0.1, w * 0.4))
    step = (y1 - y0) / rows
    pulled = int(rng.integers(rows)) if chance(rng, 0.25) else -1
    doubled = w > 0.55 and chance(rng, 0.5)
    for k in range(rows):
        y = y0 + (k + 0.5) * step
        out = rng.uniform(0.2, 0.6) * depth if k == pulled else 0.0
        a.add(
            "drawer_front",
            box((w * 0.96, step * 0.93, 0.02), (x, y, z + out), bevel=rng.choice([0.0, 0.003])),
            main,
        )
        if out:
            inner = step * 0.7
            for s in (-1, 1):
                a.add(
                    "drawer_side",
                    box((0.012, inner, depth * 0.9), (x + s * w * 0.44, y, z + out - depth * 0.45)),
                    main,
                )
            a.add(
                "drawer_bottom",
                box((w * 0.88, 0.01, depth * 0.9), (x, y - inner / 2, z + out - depth * 0.45)),
                main,
            )
        for s in (-1, 1) if doubled else (0,):
            a.add(handle, make((x + s * w * 0.25, y, z + out + 0.0095), False), pull)


def _case(
    rng: np.random.Generator,
    a: Assembly,
    x: Scalar,
    w: Scalar,
    low: Scalar,
    high: Scalar,
    d: Scalar,
    main: Material,
    pull: Material,
) -> None:
    """Add a pedestal cabinet of a desk, drawers or a door in front."""
    t = 0.02
    for s in (-1, 1):
        a.add("side_panel", box((t, high - low, d), (x + s * (w - t) / 2, (low + high) / 2, 0)), main)
    a.add("back_panel", box((w, high - low, 0.01), (x, (low + high) / 2, -d / 2 + 0.005)), main)
    a.add("bottom_panel", box((w, t, d), (x, low + t / 2, 0)), main)
    if chance(rng, 0.75):
        drawers(rng, a, x, low + 0.01, high, w, d / 2 + 0.008, d, int(rng.integers(2, 5)), main, pull)
    else:
        a.add("door", box((w * 0.97, (high - low) * 0.96, 0.02), (x, (low + high) / 2, d / 2 + 0.008)), main)
        make = handle_maker(rng, 0.09)
        a.add("handle", make((x + w * 0.38, high - (high - low) * 0.3, d / 2 + 0.018), True), pull)
        a.add("shelf", box((w - 2 * t, t, d * 0.9), (x, (low + high) / 2, -0.01)), main)


def desk(rng: np.random.Generator) -> list[Piece]:
    """Build a desk with pedestals, legs or side panels, at times with drawers and a shelf on top."""
    a, main, frame = Assembly(), hard(rng), hard(rng)
    pull = materials.metal(rng)
    w, d, h = rng.uniform(1.0, 1.9), rng.uniform(0.5, 0.85), rng.uniform(0.68, 0.8)
    t = rng.uniform(0.02, 0.045)
    a.add("top_board", box((w, t, d), (0, h - t / 2, 0), bevel=0.003), main)
    low = rng.choice([0.0, rng.uniform(0.05, 0.12)])
    case = rng.uniform(0.28, 0.42)
    dd = d * 0.94
    layout = pick(rng, ["both", "one", "table", "panels"], [2, 3, 2, 1])
    sides = {"both": (-1, 1), "one": (rng.choice([-1, 1]),), "table": (), "panels": ()}[layout]
    maker = leg_maker(rng, rng.uniform(0.03, 0.07))
    for s in sides:
        x = s * (w / 2 - case / 2 - 0.02)
        _case(rng, a, x, case, low, h - t, dd, main if chance(rng, 0.7) else frame, pull)
        if low:
            for sx in (-1, 1):
                for sz in (-1, 1):
                    foot = (x + sx * (case / 2 - 0.03), 0, sz * (dd / 2 - 0.03))
                    a.add("foot", maker(foot, (foot[0], low + 0.005, foot[2])), frame)
    free = [s for s in (-1, 1) if s not in sides]
    for s in free:
        x = s * (w / 2 - 0.05)
        if layout == "panels" or chance(rng, 0.2):
            a.add("side_panel", box((0.03, h - t, dd), (x, (h - t) / 2, 0)), main)
        else:
            for sz in (-1, 1):
                a.add("leg", maker((x, 0, sz * (dd / 2 - 0.04)), (x, h - t, sz * (dd / 2 - 0.04))), frame)
    if chance(rng, 0.5):
        high = rng.uniform(0.1, 0.4)
        a.add("back_panel", box((w - 0.1, high, 0.015), (0, h - t - high / 2, -dd / 2 + 0.02)), main)
    if layout in ("table", "panels") and chance(rng, 0.6):
        n = int(rng.integers(1, 4))
        span = (w - 0.16) / n
        for k in range(n):
            drawers(
                rng,
                a,
                (k + 0.5) * span - span * n / 2,
                h - t - 0.12,
                h - t,
                span,
                dd / 2 - 0.01,
                d * 0.8,
                1,
                main,
                pull,
            )
        a.add("bottom_panel", box((w - 0.12, 0.012, dd * 0.9), (0, h - t - 0.122, 0)), main)
    elif chance(rng, 0.3):
        a.add("keyboard_tray", box((w * 0.36, 0.015, d * 0.5), (0, h - t - 0.08, d * 0.18)), frame)
        for s in (-1, 1):
            a.add(
                "top_connector", box((0.015, 0.08, d * 0.4), (s * w * 0.175, h - t - 0.04, d * 0.12)), frame
            )
    if chance(rng, 0.2):
        rise = rng.uniform(0.2, 0.45)
        for s in (-1, 1):
            a.add("divider_panel", box((0.02, rise, d * 0.3), (s * w * 0.45, h + rise / 2, -d * 0.33)), main)
        a.add("shelf", box((w * 0.92, 0.02, d * 0.32), (0, h + rise, -d * 0.33)), main)
    return a.pieces


def door_leaf(
    rng: np.random.Generator,
    a: Assembly,
    x: Scalar,
    y: Scalar,
    w: Scalar,
    h: Scalar,
    z: Scalar,
    style: str,
    hinge: int,
    ajar: Scalar,
    main: Material,
    glass: Material,
    pull: Material,
    make: Puller,
) -> None:
    """Add a cabinet door centered at (x, y), hinged on the side `hinge`, open by `ajar` radians."""
    edge = (x + hinge * w / 2, y, z)

    def swing(mesh: Mesh) -> Mesh:
        return rotate(mesh, "y", hinge * ajar, edge)

    rim = min(0.07, w * 0.2)
    if style == "glass":
        bars = [box((w, rim, 0.02), (x, y + s * (h - rim) / 2, z)) for s in (-1, 1)]
        bars += [box((rim, h, 0.02), (x + s * (w - rim) / 2, y, z)) for s in (-1, 1)]
        a.add("door", swing(merge(*bars)), main)
        a.add("glass", swing(box((w - 1.8 * rim, h - 1.8 * rim, 0.005), (x, y, z))), glass)
    elif style == "raised":
        face = merge(
            box((w, h, 0.018), (x, y, z)),
            box((w - 2 * rim, h - 2 * rim, 0.012), (x, y, z + 0.012), bevel=0.005),
        )
        a.add("door", swing(face), main)
    elif style == "louvre":
        n = max(int(h / 0.06), 4)
        slats = [
            rotate(
                box((w - 2 * rim, 0.05, 0.006), (x, y + h * ((k + 0.5) / n - 0.5) * 0.9, z)),
                "x",
                0.5,
                (x, y + h * ((k + 0.5) / n - 0.5) * 0.9, z),
            )
            for k in range(n)
        ]
        bars = [box((w, rim, 0.02), (x, y + s * (h - rim) / 2, z)) for s in (-1, 1)]
        bars += [box((rim, h, 0.02), (x + s * (w - rim) / 2, y, z)) for s in (-1, 1)]
        a.add("door", swing(merge(*slats, *bars)), main)
    else:
        a.add("door", swing(box((w, h, 0.02), (x, y, z), bevel=rng.choice([0.0, 0.003]))), main)
    at = (x - hinge * w * 0.4, y + h * rng.choice([0.0, 0.05]), z + 0.0095)
    a.add("handle", swing(make(at, True)), pull)
