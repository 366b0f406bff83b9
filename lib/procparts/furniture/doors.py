"""Build doors: leaves, frames, hinges, handles."""

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, bent, chance, hard, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, mirror, move, rotate
from procparts.kit.toolkit import box, cylinder, sphere, torus


def _grip(rng: np.random.Generator, style: str) -> tuple[Mesh, Mesh]:
    """Build plate and grip of a door handle about the origin, on a face that looks along +z."""
    if style == "knob":
        plate = cylinder(0.03, 0.01, (0, 0, 0.005), 18, axis="z")
        grip = merge(
            cylinder(0.01, 0.05, (0, 0, 0.03), 10, axis="z"), sphere(0.028, (0, 0, 0.06), (1, 1, 0.75), 16)
        )
    elif style == "lever":
        plate = (
            box((0.035, 0.14, 0.01), (0, 0, 0.005), bevel=0.003)
            if chance(rng, 0.5)
            else cylinder(0.025, 0.01, (0, 0, 0.005), 16, axis="z")
        )
        grip = bent([(0, 0, 0), (0, 0, 0.055), (0.12, 0, 0.055)], 0.009, 0.02)
    elif style == "ring":
        plate = cylinder(0.03, 0.012, (0, 0, 0.006), 16, axis="z")
        grip = torus(0.045, 0.007, (0, -0.035, 0.02), "z", segments=20, sides=8)
    else:
        length = rng.uniform(0.2, 0.7)
        plate = merge(*[cylinder(0.009, 0.05, (0, s * length * 0.38, 0.025), 10, axis="z") for s in (-1, 1)])
        grip = cylinder(0.012, length, (0, 0, 0.05), 14)
    return plate, grip


def _door_leaf(
    rng: np.random.Generator,
    style: str,
    w: Scalar,
    h: Scalar,
    t: Scalar,
    main: Material,
    trim: Material,
    glass: Material,
) -> list[Piece]:
    """Add a door leaf with its hinge edge at x = 0, standing on y = 0, extending to x = w."""
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
                a.add(
                    "decoration",
                    box((w - 2.6 * rim, (h - rim) / rows - 1.7 * rim, t * 0.9), (c, y, 0), bevel=0.006),
                    main,
                )
    elif style in ("glass", "lattice"):
        for s in (0, 1):
            a.add("vertical_bar", box((rim, h, t), (rim / 2 + s * (w - rim), m, 0)), main)
            a.add("horizontal_bar", box((w - 2 * rim, rim, t), (c, rim / 2 + s * (h - rim), 0)), main)
        low = rim
        if chance(rng, 0.3):
            low = float(h) * rng.uniform(0.25, 0.4)
            a.add("board", box((w - 1.9 * rim, low - rim + 0.01, t * 0.6), (c, (low + rim) / 2, 0)), main)
        a.add("glass", box((w - 1.9 * rim, h - low - 0.95 * rim, 0.008), (c, (h - rim + low) / 2, 0)), glass)
        if style == "lattice":
            rows, cols = int(rng.integers(2, 6)), int(rng.integers(1, 4))
            for k in range(1, rows):
                a.add(
                    "horizontal_bar",
                    box((w - 1.9 * rim, 0.022, t * 0.6), (c, low + (h - rim - low) * k / rows, 0)),
                    main,
                )
            for k in range(1, cols):
                a.add(
                    "vertical_bar",
                    box(
                        (0.022, h - rim - low, t * 0.6),
                        (rim + (w - 2 * rim) * k / cols, (h - rim + low) / 2, 0),
                    ),
                    main,
                )
    else:
        n = int(rng.integers(4, 9))
        planks = [box((w / n * 0.97, h, t * 0.6), ((k + 0.5) * w / n, m, 0)) for k in range(n)]
        a.add("board", merge(*planks), main)
        for y in (0.15 * h, 0.5 * h, 0.85 * h) if chance(rng, 0.5) else (0.12 * h, 0.88 * h):
            a.add("horizontal_bar", box((w * 0.96, rim, t * 0.5), (c, y, t * 0.5)), trim)
    return a.pieces


def door(rng: np.random.Generator) -> list[Piece]:
    """Build a door in its frame: flush, paneled, glazed, latticed or planked; one leaf or two."""
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
        leaf.append(
            Piece(
                piece.part,
                move(
                    rotate(piece.mesh, "z", np.pi if grip == "lever" else 0.0),
                    (w - 0.06, high, t / 2 - 0.001),
                ),
                pull,
            )
        )
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
            mesh = rotate(piece.mesh, "y", ajar if side == 0 else 0.0)
            mesh = move(mesh, (-w * leaves / 2, 0, 0))
            if side:
                mesh = mirror(mesh, "x")
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
                a.add(
                    "frame", box((rim, top + rim, deep), (s * (total + rim) / 2, h + rim + top / 2, 0)), jamb
                )
        if chance(rng, 0.3):
            a.add("frame", box((total + 2 * rim, 0.02, deep), (0, -0.01, 0)), jamb)
    return a.pieces


CATEGORIES = {"door": door}
