# ruff: noqa: RUF005
"""Build laptops."""

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import glass, keys, screen
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, panel
from procparts.kit.vessels import made_of, ring_frame, slab


def laptop(rng: np.random.Generator) -> list[Piece]:
    """Build a thin or thick laptop or a convertible, open at any angle or shut; its keyboard is at +z."""
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
        body = Mesh(v, body.faces)
    slope = 0.45 * t / d if wedge else 0.0

    def lay(mesh: Mesh, x: Scalar, z: Scalar, lift: Scalar = 0.0) -> Mesh:
        """Return a flat piece set on the deck at (x, z)."""
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
                caps.append(
                    lay(
                        box(cell), kw * ((j + 0.5) / columns - 0.5), kz + kd * ((i + 0.5) / rows - 0.5), key_t
                    )
                )
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
    a.add(
        "touchpad",
        lay(
            box((pw, key_t * 1.5, pd * (0.7 if buttons else 1.0))),
            px,
            pz - (pd * 0.15 if buttons else 0),
            key_t * 0.3,
        ),
        pad,
    )
    if buttons:
        for s in (-1, 1):
            a.add(
                "touchpad_button",
                lay(box((pw * 0.47, key_t * 2, pd * 0.22)), px + s * pw * 0.26, pz + pd * 0.36, key_t * 0.3),
                pad,
            )
    if chance(rng, 0.4):
        at = (w * rng.choice([-0.42, 0.42, 0.0]), -d / 2 + (kz - kd / 2 + d / 2) * 0.5)
        power = (
            cylinder(w * 0.014, t * 0.12, segments=14)
            if chance(rng, 0.5)
            else box((w * 0.035, t * 0.12, w * 0.012))
        )
        a.add("power_button", lay(power, at[0], at[1]), made_of(rng, "metal", "plastic"))
    angle = pick(rng, ["open", "shut", "wide", "flat"], [8, 0.7, 1.5, 0.4])
    opening = {
        "open": rng.uniform(1.5, 2.2),
        "shut": 0.0,
        "wide": rng.uniform(0.4, 1.4),
        "flat": rng.uniform(2.3, 3.1),
    }[angle]
    sh = d * rng.uniform(0.94, 1.0)
    side, top, low = w * rng.uniform(0.012, 0.05), sh * rng.uniform(0.02, 0.08), sh * rng.uniform(0.04, 0.14)
    frame = merge(
        ring_frame(w, sh, side, side, top, low, lid_t, corner),
        move(box((w * 0.99, sh * 0.985, lid_t * 0.3)), (0, 0, -lid_t * 0.38)),
    )
    sw, shh = w - 2 * side, sh - top - low
    sheet = box((sw, shh, lid_t * 0.25)) if chance(rng, 0.6) else panel(sw, shh)
    pieces = [
        ("screen_frame", frame, lid_case),
        ("screen", move(sheet, (0, (low - top) / 2, lid_t * 0.25)), screen(rng)),
    ]
    if chance(rng, 0.45):
        pieces.append(
            (
                "camera",
                cylinder(
                    max(top, sh * 0.02) * 0.22, lid_t * 0.2, (0, sh / 2 - top / 2, lid_t * 0.5), 10, axis="z"
                ),
                glass(rng),
            )
        )
    pivot = np.array([0, t + lid_t * 0.3, -d / 2 + lid_t * 0.35])
    for part, mesh, material in pieces:
        # The lid as made stands upright, facing +z; at opening 0 it lies face down.
        up = move(mesh, (0, sh / 2 + lid_t * 0.3, 0))
        a.add(part, move(rotate(up, "x", np.pi / 2 - opening), pivot), material)
    r = lid_t * rng.uniform(0.45, 0.7)
    if chance(rng, 0.4):
        a.add(
            "shaft",
            cylinder(r, w * rng.uniform(0.5, 0.85), pivot, 12, axis="x"),
            made_of(rng, "metal", "plastic"),
        )
    else:
        for s in (-1, 1):
            a.add(
                "shaft",
                cylinder(r, w * 0.1, pivot + [s * w * rng.uniform(0.3, 0.42), 0, 0], 12, axis="x"),
                made_of(rng, "metal", "plastic"),
            )
    if chance(rng, 0.4):
        for s in (-1, 1):
            for k in range(int(rng.integers(1, 4))):
                size = (w * 0.006, t * 0.25, d * 0.05)
                a.add(
                    "port",
                    box(size, (s * w * 0.499, t * 0.5, -d * 0.35 + d * 0.1 * k)),
                    made_of(rng, "metal", "rubber"),
                )
    if chance(rng, 0.25):
        for x in (-0.42, 0.42):
            for z in (-0.42, 0.42):
                a.add(
                    "foot",
                    cylinder(w * 0.015, t * 0.2, (x * w, -t * 0.06, z * d), 10),
                    made_of(rng, "rubber"),
                )
    return a.pieces


CATEGORIES = {"laptop": laptop}
