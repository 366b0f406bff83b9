"""Bicycles and carts."""

import numpy as np

from alignparts.corpus.procedural import materials
from alignparts.corpus.procedural.fittings import (
    Assembly,
    bar_maker,
    bent,
    caster,
    chance,
    hard,
    pick,
)
from alignparts.corpus.procedural.materials import Material
from alignparts.corpus.procedural.mesh import Mesh, Piece
from alignparts.corpus.procedural.toolkit import (
    box,
    cylinder,
    lathe,
    loft,
    merge,
    move,
    rod,
    rotate,
    rounded_box,
    superellipsoid,
    torus,
    tube,
)


def _wheel(rng: np.random.Generator, a: Assembly, center: np.ndarray, radius: float, tyre: float, spokes: int, fused: bool, rubber: Material, metal: Material) -> None:
    """Tyre, rim and spokes about an axle along x."""
    ring = torus(radius - tyre, tyre, center, "x", segments=32, sides=8)
    inner = radius - 2 * tyre
    rim = rotate(lathe([(inner - 0.014, -tyre * 0.6), (inner + 0.006, -tyre * 0.8), (inner + 0.006, tyre * 0.8), (inner - 0.014, tyre * 0.6)], 32, True), "z", np.pi / 2)
    rim = move(rim, center)
    if fused:
        a.add("wheel", merge(ring, rim), rubber)
    else:
        a.add("wheel", ring, rubber)
        a.add("rim", rim, metal)
    hub = cylinder(0.016, 0.07, center, 12, axis="x")
    if spokes <= 6:
        blades = [rotate(box((0.012, inner, 0.03), (0, inner / 2, 0)), "x", 2 * np.pi * k / spokes) for k in range(spokes)]
        a.add("spokes", merge(hub, *[move(b, center) for b in blades]), metal)
        return
    lines = []
    for k in range(spokes):
        turn = 2 * np.pi * k / spokes
        tip = center + inner * np.array([0, np.cos(turn), np.sin(turn)])
        root = center + [0.03 * (1 if k % 2 else -1), 0.016 * np.cos(turn + 0.9), 0.016 * np.sin(turn + 0.9)]
        lines.append(tube([root, tip], 0.0022, segments=3, caps=False))
    a.add("spokes", merge(hub, *lines), metal)


def _saddle(rng: np.random.Generator, at: np.ndarray, size: float) -> Mesh:
    z = np.linspace(-0.13, 0.15, 8) * size
    width = np.interp(np.linspace(0, 1, 8), [0, 0.15, 0.4, 0.7, 1], [0.05, 0.085, 0.06, 0.025, 0.012]) * size * rng.uniform(0.8, 1.3)
    turn = np.linspace(0, 2 * np.pi, 13)[:-1]
    rings = np.stack([np.stack([w * np.cos(turn), 0.025 * size * np.sin(turn) + 0.015 * np.cos(3 * k), np.full(12, k)], 1) for w, k in zip(width, z, strict=True)])
    return move(loft(rings), at)


def _bars(rng: np.random.Generator, style: str, at: np.ndarray, width: float) -> Mesh:
    x, r = width / 2, 0.011
    if style == "drop":
        half = [(0, 0, 0), (x, 0, 0), (x, 0, 0.08), (x, -0.06, 0.11), (x, -0.12, 0.08), (x, -0.13, -0.03)]
    elif style == "riser":
        half = [(0, 0, 0), (0.05, 0, 0), (0.12, 0.07, -0.01), (x, 0.09, -0.05)]
    elif style == "swept":
        half = [(0, 0, 0), (0.1, 0.03, 0.03), (x * 0.9, 0.07, -0.02), (x, 0.06, -0.18)]
    elif style == "bmx":
        half = [(0, 0, 0), (0.06, 0, 0), (0.14, 0.2, 0), (x, 0.22, -0.03)]
    else:
        half = [(0, 0, 0), (x, 0.005, -0.02)]
    path = np.array([*[(-p[0], p[1], p[2]) for p in half[:0:-1]], *half], dtype=float)
    mesh = bent(path, r, 0.03)
    grip = [cylinder(0.016, 0.1, (s * (half[-1][0] - 0.05), half[-1][1], half[-1][2]), 10, axis="x") for s in (-1, 1)]
    return move(merge(mesh, *([] if style in ("drop", "swept") else grip)), at)


def bicycle(rng: np.random.Generator) -> list[Piece]:
    """A road, town, mountain, BMX or children's bicycle; it rides towards +z."""
    style = pick(rng, ["road", "mountain", "ladies", "bmx", "kids", "fixie", "city"], [2, 2, 2, 1, 1.5, 1, 1.5])
    small = {"kids": rng.uniform(0.42, 0.62), "bmx": rng.uniform(0.68, 0.78)}.get(style, 1.0)
    a, coat = Assembly(), materials.paint(rng) if chance(rng, 0.8) else materials.metal(rng)
    metal, dark = materials.metal(rng), materials.rubber(rng)
    radius = 0.34 * small * rng.uniform(0.92, 1.06)
    tyre = {"road": 0.014, "fixie": 0.014, "mountain": 0.027, "bmx": 0.027}.get(style, 0.02) * rng.uniform(0.85, 1.2)
    base = (1.02 if small == 1 else 1.02 * (small * 0.75 + 0.25)) * rng.uniform(0.95, 1.06)
    tall = rng.uniform(0.44, 0.6) * (small * 0.7 + 0.3 if small < 1 else 1) * (0.62 if style == "bmx" else 1)
    rear, front = np.array([0, radius, -base * 0.43]), np.array([0, radius, base * 0.57])
    crank = np.array([0, radius - 0.06 * small, 0.0])
    lean, rake = np.radians(rng.uniform(70, 75)), np.radians(rng.uniform(66, 73))
    seat = crank + tall * np.array([0, np.sin(lean), -np.cos(lean)])
    along = np.array([0, np.sin(rake), -np.cos(rake)])
    crown = front + along * (radius + 0.05) - [0, 0, 0.045 * small]
    head = crown + along * rng.uniform(0.1, 0.2) * max(small, 0.7)
    r = rng.uniform(0.012, 0.024) * (small * 0.5 + 0.5)
    spokes = int(rng.choice([3, 5])) if chance(rng, 0.1) else int(rng.integers(14, 29))
    fold = set(rng.choice(["rim", "head", "gear", "post"], 2, replace=False))
    for center in (rear, front):
        _wheel(rng, a, center, radius, tyre, spokes, "rim" in fold or chance(rng, 0.2), dark, metal)
    step = style == "ladies" or (style == "city" and chance(rng, 0.4)) or (style == "kids" and chance(rng, 0.3))
    low_head = crown + along * 0.02
    if step:
        mid = crank + (seat - crank) * rng.uniform(0.25, 0.5)
        sag = (mid + head) / 2 - [0, 0.06 * small, 0]
        a.add("top_tube", bent([head - along * 0.03, sag, mid], r, 0.3) if chance(rng, 0.6) else rod(head - along * 0.03, mid, r), coat)
    else:
        a.add("top_tube", rod(head - along * 0.02, seat - [0, rng.uniform(0.01, 0.06), 0], r * 0.9), coat)
    a.add("down_tube", rod(low_head, crank, r * 1.15), coat)
    a.add("seat_tube", merge(rod(crank, seat, r), cylinder(0.025, 0.07, crank, 12, axis="x")), coat)
    legs = [bent([crown + [s * 0.035, 0.012, 0], crown + [s * 0.045, -0.06, 0.0], front + [s * 0.05, 0, 0]], 0.011, 0.06) for s in (-1, 1)]
    fork = merge(*legs, rod(crown - [0.05, -0.01, 0], crown + [0.05, 0.01, 0], 0.013))
    tube_head = rod(crown, head, r * 1.25)
    if "head" in fold:
        a.add("fork", merge(fork, tube_head), coat)
    else:
        a.add("fork", fork, coat if chance(rng, 0.6) else metal)
        a.add("head_tube", tube_head, coat)
    wide = max(tyre + 0.012, 0.03)
    for s in (-1, 1):
        a.add("chain_stay", bent([crank + [s * 0.02, 0, -0.01], crank + [s * wide, 0.005, -radius * 0.5], rear + [s * 0.045, 0, 0]], 0.009, 0.05), coat)
        if style != "bmx" or chance(rng, 0.7):
            a.add("seat_stay", bent([seat - [0, 0.04, 0] + [s * 0.014, 0, 0], rear + (seat - rear) * 0.55 + [s * wide, 0, 0], rear + [s * 0.045, 0, 0]], 0.008, 0.05), coat)
    up = rng.uniform(0.04, 0.18) * max(small, 0.6)
    top = seat + up * np.array([0, np.sin(lean), -np.cos(lean)])
    saddle, post = _saddle(rng, top + [0, 0.02, 0], 0.75 if small < 0.7 else 1.0), rod(seat - (top - seat) * 0.4, top + [0, 0.01, 0], r * 0.75)
    padding = materials.leather(rng)
    if "post" in fold:
        a.add("saddle", merge(saddle, post), padding)
    else:
        a.add("seat_post", post, metal)
        a.add("saddle", saddle, padding)
    stem = head + along * rng.uniform(0.02, 0.1)
    reach = stem + [0, 0.01, rng.uniform(0.02, 0.1)]
    kind = {"road": "drop", "mountain": pick(rng, ["flat", "riser"]), "bmx": "bmx", "fixie": pick(rng, ["drop", "flat"])}.get(style, pick(rng, ["riser", "swept", "flat"]))
    bar = _bars(rng, kind, reach, rng.uniform(0.4, 0.62) * (small * 0.5 + 0.5))
    a.add("handlebar", merge(bar, rod(head - along * 0.01, stem, 0.014), rod(stem, reach, 0.014)), metal if chance(rng, 0.6) else coat)
    if chance(rng, 0.4):
        for s in (-1, 1):
            a.add("brake_lever", bent([reach + [s * 0.1, 0.0, 0.0], reach + [s * 0.11, -0.01, 0.04], reach + [s * 0.19, -0.02, 0.045]], 0.005, 0.02, 6), metal)
    gear = 0.1 * small * rng.uniform(0.75, 1.05) if small == 1 else 0.075 * small * 1.3
    x, arm = 0.05, 0.17 * (small * 0.6 + 0.4 if small < 1 else 1)
    turn = rng.uniform(0, 2 * np.pi)
    plate = move(rotate(lathe([(gear * 0.75, -0.002), (gear, -0.002), (gear, 0.002), (gear * 0.75, 0.002)], 28, True), "z", np.pi / 2), crank + [x, 0, 0])
    plate = merge(plate, *[rod(crank + [x, 0, 0], crank + [x, gear * 0.8 * np.cos(t), gear * 0.8 * np.sin(t)], 0.006, sides=4) for t in turn + np.arange(5) * 2 * np.pi / 5])
    arms = []
    for s, flip in ((1, 0.0), (-1, np.pi)):
        out = np.array([0, np.cos(turn + flip), np.sin(turn + flip)])
        hub, tip = crank + [s * (x + 0.012), 0, 0], crank + [s * (x + 0.022), 0, 0] + out * arm
        arms.append(rod(hub - [s * 0.05, 0, 0], hub, 0.009))
        arms.append(rod(hub, tip, 0.011, 0.009, 6))
        pedal = box((0.085, 0.022, 0.07), tip + [s * 0.055, 0, 0], bevel=0.005)
        a.add("pedal", pedal, dark)
    if "gear" in fold:
        a.add("pedal_arm", merge(plate, *arms), metal)
    else:
        a.add("gear", plate, metal)
        for k in (0, 1):
            a.add("pedal_arm", merge(*arms[2 * k : 2 * k + 2]), metal)
    small_gear = gear * 0.45
    if chance(rng, 0.85):
        delta = rear - crank
        side = np.arctan2(delta[1], -delta[2])
        lines = []
        for s in (-1, 1):
            n = np.array([0, np.cos(side), np.sin(side)]) * s
            lines.append((crank + n * gear * 0.97, rear + n * small_gear))
        loop = np.array([lines[0][0], lines[0][1], rear + delta / np.linalg.norm(delta) * small_gear, lines[1][1], lines[1][0], crank - delta / np.linalg.norm(delta) * gear * 0.97]) + [x, 0, 0]
        a.add("chain", tube(loop, 0.005, segments=4, closed=True), materials.metal(rng))
    if style == "kids" and chance(rng, 0.7):
        for s in (-1, 1):
            hub = rear + [s * 0.17, -radius + 0.06, -0.01]
            yoke = bent([rear + [s * 0.04, 0, 0], rear + [s * 0.13, -0.02, 0], hub], 0.007, 0.03, 8)
            a.add("training_wheel", merge(yoke, cylinder(0.06, 0.025, hub, 18, axis="x")), dark)
    if style in ("ladies", "city", "kids") and chance(rng, 0.35):
        w, h, d = 0.3 * small, 0.2 * small, 0.24 * small
        hold = np.array([0, reach[1] - h * 0.5, reach[2] + d / 2 + 0.02])
        walls = [box((w, h, 0.006), hold + [0, 0, s * d / 2]) for s in (-1, 1)] + [box((0.006, h, d), hold + [s * w / 2, 0, 0]) for s in (-1, 1)]
        a.add("basket", merge(*walls, box((w, 0.006, d), hold - [0, h / 2, 0]), rod(hold - [0, 0, d / 2], reach, 0.008)), hard(rng))
    if style not in ("road", "fixie", "bmx") and chance(rng, 0.4):
        for center, stop in ((rear, 2.6), (front, 1.9)):
            angle = np.linspace(0.3, stop, 12) + (0.2 if center is rear else 0.5)
            path = np.stack([np.zeros(12), np.sin(angle), -np.cos(angle) * (1 if center is rear else 1)], 1) * (radius + 0.02)
            guard = tube(path + center, 0.012, segments=6)
            stay = rod(center + [0.04, 0, 0], path[0] + center, 0.004)
            a.add("mudguard", merge(guard, stay), coat)
    return a.pieces


def _mesh_wall(corners: np.ndarray, across: int, up: int, r: float) -> Mesh:
    """A wire wall over four corners (4, 3), walked round: bars both ways and a rim."""
    p = np.asarray(corners, dtype=float)
    bars = [tube([p[k], p[(k + 1) % 4]], r * 1.6, segments=6) for k in range(4)]
    for n, (q, s, t, v) in ((across, (0, 1, 3, 2)), (up, (0, 3, 1, 2))):
        for k in range(1, n):
            f = k / n
            bars.append(tube([p[q] + (p[s] - p[q]) * f, p[t] + (p[v] - p[t]) * f], r, segments=4, caps=False))
    return merge(*bars)


def _walls(rng: np.random.Generator, a: Assembly, lower: np.ndarray, upper: np.ndarray, wire: bool, shade: Material) -> None:
    """A basket between two rectangles (4, 3) each: front right, front left, rear left, rear right."""
    names = ("front_panel", "side_panel", "back_panel", "side_panel")
    cells = int(rng.integers(5, 10))

    def wall(corners: np.ndarray) -> Mesh:
        if wire:
            return _mesh_wall(corners, cells, max(cells // 2, 3), 0.003)
        inward = (lower.mean(0) + upper.mean(0)) / 2 - corners.mean(0)
        thick = inward / np.linalg.norm(inward) * 0.012
        return loft(np.stack([corners, corners + thick]))

    for k, name in enumerate(names):
        j = (k + 1) % 4
        a.add(name, wall(np.array([lower[k], lower[j], upper[j], upper[k]])), shade)
    a.add("bottom_panel", wall(lower), shade)


def _rectangle(w: float, d: float, y: float, z: float = 0.0) -> np.ndarray:
    return np.array([(w / 2, y, z + d / 2), (-w / 2, y, z + d / 2), (-w / 2, y, z - d / 2), (w / 2, y, z - d / 2)])


def cart(rng: np.random.Generator) -> list[Piece]:
    """A shopping, utility, serving, platform, tool or laundry trolley, or a hand truck."""
    style = pick(rng, ["shop", "shelves", "platform", "handtruck", "bin", "tools"], [3, 3, 1.5, 1.2, 1.5, 1.2])
    a, frame, shade = Assembly(), materials.metal(rng) if chance(rng, 0.7) else materials.paint(rng), hard(rng)
    dark = materials.rubber(rng)
    w, d, wheel = rng.uniform(0.4, 0.6), rng.uniform(0.6, 1.0), rng.uniform(0.04, 0.075)
    low, r = wheel * 2.5, rng.uniform(0.01, 0.018)
    handle_y = rng.uniform(0.85, 1.05)
    grip = shade if chance(rng, 0.5) else materials.plastic(rng)

    def wheels(half_w: float, front: float, rear: float) -> None:
        yaw = rng.uniform(0, np.pi) if chance(rng, 0.5) else 0.0
        for z in (front, rear):
            for s in (-1, 1):
                yoke, disc = caster(rng, (s * half_w, low, z), wheel, False, yaw if z == front else 0.0)
                a.add("wheel_yoke", yoke, frame)
                a.add("wheel", disc, dark)

    if style == "shop":
        z0 = -d / 2
        bottom, top = rng.uniform(0.42, 0.55), rng.uniform(0.8, 0.98)
        narrow = rng.uniform(0.65, 0.95)
        lower = np.array([(w * narrow / 2, bottom + 0.08, d / 2 - 0.06), (-w * narrow / 2, bottom + 0.08, d / 2 - 0.06), (-w / 2 * 0.95, bottom, z0), (w / 2 * 0.95, bottom, z0)])
        upper = np.array([(w * narrow / 2, top - 0.06, d / 2 + 0.04), (-w * narrow / 2, top - 0.06, d / 2 + 0.04), (-w / 2, top, z0 - 0.04), (w / 2, top, z0 - 0.04)])
        _walls(rng, a, lower, upper, chance(rng, 0.8), shade if chance(rng, 0.4) else frame)
        hx = w / 2 * 0.95
        for s in (-1, 1):
            path = [(s * hx, top + 0.02, z0 - 0.06), (s * hx, bottom, z0), (s * hx, low, z0 + 0.05), (s * w * narrow / 2 * 0.8, low, d / 2)]
            a.add("frame", bent(path, r, 0.07), frame)
        a.add("frame", rod((-w * narrow / 2 * 0.8, low, d / 2), (w * narrow / 2 * 0.8, low, d / 2), r), frame)
        if chance(rng, 0.5):
            a.add("shelf", _mesh_wall(_rectangle(w * 0.7, d * 0.8, low + 0.02), 6, 4, 0.004), frame)
        a.add("handle", merge(rod((-hx, top + 0.03, z0 - 0.07), (hx, top + 0.03, z0 - 0.07), r * 1.4), *[rod((s * hx, top - 0.02, z0 - 0.03), (s * hx, top + 0.03, z0 - 0.07), r) for s in (-1, 1)]), grip)
        wheels(w * 0.36, d / 2 - 0.05, z0 + 0.1)
    elif style in ("shelves", "tools"):
        n = int(rng.integers(2, 4)) if style == "shelves" else 2
        high = handle_y - rng.uniform(0.05, 0.2)
        for s in (-1, 1):
            for q in (-1, 1):
                a.add("leg" if style == "shelves" else "frame", rod((s * w / 2, low, q * d / 2), (s * w / 2, high, q * d / 2), r, sides=4 if chance(rng, 0.3) else 10), frame)
        tray = chance(rng, 0.6)
        for k in range(n):
            y = low + (high - low - 0.02) * k / (n - 1)
            part = "shelf" if k else "bottom_panel"
            if chance(rng, 0.2):
                a.add(part, _mesh_wall(_rectangle(w, d, y), 8, 6, 0.003), frame)
            else:
                a.add(part, box((w, 0.015, d), (0, y, 0)), shade)
            if tray:
                for s in (-1, 1):
                    a.add("top_frame", box((w, 0.05, 0.01), (0, y + 0.025, s * d / 2)), shade)
                    a.add("top_frame", box((0.01, 0.05, d), (s * w / 2, y + 0.025, 0)), shade)
        if style == "tools":
            rows = int(rng.integers(2, 5))
            body = high - low - 0.05
            for s in (-1, 1):
                a.add("side_panel", box((0.01, body, d * 0.97), (s * w / 2, low + 0.02 + body / 2, 0)), shade)
            a.add("back_panel", box((w, body, 0.01), (0, low + 0.02 + body / 2, -d / 2 + 0.01)), shade)
            for k in range(rows):
                y = low + 0.02 + (k + 0.5) * body / rows
                pull = rod((-w * 0.3, y + body / rows * 0.3, d / 2 + 0.015), (w * 0.3, y + body / rows * 0.3, d / 2 + 0.015), 0.008)
                a.add("drawer", merge(box((w * 0.96, body / rows * 0.92, 0.02), (0, y, d / 2)), pull), grip)
        elif chance(rng, 0.3):
            a.add("support_bar", rod((-w / 2, (low + high) / 2, -d / 2), (w / 2, (low + high) / 2, -d / 2), r), frame)
        path = [(-w / 2, high - 0.05, -d / 2), (-w / 2, handle_y, -d / 2 - 0.1), (w / 2, handle_y, -d / 2 - 0.1), (w / 2, high - 0.05, -d / 2)]
        a.add("handle", bent(path, r * 1.05, 0.06), frame if chance(rng, 0.5) else grip)
        wheels(w / 2 - 0.02, d / 2 - 0.02, -d / 2 + 0.02)
    elif style == "platform":
        t = rng.uniform(0.02, 0.05)
        a.add("bottom_panel", rounded_box((w, t, d), 0.012, (0, low + t / 2, 0)), shade)
        path = [(-w * 0.44, low, -d / 2 + 0.03), (-w * 0.44, handle_y, -d / 2 - 0.02), (w * 0.44, handle_y, -d / 2 - 0.02), (w * 0.44, low, -d / 2 + 0.03)]
        a.add("handle", bent(path, r, 0.1), frame)
        for k in range(int(rng.integers(0, 3))):
            y = low + (handle_y - low) * (k + 1) / 3
            a.add("support_bar", rod((-w * 0.44, y, -d / 2 + 0.01), (w * 0.44, y, -d / 2 + 0.01), r * 0.8), frame)
        wheels(w * 0.4, d * 0.4, -d * 0.4)
    elif style == "handtruck":
        big, high, x = rng.uniform(0.09, 0.15), rng.uniform(1.0, 1.35), w * 0.38
        a.add("bottom_panel", box((w * 0.9, 0.012, rng.uniform(0.18, 0.3)), (0, 0.01, 0.12)), frame)
        top = [(-x, high - 0.2, -0.02), (-x, high, -0.06), (x, high, -0.06), (x, high - 0.2, -0.02)]
        for s in (-1, 1):
            a.add("frame", rod((s * x, 0.01, 0.0), (s * x, high - 0.19, -0.02), r), frame)
            a.add("wheel", move(rotate(lathe([(0, -0.03), (big * 0.4, -0.035), (big, -0.025), (big, 0.025), (big * 0.4, 0.035), (0, 0.03)], 22), "z", np.pi / 2), (s * (x + 0.06), big, -0.09)), dark)
            a.add("wheel_yoke", merge(rod((s * x, big * 1.6, -0.01), (s * (x + 0.02), big, -0.09), 0.01), rod((s * x, 0.03, 0), (s * (x + 0.02), big, -0.09), 0.01)), frame)
        a.add("wheel_yoke", rod((-x - 0.06, big, -0.09), (x + 0.06, big, -0.09), 0.009), frame)
        a.add("handle", bent(top, r * 1.2, 0.08), grip)
        for k in range(int(rng.integers(2, 5))):
            y = 0.15 + k * (high - 0.4) / 4
            a.add("support_bar", rod((-x, y, -0.005), (x, y, -0.005), r * 0.8), frame)
    else:
        high = rng.uniform(0.65, 0.9)
        flare = rng.uniform(0.85, 1.0)
        soft = materials.fabric(rng) if chance(rng, 0.5) else shade
        _walls(rng, a, _rectangle(w * flare, d * flare, low + 0.03), _rectangle(w, d, high), False, soft)
        corners = _rectangle(w + 0.01, d + 0.01, high)
        a.add("top_frame", tube(corners, r, segments=8, closed=True), frame)
        a.add("frame", tube(_rectangle(w * flare, d * flare, low + 0.01), r, segments=8, closed=True), frame)
        if chance(rng, 0.6):
            for k in range(4):
                a.add("leg", rod(_rectangle(w * flare + 0.01, d * flare + 0.01, low)[k], corners[k], r), frame)
        path = [(-w * 0.4, high, -d / 2), (-w * 0.4, high + 0.1, -d / 2 - 0.1), (w * 0.4, high + 0.1, -d / 2 - 0.1), (w * 0.4, high, -d / 2)]
        a.add("handle", bent(path, r, 0.05), grip)
        wheels(w * flare / 2 - 0.03, d * flare / 2 - 0.04, -d * flare / 2 + 0.04)
    return a.pieces


CATEGORIES = {"bicycle": bicycle, "cart": cart}
