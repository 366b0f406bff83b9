# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Cars: sedans, hatchbacks, estates, SUVs, sports cars, vans, pickups and lorries."""

import numpy as np

from alignparts.corpus.procedural import materials
from alignparts.corpus.procedural.car_parts import (
    draw_plan,
    line,
    pane,
    road_wheel,
    shoulder,
    side_panel,
    skin,
)
from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Piece
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    loft,
    merge,
    move,
    rod,
    rounded_box,
    superellipsoid,
)


def car(rng: np.random.Generator) -> list[Piece]:
    """A car that drives towards +z."""
    style = pick(
        rng,
        ["sedan", "hatch", "estate", "suv", "sports", "van", "pickup", "truck", "classic"],
        [3, 2.5, 1, 2, 1.5, 1.3, 1.3, 1, 0.8],
    )
    p = draw_plan(rng, style)
    a, coat, metal, dark = Assembly(), materials.paint(rng), materials.metal(rng), materials.rubber(rng)
    glass = (
        materials.glass(rng)
        if chance(rng, 0.5)
        else Material("window", None, (0.08, 0.1, 0.13, 1.0), 0.2, 0.08)
    )
    trim = coat if chance(rng, 0.6) else materials.plastic(rng)
    extras = set(
        rng.choice(
            ["grille", "number_plate", "handle", "mirror", "trunk", "fender"],
            int(rng.integers(1, 3)),
            replace=False,
        )
    )
    h, pickup, lorry = p.front, style == "pickup", style == "truck"
    nose, tail = h - 0.1, -h + 0.08
    cab_rear = p.deck if pickup or lorry else tail
    fitted = not lorry
    a.add(
        "hood",
        skin(p, line((p.cowl, p.belt), (nose, p.hood_front), bulge=0.03), (0.93, 0.9), 0.05, 0.02),
        coat,
    )
    a.add(
        "roof",
        skin(
            p,
            line((p.top_rear, p.roof - 0.02), (p.top_front, p.roof - 0.02), bulge=0.03),
            (p.tumble, p.tumble),
            0.04,
            0.025,
        ),
        coat if chance(rng, 0.85) else dark,
    )
    a.add(
        "windshield",
        skin(
            p,
            line((p.cowl - 0.01, p.belt - 0.01), (p.top_front, p.roof - 0.02), bulge=0.02),
            (0.93, p.tumble),
            0.03,
        ),
        glass,
    )
    if chance(rng, 0.97):
        a.add(
            "rear_window",
            skin(
                p,
                line((p.deck, p.belt - 0.01), (p.top_rear, p.roof - 0.02), bulge=0.02),
                (0.93, p.tumble),
                0.03,
            ),
            glass,
        )
    inner = box((p.width * 0.8, 0.06, p.length * 0.9), (0, p.floor + 0.03, 0))
    pillars = []
    cuts = np.linspace(p.cowl - 0.25, max(p.deck, -h * 0.8) + (0.15 if p.doors == 2 else 0.45), p.doors + 1)
    rails = [(p.cowl, p.top_front), (p.deck, p.top_rear)] + [
        (float(z), float(np.clip(z, p.top_rear + 0.05, p.top_front - 0.05))) for z in cuts[1:-1]
    ]
    for low, high in rails:
        for s in (-1, 1):
            ends = [shoulder(p, low, 0.0), shoulder(p, high, 1.0)]
            pillars.append(rod(ends[0] * [s, 1, 1], ends[1] * [s, 1, 1], 0.035, sides=6))
    for s in (-1, 1):
        top = [shoulder(p, z, 1.0) * [s, 1, 1] for z in (p.top_front, p.top_rear)]
        pillars.append(rod(top[0], top[1], 0.03, sides=6))
    cross = box(
        (p.half(h * 0.9) * 1.75, p.hood_front - p.floor - 0.06, 0.06),
        (0, (p.hood_front + p.floor) / 2, h - 0.14),
    )
    shell = [inner, cross, *pillars]
    back_edge = cab_rear if lorry else tail
    rear_top = p.trunk if not (pickup or lorry) else p.belt
    fender = "fender" if "fender" in extras else "body"
    skins = []
    for s in (1, -1):

        def side(mesh: Mesh, s: int = s) -> Mesh:
            return mesh if s > 0 else Mesh(mesh.vertices * [-1, 1, 1], mesh.faces[:, ::-1].copy(), mesh.uv)

        quarter_top = p.belt if not pickup else p.belt - 0.08
        front = side(side_panel(p, float(cuts[0]), nose, p.belt - 0.005, p.hood_front - 0.01))
        rear = (
            side(side_panel(p, back_edge, float(cuts[-1]), rear_top if not pickup else quarter_top, p.belt))
            if cuts[-1] - back_edge > 0.1
            else None
        )
        for quarter in (front, rear):
            if quarter is not None and fender == "fender":
                a.add("fender", quarter, coat)
            elif quarter is not None:
                skins.append(quarter)
        for k in range(p.doors):
            z1, z0 = float(cuts[k]), float(cuts[k + 1])
            a.add("door", side(side_panel(p, z0 + 0.008, z1 - 0.008, p.belt, p.belt)), coat)
            high1 = min(z1, p.top_front) if k else p.top_front - 0.02
            high0 = max(z0, p.top_rear + 0.03)
            low1 = z1 if k else p.cowl - 0.05
            if high1 - high0 > 0.1:
                a.add("side_window", side(pane(p, (z0, low1), (high0, high1), 0.0)), glass)
            if "handle" in extras:
                at = (p.half(z0) * 0.995, p.belt - 0.13, z0 + 0.15)
                a.add(
                    "handle",
                    side(rounded_box((0.04, 0.03, 0.17), 0.012, at)),
                    metal if chance(rng, 0.5) else coat,
                )
        last = float(cuts[-1])
        low_end = p.deck + 0.05
        if not (pickup or lorry) and last - low_end > 0.15 and (style != "van" or chance(rng, 0.6)):
            a.add(
                "side_window",
                side(pane(p, (low_end, last), (p.top_rear + 0.04, max(last, p.top_rear + 0.1)), 0.0)),
                glass,
            )
        elif not lorry and last - low_end > 0.15:
            skins.append(side(pane(p, (low_end, last), (p.top_rear + 0.02, last), 0.0)))
    shell += skins
    trunk_part = "trunk" if "trunk" in extras else "body"
    if pickup:
        bed_y, wall = p.floor + 0.25, p.belt - 0.08
        length = p.deck - tail
        floor = box((p.width * 0.9, 0.05, length), (0, bed_y, tail + length / 2))
        bulk = box((p.width * 0.9, wall - bed_y, 0.04), (0, (wall + bed_y) / 2, p.deck))
        shell += [
            floor,
            bulk,
            box((p.width * 0.9, p.belt - bed_y, 0.04), (0, (p.belt + bed_y) / 2, p.deck + 0.05)),
        ]
        gate = rounded_box(
            (p.half(tail) * 1.85, wall - p.floor - 0.1, 0.06), 0.02, (0, (wall + p.floor) / 2 + 0.05, tail)
        )
        if trunk_part == "trunk":
            a.add("trunk", gate, coat)
        else:
            shell.append(gate)
    elif lorry:
        z0, z1 = tail, p.top_rear - 0.25
        deep = z1 - z0
        shell.append(box((p.width * 0.5, 0.2, p.length * 0.86), (0, p.floor + 0.1, -0.05 * p.length)))
        shell.append(box((p.width * 0.9, p.belt - p.floor, 0.05), (0, (p.belt + p.floor) / 2, p.deck)))
        high = p.roof * rng.uniform(1.0, 1.3)
        deck = p.floor + 0.28
        if chance(rng, 0.6):
            load = rounded_box(
                (p.width * 1.02, high - deck, deep), 0.03, (0, (high + deck) / 2, (z0 + z1) / 2)
            )
        else:
            rail = p.roof * rng.uniform(0.12, 0.2)
            walls = [
                box((0.04, rail, deep), (s * p.width / 2, deck + rail / 2, (z0 + z1) / 2)) for s in (-1, 1)
            ]
            walls += [box((p.width, rail, 0.04), (0, deck + rail / 2, z)) for z in (z0, z1)]
            load = merge(box((p.width, 0.08, deep), (0, deck, (z0 + z1) / 2)), *walls)
        a.add(trunk_part, load, materials.paint(rng) if chance(rng, 0.7) else metal)
    elif p.deck - tail > 0.25:
        lid = skin(p, line((tail, p.trunk), (p.deck, p.belt), bulge=0.02), (0.9, 0.93), 0.04, 0.02)
        back = box((p.half(tail) * 1.8, p.trunk - p.floor - 0.1, 0.05), (0, (p.trunk + p.floor) / 2, tail))
        if trunk_part == "trunk":
            a.add("trunk", lid, coat)
            shell.append(back)
        else:
            shell += [lid, back]
    else:
        gate = rounded_box(
            (p.half(tail) * 1.82, p.belt - p.floor - 0.08, 0.07),
            0.025,
            (0, (p.belt + p.floor) / 2, min(p.deck, tail + 0.05)),
        )
        if trunk_part == "trunk":
            a.add("trunk", gate, coat)
        else:
            shell.append(gate)
    shell.append(
        box(
            (p.width * 0.82, p.belt - p.floor - 0.1, (p.cowl - max(p.deck, tail)) * 0.9),
            (0, (p.belt + p.floor) / 2 - 0.05, (p.cowl + max(p.deck, tail)) / 2),
        )
    )
    a.add("body", merge(*shell), coat)
    deep, low = rng.uniform(0.16, 0.3), p.floor
    s = np.linspace(-1, 1, 11)
    for part, end in (("front_bumper", h), ("rear_bumper", -h)):
        width = p.half(end * 0.95) * 1.02
        rings = []
        for k in s:
            back = 0.16 * abs(k) ** 3
            z = end - np.sign(end) * (0.06 + back)
            ring = [
                (k * width, low + q * deep, z + np.sign(end) * o)
                for q, o in ((0, -0.08), (0, 0.03), (0.5, 0.06), (1, 0.03), (1, -0.08))
            ]
            rings.append(ring)
        mesh = np.array(rings)
        wrap = loft(mesh)
        a.add(part, wrap, trim if style != "classic" else metal)
    lamp = Material("lamp", None, (0.92, 0.93, 0.88, 1.0), 0.1, 0.1)
    red = Material("lamp", None, (0.75, 0.05, 0.05, 1.0), 0.1, 0.2)
    size = (
        (rng.uniform(0.2, 0.42), rng.uniform(0.1, 0.2))
        if chance(rng, 0.65) and style != "classic"
        else (0.2, 0.2)
    )
    y = max(p.hood_front - 0.02 - size[1] / 2, low + deep + size[1] * 0.4)
    x = p.half(nose) * 0.93 - size[0] / 2
    a.both(
        "headlight",
        superellipsoid((*size, 0.16), 0.6 if size[0] > 0.2 else 1.0, (x, y, nose - 0.02), 14),
        lamp,
    )
    tall = chance(rng, 0.4) or style in ("van", "truck")
    tail_size = (0.12, rng.uniform(0.25, 0.4)) if tall else (rng.uniform(0.22, 0.45), rng.uniform(0.1, 0.16))
    room = (p.floor + 0.5 if lorry else (p.belt - 0.08 if pickup else p.trunk)) - low - deep
    tail_size = (tail_size[0], min(tail_size[1], room - 0.01))
    tail_y = low + deep + room - tail_size[1] / 2 - 0.01
    a.both(
        "taillight",
        superellipsoid(
            (*tail_size, 0.12), 0.5, (p.half(tail) * 0.9 - tail_size[0] / 2, tail_y, tail - 0.02), 14
        ),
        red,
    )
    if "grille" in extras:
        gw, gh = p.width * rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.24)
        mid = max(p.hood_front - 0.04 - gh / 2, low + deep * 0.8)
        n = int(rng.integers(3, 8))
        slats = [
            box((gw, gh / n * 0.5, 0.03), (0, mid + gh * ((k + 0.5) / n - 0.5), nose + 0.005))
            for k in range(n)
        ]
        a.add(
            "grille",
            merge(box((gw, gh, 0.02), (0, mid, nose - 0.012)), *slats),
            metal if chance(rng, 0.5) else dark,
        )
    if "number_plate" in extras:
        plate = materials.paper_or_label(rng)
        a.add("number_plate", box((0.42, 0.11, 0.012), (0, low + deep * 0.6, h + 0.005)), plate)
        a.add("number_plate", box((0.42, 0.11, 0.012), (0, low + deep * 0.6, -h - 0.005)), plate)
    if "mirror" in extras:
        at = shoulder(p, p.cowl - 0.3, 0.12)
        arm = rod(at - [0.03, 0.02, 0], at + [0.1, 0.01, 0], 0.014, sides=6)
        a.both(
            "mirror",
            merge(arm, superellipsoid((0.2, 0.13, 0.1), 0.6, at + [0.16, 0.03, 0], 12)),
            coat if chance(rng, 0.6) else dark,
        )
    wide, kind = rng.uniform(0.17, 0.24), int(rng.choice([3, 5, 6, 8, 10]))
    axles = [p.front_axle, p.rear_axle] + ([p.rear_axle + 2.2 * p.wheel] if lorry and p.length > 6.5 else [])
    shine = metal if chance(rng, 0.5) else dark
    wheel = road_wheel(rng, p.wheel, wide, kind, dark, metal)
    for z in axles:
        a.both("wheel", move(wheel, (p.half(z) - wide / 2 - 0.01, p.wheel, z)), shine)
    if fitted and chance(rng, 0.25):
        path = [
            rod(
                (x0, p.belt + 0.01, p.cowl + 0.015),
                (x0 + 0.45, p.belt + (p.roof - p.belt) * 0.25, p.cowl - (p.cowl - p.top_front) * 0.22),
                0.012,
                sides=5,
            )
            for x0 in (-0.55, 0.0)
        ]
        a.add("wiper", merge(*path), dark)
    if style in ("suv", "estate") and chance(rng, 0.4):
        bars = [
            rod(
                (s * p.half(0) * p.tumble * 0.85, p.roof + 0.05, p.top_rear + 0.1),
                (s * p.half(0) * p.tumble * 0.85, p.roof + 0.05, p.top_front - 0.1),
                0.02,
                sides=6,
            )
            for s in (-1, 1)
        ]
        posts = [
            box((0.03, 0.1, 0.06), (s * p.half(0) * p.tumble * 0.85, p.roof, z))
            for s in (-1, 1)
            for z in (p.top_rear + 0.15, p.top_front - 0.15)
        ]
        a.add("roof_rack", merge(*bars, *posts), metal)
    if chance(rng, 0.2):
        a.add(
            "exhaust", cylinder(0.035, 0.25, (p.width * 0.25, p.floor + 0.01, -h + 0.06), 12, axis="z"), metal
        )
    return a.pieces


CATEGORIES = {"car": car}
