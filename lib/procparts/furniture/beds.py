"""Build beds: platform, slatted, upholstered, metal, four-poster, with drawers, bunk beds."""

import numpy as np

from procparts.furniture.bed_parts import bedding, end_board
from procparts.kit import materials
from procparts.kit.fittings import Assembly, bar_maker, chance, handle_maker, hard, leg_maker, pick, soft
from procparts.kit.materials import Material
from procparts.kit.mesh import Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, rod


def _base(
    rng: np.random.Generator,
    a: Assembly,
    w: Scalar,
    length: Scalar,
    y: Scalar,
    kind: str,
    main: Material,
    frame: Material,
    cloth: Material,
) -> None:
    """Add the base that carries the mattress; its top is at y."""
    maker = leg_maker(rng, rng.uniform(0.04, 0.09))
    z = length / 2
    if kind == "box":
        foot = rng.uniform(0.02, 0.1)
        a.add("box_spring", box((w, y - foot, length), (0, (y + foot) / 2, 0), bevel=0.015), cloth)
        for s in (-1, 1):
            for q in (-1, 1):
                a.add("foot", cylinder(0.03, foot + 0.01, (s * w * 0.42, foot / 2, q * z * 0.9), 12), frame)
        return
    if kind == "drawers":
        for s in (-1, 1):
            a.add("side_panel", box((0.025, y, length), (s * w / 2, y / 2, 0)), main)
        a.add("base_board", box((w, 0.02, length), (0, y - 0.01, 0)), main)
        n = int(rng.integers(1, 4))
        make = handle_maker(rng, 0.12)
        metal = materials.metal(rng)
        for s in (-1, 1) if chance(rng, 0.4) else (1,):
            for k in range(n):
                at = (k + 0.5) * length / n - z
                out = rng.choice([0.0, 0.0, rng.uniform(0.1, 0.3)])
                x = s * (w / 2 + 0.022 + out)
                face = box((0.02, y * 0.8, length / n * 0.94), (x, y * 0.48, at))
                if out:
                    face = merge(
                        face, box((out + 0.05, 0.015, length / n * 0.85), (x - s * out / 2, y * 0.15, at))
                    )
                a.add("drawer", face, main)
                pull = rotate(make((0, 0, 0.0095), False), "y", s * np.pi / 2)
                a.add("handle", move(pull, (x, y * 0.55, at)), metal)
        return
    rail = rng.uniform(0.08, 0.22)
    rail = min(rail, float(y) - 0.05)
    for s in (-1, 1):
        if kind == "metal":
            a.add(
                "side_horizontal_bar", rod((s * w / 2, y - 0.03, -z), (s * w / 2, y - 0.03, z), 0.02), frame
            )
        else:
            a.add(
                "side_panel",
                box((0.035, rail, length), (s * (w / 2 + 0.01), y - rail / 2 + 0.03, 0), bevel=0.004),
                main,
            )
    if kind == "platform":
        a.add("base_board", box((w, 0.04, length), (0, y - 0.02, 0)), main)
    else:
        n = int(rng.integers(6, 13))
        for k in range(n):
            at = (k + 0.5) * length / n - z
            a.add("slat", box((w, 0.018, length / n * 0.5), (0, y - 0.01, at)), main)
    for s in (-1, 1):
        for q in (-1, 1):
            x = s * (w / 2 - 0.04)
            a.add("leg", maker((x, 0, q * (z - 0.05)), (x, y - 0.02, q * (z - 0.05))), frame)


def _bunk(rng: np.random.Generator) -> list[Piece]:
    """Build a bunk or a loft bed with its ladder."""
    a, main = Assembly(), hard(rng)
    w, length = rng.uniform(0.85, 1.1), rng.uniform(1.85, 2.05)
    low, high = rng.uniform(0.25, 0.4), rng.uniform(1.2, 1.45)
    loft = chance(rng, 0.3)
    top, z, t = high + rng.uniform(0.45, 0.7), length / 2 + 0.03, rng.uniform(0.04, 0.08)
    maker, bar = leg_maker(rng, t, pick(rng, ["square", "round"])), bar_maker(rng, rng.uniform(0.02, 0.05))
    x = w / 2 + 0.02
    for s in (-1, 1):
        for q in (-1, 1):
            a.add("bed_post", maker((s * x, 0, q * z), (s * x, top, q * z)), main)
    for y in (high,) if loft else (low, high):
        for s in (-1, 1):
            a.add("side_panel", box((0.03, 0.12, length), (s * x, y - 0.02, 0)), main)
        n = int(rng.integers(6, 11))
        for k in range(n):
            a.add(
                "slat",
                box((w, 0.018, length / n * 0.45), (0, y - 0.03, (k + 0.5) * length / n - length / 2)),
                main,
            )
        bedding(rng, a, w, length, y - 0.02, False)
        ends = chance(rng, 0.5)
        for q, name in ((-1, "headboard"), (1, "footboard")):
            if ends:
                a.add(name, box((w, 0.4, 0.02), (0, y + 0.15, q * z)), main)
            else:
                for k in range(3):
                    a.add(
                        f"{name}_bar",
                        bar((-x, y + 0.05 + 0.14 * k, q * z), (x, y + 0.05 + 0.14 * k, q * z)),
                        main,
                    )
    guard = (high + 0.26, top - 0.03)
    ladder = rng.choice([-1, 1]) * length * 0.32
    for s in (-1, 1):
        for y in guard:
            a.add("side_horizontal_bar", bar((s * x, y, -z), (s * x, y, z)), main)
        if chance(rng, 0.6):
            for k in range(int(rng.integers(2, 7))):
                z0 = (k + 1) * length / 8 - length / 2
                a.add("side_vertical_bar", bar((s * x, high, z0), (s * x, guard[1], z0)), main)
    lean = float(rng.choice([0.0, rng.uniform(0.1, 0.4)]))
    rail = bar_maker(rng, rng.uniform(0.03, 0.05))
    for z0 in (ladder - 0.2, ladder + 0.2):
        a.add("ladder_post", rail((x + 0.04 + lean, 0, z0), (x + 0.04, high + 0.2, z0)), main)
    n = int(rng.integers(3, 6))
    for k in range(n):
        y = (k + 0.8) * high / (n + 0.3)
        at = x + 0.04 + lean * (1 - y / (high + 0.2))
        a.add("rung", bar((at, y, ladder - 0.2), (at, y, ladder + 0.2)), main)
    return a.pieces


def bed(rng: np.random.Generator) -> list[Piece]:
    """Build a single or double bed, a four-poster, a cot or a bunk bed; the foot faces +z."""
    style = pick(rng, ["plain", "metal", "poster", "bunk", "cot"], [6, 2, 1, 1.8, 0.7])
    if style == "bunk":
        return _bunk(rng)
    a, main, cloth = Assembly(), materials.wood(rng) if chance(rng, 0.6) else hard(rng), soft(rng)
    frame = main if chance(rng, 0.6) else hard(rng)
    double = chance(rng, 0.6)
    w, length = (rng.uniform(1.35, 1.9) if double else rng.uniform(0.85, 1.1)), rng.uniform(1.9, 2.15)
    y = rng.uniform(0.2, 0.42)
    if style == "cot":
        w, length, y, double = rng.uniform(0.6, 0.75), rng.uniform(1.1, 1.4), rng.uniform(0.3, 0.5), False
    base = pick(rng, ["platform", "slats", "box", "drawers"], [3, 2, 1.5, 1.3])
    if style in ("metal", "cot"):
        base = "metal" if style == "metal" else "slats"
        frame = materials.metal(rng) if style == "metal" else frame
    _base(rng, a, w, length, y, base, main, frame, cloth)
    top = bedding(rng, a, w * 0.98, length * 0.98, y, double)
    z = length / 2 + 0.035
    kinds = {"metal": ["bars"], "cot": ["bars", "panel"], "poster": ["bars", "framed", "panel"]}.get(
        style, ["soft", "panel", "bars", "framed"]
    )
    over = w + rng.choice([0.04, 0.04, rng.uniform(0.1, 0.4)])
    if chance(rng, 0.92):
        head = top + rng.uniform(0.25, 0.8)
        kind = pick(rng, kinds)
        end_board(rng, a, "headboard", over, rng.choice([0.02, y * 0.7]), head, -z, kind, main, frame, cloth)
        if style in ("cot", "poster") or chance(rng, 0.45):
            foot = top + rng.uniform(-0.1, 0.25) if style != "cot" else head
            end_board(
                rng,
                a,
                "footboard",
                w + 0.04,
                y * 0.6,
                foot,
                z,
                kind if chance(rng, 0.8) else "panel",
                main,
                frame,
                cloth,
            )
    if style == "poster":
        high = rng.uniform(1.7, 2.2)
        post, bar = leg_maker(rng, rng.uniform(0.05, 0.09)), bar_maker(rng, 0.035)
        x = w / 2 + 0.05
        for s in (-1, 1):
            for q in (-1, 1):
                a.add("bed_post", post((s * x, 0, q * z), (s * x, high, q * z)), frame)
            a.add("canopy_bar", bar((s * x, high - 0.03, -z), (s * x, high - 0.03, z)), frame)
            a.add("canopy_bar", bar((-x, high - 0.03, s * z), (x, high - 0.03, s * z)), frame)
        if chance(rng, 0.4):
            a.add("canopy_top", box((2 * x, 0.02, 2 * z), (0, high, 0)), cloth)
    if style == "cot" or (not double and chance(rng, 0.2)):
        rail = top + (0.35 if style == "cot" else 0.2)
        reach = length if style == "cot" else length * 0.5
        bar = bar_maker(rng, 0.022)
        for s in (-1, 1):
            x = s * (w / 2 + 0.02)
            for h in (y + 0.02, rail):
                a.add("side_horizontal_bar", bar((x, h, -z), (x, h, reach - z)), main)
            n = int(rng.integers(5, 12))
            for k in range(n):
                at = (k + 1) * reach / (n + (0 if style != "cot" else 1)) - z
                a.add("side_vertical_bar", bar((x, y, at), (x, rail, at)), main)
    return a.pieces


CATEGORIES = {"bed": bed}
