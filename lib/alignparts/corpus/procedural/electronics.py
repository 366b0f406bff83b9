"""Laptops, monitors and televisions, cameras."""

import numpy as np

from alignparts.corpus.procedural.fittings import Assembly, chance, pick
from alignparts.corpus.procedural.materials import Material, glass, keys, screen
from alignparts.corpus.procedural.mesh import Mesh, Piece, merge, move, rotate
from alignparts.corpus.procedural.toolkit import (
    box,
    curved_sheet,
    cylinder,
    extrude,
    loft,
    outline,
    panel,
    rod,
    rounded_box,
    tube,
)
from alignparts.corpus.procedural.vessels import around, made_of, on_ground, polar, slab, solid, spline


def ring_frame(w: float, h: float, left: float, right: float, top: float, low: float, depth: float, corner: float) -> Mesh:
    """A flat frame about the origin in the x-y plane, its front at z = `depth` / 2, with borders of four widths."""
    outer = outline(w, h, corner)
    inner = outline(w - left - right, h - top - low, corner * 0.3) + [(left - right) / 2, (low - top) / 2]
    z = depth / 2
    rings = [np.column_stack([p, np.full(len(p), q)]) for p, q in ((inner, -z), (outer, -z), (outer, z), (inner, z), (inner, -z))]
    return curved_sheet(np.stack([np.concatenate([r, r[:1]]) for r in rings])).flipped()


def laptop(rng: np.random.Generator) -> list[Piece]:
    """Laptops thin and thick, convertibles, opened at any angle or shut; the keyboard towards +z."""
    a = Assembly()
    w = rng.uniform(0.28, 0.4)
    d = w * rng.uniform(0.6, 0.76)
    t = w * rng.choice([rng.uniform(0.025, 0.045), rng.uniform(0.05, 0.09)])
    lid_t, corner = t * rng.uniform(0.4, 0.7), w * rng.uniform(0.005, 0.045)
    case = made_of(rng, "metal", "plastic", "plastic", "paint")
    lid_case = case if chance(rng, 0.8) else made_of(rng, "plastic", "metal")
    wedge = chance(rng, 0.35)
    body = slab(w, d, t, corner)
    if wedge:
        v = body.vertices.copy()
        v[:, 1] *= 1 - 0.45 * (v[:, 2] / d + 0.5)
        body = Mesh(v, body.faces, body.uv)
    slope = 0.45 * t / d if wedge else 0.0

    def lay(mesh: Mesh, x: float, z: float, lift: float = 0.0) -> Mesh:
        """A flat piece set on the deck at (x, z)."""
        high = t * (1 - 0.45 * (z / d + 0.5)) if wedge else t
        return move(rotate(mesh, "x", slope), (x, high + lift, z))

    a.add("base_frame", body, case)
    kw, kd = w * rng.uniform(0.78, 0.95), d * rng.uniform(0.36, 0.5)
    kz = -d / 2 + kd / 2 + d * rng.uniform(0.1, 0.2)
    key_t = t * rng.uniform(0.03, 0.1)
    if chance(rng, 0.35):
        rows, columns = int(rng.integers(4, 7)), int(rng.integers(10, 15))
        caps = []
        for i in range(rows):
            for j in range(columns):
                cell = (kw / columns * 0.82, key_t * 2, kd / rows * 0.82)
                caps.append(lay(box(cell), kw * ((j + 0.5) / columns - 0.5), kz + kd * ((i + 0.5) / rows - 0.5), key_t))
        board = merge(lay(box((kw, key_t, kd)), 0, kz), *caps)
        a.add("keyboard", board, made_of(rng, "plastic"))
    else:
        board = box((kw, key_t * 2, kd)) if chance(rng, 0.6) else panel(kw, kd, "y")
        a.add("keyboard", lay(board, 0, kz, key_t), keys(rng))
    front = d / 2 - (kz + kd / 2)
    pw, pd = w * rng.uniform(0.2, 0.42), front * rng.uniform(0.5, 0.75)
    px = w * rng.uniform(-0.06, 0.02) if chance(rng, 0.4) else 0.0
    pz, pad = kz + kd / 2 + front * 0.47, made_of(rng, "plastic", "metal")
    buttons = chance(rng, 0.35)
    a.add("touchpad", lay(box((pw, key_t * 1.5, pd * (0.7 if buttons else 1.0))), px, pz - (pd * 0.15 if buttons else 0), key_t * 0.3), pad)
    if buttons:
        for s in (-1, 1):
            a.add("touchpad_button", lay(box((pw * 0.47, key_t * 2, pd * 0.22)), px + s * pw * 0.26, pz + pd * 0.36, key_t * 0.3), pad)
    if chance(rng, 0.4):
        at = (w * rng.choice([-0.42, 0.42, 0.0]), -d / 2 + (kz - kd / 2 + d / 2) * 0.5)
        power = cylinder(w * 0.014, t * 0.12, segments=14) if chance(rng, 0.5) else box((w * 0.035, t * 0.12, w * 0.012))
        a.add("power_button", lay(power, at[0], at[1]), made_of(rng, "metal", "plastic"))
    angle = pick(rng, ["open", "shut", "wide", "flat"], [8, 0.7, 1.5, 0.4])
    opening = {"open": rng.uniform(1.5, 2.2), "shut": 0.0, "wide": rng.uniform(0.4, 1.4), "flat": rng.uniform(2.3, 3.1)}[angle]
    sh = d * rng.uniform(0.94, 1.0)
    side, top, low = w * rng.uniform(0.012, 0.05), sh * rng.uniform(0.02, 0.08), sh * rng.uniform(0.04, 0.14)
    frame = merge(ring_frame(w, sh, side, side, top, low, lid_t, corner), move(box((w * 0.99, sh * 0.985, lid_t * 0.3)), (0, 0, -lid_t * 0.38)))
    sw, shh = w - 2 * side, sh - top - low
    sheet = box((sw, shh, lid_t * 0.25)) if chance(rng, 0.6) else panel(sw, shh)
    pieces = [("screen_frame", frame, lid_case), ("screen", move(sheet, (0, (low - top) / 2, lid_t * 0.25)), screen(rng))]
    if chance(rng, 0.45):
        pieces.append(("camera", cylinder(max(top, sh * 0.02) * 0.22, lid_t * 0.2, (0, sh / 2 - top / 2, lid_t * 0.5), 10, axis="z"), glass(rng)))
    pivot = np.array([0, t + lid_t * 0.3, -d / 2 + lid_t * 0.35])
    for part, mesh, material in pieces:
        # The lid as made stands upright, facing +z; at opening 0 it lies face down.
        up = move(mesh, (0, sh / 2 + lid_t * 0.3, 0))
        a.add(part, move(rotate(up, "x", np.pi / 2 - opening), pivot), material)
    r = lid_t * rng.uniform(0.45, 0.7)
    if chance(rng, 0.4):
        a.add("shaft", cylinder(r, w * rng.uniform(0.5, 0.85), pivot, 12, axis="x"), made_of(rng, "metal", "plastic"))
    else:
        for s in (-1, 1):
            a.add("shaft", cylinder(r, w * 0.1, pivot + [s * w * rng.uniform(0.3, 0.42), 0, 0], 12, axis="x"), made_of(rng, "metal", "plastic"))
    if chance(rng, 0.4):
        for s in (-1, 1):
            for k in range(int(rng.integers(1, 4))):
                size = (w * 0.006, t * 0.25, d * 0.05)
                a.add("port", box(size, (s * w * 0.499, t * 0.5, -d * 0.35 + d * 0.1 * k)), made_of(rng, "metal", "rubber"))
    if chance(rng, 0.25):
        for x in (-0.42, 0.42):
            for z in (-0.42, 0.42):
                a.add("foot", cylinder(w * 0.015, t * 0.2, (x * w, -t * 0.06, z * d), 10), made_of(rng, "rubber"))
    return a.pieces


def _stand(rng: np.random.Generator, a: Assembly, w: float, h: float, depth: float, material: Material) -> None:
    """A foot below a screen whose lower edge is at y = -h / 2."""
    low = -h / 2
    kind = pick(rng, ["neck", "feet", "pedestal", "legs", "arch", "ring", "none"], [4, 2, 2, 1, 1, 1, 0.8])
    tall = h * rng.uniform(0.12, 0.45)
    if kind == "none":
        return
    if kind == "feet":
        tall *= 0.5
        spread = w * rng.uniform(0.25, 0.42)
        deep = w * rng.uniform(0.12, 0.2)
        for s in (-1, 1):
            fork = [(-deep, 0), (-deep * 0.85, 0), (0, tall * 0.8), (deep * 0.85, 0), (deep, 0), (tall * 0.12, tall * 1.15), (-tall * 0.12, tall * 1.15)]
            a.add("foot", move(extrude(np.array(fork), w * 0.015, axis="x"), (s * spread, low - tall, 0)), material)
        return
    neck_w, z = w * rng.uniform(0.05, 0.22), -depth * 0.5
    ground = low - tall
    if kind == "ring":
        t = np.linspace(0.15, np.pi - 0.15, 13) + np.pi
        hoop = np.stack([w * 0.22 * np.cos(t), np.full(13, ground + 0.006), -w * 0.16 * np.sin(t) - w * 0.06], axis=1)
        a.add("base", tube(hoop, w * 0.008, segments=6), material)
        for x in (-0.1, 0.1):
            a.add("support", rod((x * w * 1.9, ground, -w * 0.05), (x * w, low + h * 0.08, z), w * 0.01), material)
        return
    if kind == "legs":
        for mesh in around(int(rng.integers(3, 6)), lambda t: rod((0, ground + tall * 0.35, z), polar(w * 0.22, t, ground) + [0, 0, z], w * 0.012), np.pi / 2):
            a.add("foot", mesh, material)
        a.add("support", rod((0, ground + tall * 0.3, z), (0, low + h * 0.1, z), w * 0.014), material)
        return
    base_w, base_d, base_t = w * rng.uniform(0.3, 0.5), w * rng.uniform(0.16, 0.28), h * rng.uniform(0.015, 0.04)
    shape = pick(rng, ["slab", "disc", "bow"])
    if shape == "slab":
        base = slab(base_w, base_d, base_t, base_d * rng.uniform(0.02, 0.45))
    elif shape == "disc":
        base = solid([(base_w / 2, 0), (base_w / 2, base_t * 0.6), (base_w * 0.42, base_t)], 30)
        base = Mesh(base.vertices * [1, 1, base_d / base_w], base.faces, base.uv)
    else:
        t = np.linspace(0, np.pi, 15)
        crescent = np.concatenate([np.stack([base_w / 2 * np.cos(t), -base_d * 0.35 + base_d * np.sin(t)], axis=1), np.stack([base_w * 0.35 * np.cos(t[::-1]), -base_d * 0.35 + base_d * 0.45 * np.sin(t[::-1])], axis=1)])
        base = extrude(crescent, base_t, axis="y", center=(0, base_t / 2, 0))
    a.add("base", move(base, (0, ground, z)), material)
    into = h * rng.uniform(0.05, 0.35)
    if kind == "pedestal":
        profile = spline([(base_w * 0.2, 0), (neck_w * 0.6, tall * 0.4), (neck_w * 0.55, tall + into * 0.4)], 8)
        post = solid(profile, 20)
        a.add("support", move(Mesh(post.vertices * [1, 1, 0.55], post.faces, post.uv), (0, ground + base_t * 0.6, z - depth * 0.2)), material)
    elif kind == "arch":
        path = spline([(0, ground + base_t * 0.6, z - base_d * 0.25), (0, ground + tall * 0.7, z - base_d * 0.4), (0, low + into, z)], 9)
        arm = tube(path, neck_w * 0.3, segments=8)
        a.add("support", Mesh(arm.vertices * [1.8, 1, 1], arm.faces, arm.uv), material)
    else:
        post = box((neck_w, tall + into, depth * 0.5 + 0.01), (0, ground + (tall + into) / 2 + base_t * 0.3, z - depth * 0.15), bevel=0.003)
        if chance(rng, 0.3):
            post = cylinder(neck_w * 0.3, tall + into, (0, ground + (tall + into) / 2 + base_t * 0.3, z - depth * 0.1), 16)
        if chance(rng, 0.4):
            post = merge(post, box((neck_w * 1.6, into * 0.8, depth * 0.6), (0, low + into * 0.8, z)))
        a.add("support", post, material)


def display(rng: np.random.Generator) -> list[Piece]:
    """Flat monitors, televisions on many stands, curved and wall-hung ones, picture tubes; the screen faces +z."""
    a = Assembly()
    tube_set = chance(rng, 0.14)
    w = rng.uniform(0.45, 1.1)
    h = w * (rng.uniform(0.7, 0.82) if tube_set else rng.choice([0.5625, 0.625, 0.42, 0.75]) * rng.uniform(0.97, 1.06))
    if chance(rng, 0.06) and not tube_set:
        w, h = h, w
    depth = min(w, h) * rng.uniform(0.03, 0.12)
    case = made_of(rng, "plastic", "plastic", "plastic", "metal", "wood" if tube_set else "paint")
    border = min(w, h) * rng.choice([rng.uniform(0.012, 0.03), rng.uniform(0.04, 0.09)])
    low = border * rng.choice([1.0, rng.uniform(1.3, 2.6)])
    if tube_set:
        border, low, depth = border + w * 0.04, border + w * rng.uniform(0.04, 0.16), w * 0.12
    corner = border * rng.uniform(0.1, 0.9)
    frame = ring_frame(w, h, border, border, border, low, depth, corner)
    sw, sh, sy = w - 2 * border, h - border - low, (low - border) / 2
    face = box((sw, sh, depth * 0.2), (0, sy, depth * rng.uniform(0.1, 0.35))) if chance(rng, 0.7) else panel(sw, sh, center=(0, sy, depth * 0.4))
    parts = [("frame", frame, case), ("screen", face, screen(rng))]
    deep = depth
    if tube_set:
        deep = w * rng.uniform(0.45, 0.8)
        rings = [np.column_stack([outline(w * k, h * k, corner), np.full(20, z)]) for k, z in ((0.99, -depth * 0.4), (0.96, -deep * 0.4), (0.55, -deep))]
        parts.append(("back_panel", loft(np.array(rings)), case))
    else:
        kind = pick(rng, ["flat", "bulge", "none"], [4, 4, 1])
        if kind == "flat":
            parts.append(("back_panel", box((w * 0.985, h * 0.985, depth * 0.35), (0, 0, -depth * 0.4)), case))
        elif kind == "bulge":
            parts.append(("back_panel", merge(box((w * 0.985, h * 0.985, depth * 0.3), (0, 0, -depth * 0.4)), rounded_box((w * rng.uniform(0.4, 0.8), h * rng.uniform(0.4, 0.75), depth * 1.2), depth * 0.3, (0, 0, -depth * 0.8))), case))
        else:
            parts[0] = ("frame", merge(frame, box((w * 0.99, h * 0.99, depth * 0.3), (0, 0, -depth * 0.33))), case)
    curve = rng.uniform(0.2, 0.5) if chance(rng, 0.1) and w > 1.4 * h and not tube_set else 0.0
    if curve:
        parts = [(n, _strips(m, w, curve), q) for n, m, q in parts]
    for part, mesh, material in parts:
        a.add(part, mesh, material)
    if chance(rng, 0.45):
        n, size = int(rng.integers(1, 7)), min(low * 0.4, h * 0.02)
        x0 = w * rng.choice([0.3, 0.0])
        knob = made_of(rng, "plastic", "metal")
        for k in range(n):
            at = (x0 + (k - (n - 1) / 2) * size * 2.4, -h / 2 + low / 2, depth * 0.5 + x0 * curve * 0.25)
            round_one = cylinder(size * 0.8, depth * 0.12 + 0.003, at, 14, axis="z") if chance(rng, 0.4) else box((size * 1.6, size, depth * 0.12 + 0.003), at)
            a.add("button", round_one, knob)
    if tube_set and chance(rng, 0.6):
        for x in (-0.35, 0.35):
            for z in (-depth * 0.2, -deep * 0.5):
                a.add("foot", cylinder(w * 0.025, h * 0.05, (x * w, -h / 2 - h * 0.015, z), 12), made_of(rng, "rubber", "plastic"))
    elif not tube_set:
        _stand(rng, a, w, h, depth, case if chance(rng, 0.7) else made_of(rng, "metal", "plastic"))
    if chance(rng, 0.2) and not tube_set:
        for k in range(int(rng.integers(2, 5))):
            a.add("port", box((h * 0.04, h * 0.02, depth * 0.3), (w * 0.1 + h * 0.06 * k, -h * 0.3, -depth * 0.6)), made_of(rng, "metal", "rubber"))
    if chance(rng, 0.08):
        ground = float(min(p.mesh.bounds()[0, 1] for p in a.pieces))
        mesh, _, _ = on_ground(rng, (0, -h * 0.3 - ground, -depth * 0.5), w * 0.5, w * 0.006)
        a.add("cord", move(mesh, (0, ground, 0)), made_of(rng, "rubber"))
    return a.pieces


def _strips(mesh: Mesh, w: float, curve: float) -> Mesh:
    """The mesh bent about the vertical by displacing it along z."""
    v = mesh.vertices.copy()
    v[:, 2] += curve * w * 0.5 * (v[:, 0] / w * 2) ** 2 * 0.5
    return Mesh(v, mesh.faces, mesh.uv)


CATEGORIES = {"laptop": laptop, "display": display}
