"""Build eyeglasses."""

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material, glass
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, mirror, move, rotate, scale
from procparts.kit.toolkit import box, curved_sheet, cylinder, sphere, tube
from procparts.kit.vessels import made_of, spline

_SHAPES = ("round", "oval", "square", "aviator", "cat", "wayfarer", "narrow", "hexagon")


def _lens_outline(shape: str, w: Scalar, h: Scalar, rng: np.random.Generator) -> np.ndarray:
    """Return the rim of one lens (n, 2) about the origin; the nose is at -x."""
    t = np.linspace(0, 2 * np.pi, 29)[:-1]
    x, y = np.cos(t), np.sin(t)
    if shape in ("square", "wayfarer", "narrow"):
        p = rng.uniform(0.3, 0.6)
        x, y = np.sign(x) * np.abs(x) ** p, np.sign(y) * np.abs(y) ** p
    if shape == "wayfarer":
        x = x * (1 + 0.12 * y)
    elif shape == "aviator":
        x, y = x * (1 + 0.1 * y), y - 0.25 * (1 - y) * np.clip(x, -1, 1) * 0.5
    elif shape == "cat":
        y = y + 0.4 * np.clip(x, 0, 1) * np.clip(y + 0.3, 0, 2)
    elif shape == "hexagon":
        k = np.cos(np.pi / 6) / np.cos((t % (np.pi / 3)) - np.pi / 6)
        x, y = x * k, y * k
    return np.stack([x * w / 2, y * h / 2], axis=1)


def eyeglasses(rng: np.random.Generator) -> list[Piece]:
    """Build spectacles or sunglasses, rimmed, half-rimmed or rimless; they look along +z."""
    a = Assembly()
    shape = pick(rng, _SHAPES)
    w = 0.05 * rng.uniform(0.85, 1.15)
    h = (
        w
        * {"round": 0.95, "oval": 0.7, "narrow": 0.5, "hexagon": 0.9, "aviator": 0.9}.get(shape, 0.72)
        * rng.uniform(0.9, 1.1)
    )
    nose = 0.02 * rng.uniform(0.75, 1.2)
    wire = chance(rng, 0.5)
    t = 0.0011 * rng.uniform(0.8, 1.5) if wire else 0.0024 * rng.uniform(0.8, 1.6)
    frame: Material = made_of(rng, "metal") if wire else made_of(rng, "plastic", "plastic", "wood", "paint")
    cx = w / 2 + nose / 2
    wrap = rng.uniform(0.0, 2.5)

    def curved(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices - np.outer(wrap * mesh.vertices[:, 0] ** 2, [0, 0, 1]), mesh.faces)

    rim = _lens_outline(shape, w, h, rng)
    style = pick(rng, ["full", "half", "rimless"], [6, 1.5, 1])
    tint = glass(rng)
    if chance(rng, 0.5):
        tint = made_of(rng, "plastic", "glass")
        tint.image = None
        dark, warm = rng.uniform(0.03, 0.35), rng.uniform(0.6, 1)
        tint.base_color = (dark, dark * rng.uniform(0.7, 1), dark * warm, 0.85)
    bulge = 0.002
    rings = np.stack(
        [np.column_stack([rim * k, np.full(len(rim), bulge * (1 - k**2))]) for k in (1.0, 0.7, 0.35, 0.0)]
    )
    lens = curved_sheet(np.concatenate([rings, rings[:, :1]], axis=1))
    part = rim if style == "full" else rim[rim[:, 1] > -h * 0.05]
    if style == "half":
        part = part[np.argsort(np.arctan2(part[:, 1], part[:, 0]))]
    path = np.column_stack([part, np.zeros(len(part))])
    for s in (1, -1):
        one = move(lens, (cx, 0, 0))
        a.add("lens", curved(one if s > 0 else mirror(one, "x")), tint)
        if style != "rimless":
            hoop = move(tube(path, t, segments=6, closed=style == "full"), (cx, 0, 0))
            if not wire:
                hoop = scale(hoop, [1, 1, 1.4])
            a.add("rim", curved(hoop if s > 0 else mirror(hoop, "x")), frame)
    gap = cx - w / 2
    y = h * rng.uniform(0.05, 0.3)
    inner = cx + float(rim[np.argmin(np.abs(rim[:, 1] - y) + 10 * (rim[:, 0] > 0)), 0])
    bow = spline(
        [
            (-inner - t, y, 0),
            (-gap * 0.5, y + h * 0.1, 0.002),
            (gap * 0.5, y + h * 0.1, 0.002),
            (inner + t, y, 0),
        ],
        10,
    )
    a.add("bridge", curved(tube(bow, t * (1.1 if wire else 1.3), segments=7)), frame)
    if shape == "aviator" or chance(rng, 0.12):
        high = h * 0.4
        side = cx + float(rim[np.argmin(np.abs(rim[:, 1] - high) + 10 * (rim[:, 0] > 0)), 0])
        a.add("bridge", curved(tube([(-side, high, 0), (side, high, 0)], t, segments=6)), frame)
    outer, level = cx + w / 2, h * rng.uniform(0.05, 0.35)
    depth = -wrap * outer**2
    edge = cx + float(rim[np.argmin(np.abs(rim[:, 1] - level) + 10 * (rim[:, 0] < 0)), 0])
    length = 0.14 * rng.uniform(0.9, 1.05)
    tall = t * 2 if wire else t * rng.uniform(2.2, 4.5)
    fold = rng.uniform(0, 0.15) if chance(rng, 0.75) else rng.uniform(1.2, 1.5)
    corner = max(outer, edge) + t * 1.5
    straight = chance(rng, 0.2)
    drop = 0.0 if straight else length * rng.uniform(0.15, 0.3)
    line = spline([(0, 0), (-length * 0.4, 0), (-length * 0.72, -drop * 0.03), (-length, -drop)], 16)
    spine = np.column_stack([np.zeros(16), line[:, 1], line[:, 0]])
    cut = 10
    ear = made_of(rng, "rubber", "plastic") if wire else frame
    for s in (1, -1):
        hinge_at = np.array([corner, level, depth - t])
        block = box(
            (abs(corner - edge) + t * 3, tall * 1.2, t * 2.2), ((corner + edge) / 2, level, depth + t * 0.2)
        )
        lug = cylinder(t * 1.2, tall * 1.15, hinge_at, 8)
        joint = merge(lug, block)
        a.add("hinge", joint if s > 0 else mirror(joint, "x"), made_of(rng, "metal"))
        bend = fold * (1.0 if s > 0 else 1.06)
        for name, rows, material, grow in (
            ("temple", spine[: cut + 1], frame, 1.0),
            ("temple_tip", spine[cut:], ear, 1.25 if wire else 1.05),
        ):
            bar = tube(rows, t * (0.9 if wire else 0.7) * grow, segments=6)
            flat = tall / (2 * t * 0.8)
            middle = np.interp(bar.vertices[:, 2], spine[::-1, 2], spine[::-1, 1])
            bar = Mesh(
                np.column_stack(
                    [bar.vertices[:, 0], middle + (bar.vertices[:, 1] - middle) * flat, bar.vertices[:, 2]]
                ),
                bar.faces,
            )
            bar = move(rotate(bar, "y", bend), hinge_at)
            a.add(name, bar if s > 0 else mirror(bar, "x"), material)
    if chance(rng, 0.6 if wire else 0.25):
        for s in (1, -1):
            at = np.array([gap * 0.55, -h * 0.12, -0.006])
            rim_at = np.array([inner, -h * 0.02, 0.0])
            pad = sphere(0.004, at, (0.45, 1.4, 0.8), 8)
            arm = tube([rim_at, (rim_at + at) / 2 + [0, 0, -0.003], at], t * 0.5, segments=5)
            a.add("nose_pad", pad if s > 0 else mirror(pad, "x"), made_of(rng, "rubber", "plastic"))
            a.add("pad_arm", arm if s > 0 else mirror(arm, "x"), frame)
    return a.pieces


CATEGORIES = {"eyeglasses": eyeglasses}
