"""Build scissors and knives."""

import numpy as np

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, mirror, move, rotate, scale
from procparts.kit.toolkit import box, cylinder, extrude, outline, sphere, torus, tube
from procparts.kit.vessels import made_of, solid, spline


def _grip(rng: np.random.Generator) -> Material:
    """Draw a material of handles."""
    return made_of(rng, "wood", "wood", "plastic", "plastic", "rubber", "metal", "leather")


def _bow(shape: str, center: np.ndarray, wide: Scalar, tall: Scalar, thick: Scalar, flat: Scalar) -> Mesh:
    """Build a finger ring in the x-y plane."""
    t = np.linspace(0, 2 * np.pi, 22)[:-1]
    x, y = np.cos(t), np.sin(t)
    if shape == "long":
        y = y * 1.5
    elif shape == "teardrop":
        x = x * (1 + 0.35 * y)
    elif shape == "square":
        x, y = (np.sign(v) * np.abs(v) ** 0.6 for v in (x, y))
    path = np.stack([center[0] + wide * x, center[1] + tall * y, np.zeros(21)], axis=1)
    mesh = tube(path, thick, segments=8, closed=True)
    return scale(mesh, [1, 1, flat])


def scissors(rng: np.random.Generator) -> list[Piece]:
    """Build office, tailor's, nail, garden or round-tipped scissors; the tips are up, the pivot is at 0."""
    a = Assembly()
    style = pick(rng, ["office", "tailor", "nail", "garden", "school", "thread"])
    length = 0.1 * rng.uniform(0.75, 1.25) * {"nail": 0.55, "tailor": 1.25, "garden": 0.7}.get(style, 1.0)
    wide, thick = length * rng.uniform(0.1, 0.19), length * rng.uniform(0.02, 0.04)
    reach = length * {"nail": 1.3, "garden": 1.6, "tailor": 0.75}.get(style, 1.0) * rng.uniform(0.8, 1.15)
    opening = rng.uniform(0.03, 0.5)
    metal = made_of(rng, "metal")
    handle = (
        metal
        if style in ("nail", "thread") or chance(rng, 0.2)
        else made_of(rng, "plastic", "plastic", "rubber", "paint", "metal")
    )
    curved = rng.uniform(-0.25, 0.4) * (style in ("nail", "garden"))
    tip = wide * (0.55 if style == "school" else 0.08)
    blade = np.array(
        [
            (-wide * 0.35, -length * 0.12),
            (wide * 0.6, -length * 0.1),
            (wide * 0.75, length * 0.12),
            (wide * 0.6, length * 0.6),
            (tip * 0.6, length * 0.97),
            (-tip * 0.3, length),
            (-wide * 0.3, length * 0.55),
        ]
    )
    if style == "school":
        blade[4:6] = [(wide * 0.45, length * 0.93), (-wide * 0.05, length)]
    ring = reach * rng.uniform(0.2, 0.3)
    bow = ring * (0.7 if style == "thread" else 1.0)
    shape = pick(rng, ["round", "teardrop", "long", "square"])
    uneven = rng.uniform(1.0, 1.7) if chance(rng, 0.4) else 1.0
    with_shank = chance(rng, 0.6)
    flat, bar = rng.uniform(0.7, 1.3), ring * rng.uniform(0.14, 0.28)
    bent = rng.uniform(0, 0.35) if style == "tailor" else 0.0
    for side in (1, -1):
        steel = extrude(blade, thick, center=(0, 0, 0))
        steel = Mesh(
            steel.vertices
            + np.outer(np.clip(steel.vertices[:, 1], 0, None) ** 2 / length * curved, [1, 0, 0]),
            steel.faces,
        )
        big = uneven if side > 0 else 1.0
        tall = bow * big * (1.0 if shape != "long" else 0.9)
        center = np.array([-ring * 1.05, -reach + tall * 0.6])
        top = center[1] + tall * (1.5 if shape == "long" else 1.0)
        shank = spline(
            [
                (wide * 0.05, -length * 0.06),
                (-wide * 0.1, (top - length * 0.1) / 2),
                (center[0] * 0.9, top + bar * 0.2),
            ],
            9,
        )
        arm = tube(np.column_stack([shank, np.zeros(9)]), np.linspace(wide * 0.42, bar * 0.95, 9), segments=8)
        arm = scale(arm, [1, 1, thick / wide * 1.6 if with_shank else flat])
        hoop = _bow(shape, center, bow * 0.85, tall, bar, flat)
        pieces = [("blade", steel, metal)]
        if with_shank:
            pieces += [("shank", arm, metal), ("handle", hoop, handle)]
        else:
            pieces += [("handle", merge(arm, hoop), handle)]
        for part, mesh, material in pieces:
            mesh = move(mesh, (0, 0, side * thick * 0.5))
            if side < 0:
                mesh = mirror(mesh, "x")
            if bent:
                below = np.clip(-mesh.vertices[:, 1] - length * 0.1, 0, None)
                mesh = Mesh(mesh.vertices + np.outer(below * bent, [0, 0, 1]), mesh.faces)
            a.add(part, rotate(mesh, "z", -side * opening / 2), material)
    head = wide * rng.uniform(0.2, 0.42)
    screw = merge(
        cylinder(head, thick * 3.4, axis="z", segments=16),
        box((head * 1.6, head * 0.25, thick * 0.4), (0, 0, thick * 1.8)),
    )
    a.add("screw", screw, made_of(rng, "metal"))
    if chance(rng, 0.5):
        a.pieces = [Piece(p.part, rotate(p.mesh, "x", np.pi / 2), p.material) for p in a.pieces]
    return a.pieces


_BLADES: dict[str, list[tuple[float, float]]] = {
    # Outlines in units of (length, height): the spine from the heel to the tip, then the edge back.
    "chef": [(0, 0.5), (0.5, 0.48), (0.85, 0.2), (1, -0.15), (0.85, -0.35), (0.6, -0.48), (0, -0.5)],
    "cleaver": [(0, 0.5), (0.97, 0.5), (1, 0.4), (1, -0.45), (0.95, -0.5), (0, -0.5)],
    "dagger": [(0, 0.4), (0.6, 0.34), (1, 0.0), (0.6, -0.34), (0, -0.4)],
    "paring": [(0, 0.45), (0.7, 0.4), (1, -0.2), (0.8, -0.42), (0, -0.45)],
    "bread": [(0, 0.45), (0.9, 0.45), (1, 0.2), (0.95, -0.45), (0, -0.45)],
    "santoku": [(0, 0.5), (0.75, 0.48), (0.93, 0.25), (1, -0.3), (0.9, -0.48), (0, -0.5)],
    "bowie": [(0, 0.45), (0.6, 0.42), (0.85, 0.1), (1, 0.18), (0.9, -0.25), (0.7, -0.45), (0, -0.48)],
    "table": [(0, 0.3), (0.2, 0.4), (0.9, 0.42), (1, 0.15), (0.95, -0.3), (0.8, -0.4), (0, -0.3)],
    "curved": [(0, 0.4), (0.4, 0.55), (0.75, 0.75), (1, 1.2), (0.8, 0.35), (0.45, -0.2), (0, -0.4)],
}


def _blade(rng: np.random.Generator, kind: str, length: Scalar, height: Scalar, thick: Scalar) -> Mesh:
    """Build a blade along +x from the origin, its edge down and thinner than its spine."""
    points = np.array(_BLADES[kind]) * [length, height]
    if kind == "bread":
        n = int(rng.integers(8, 18))
        x = np.linspace(0.93, 0.05, 2 * n) * length
        y = (-0.45 + 0.07 * (np.arange(2 * n) % 2)) * height
        points = np.concatenate([points[:4], np.stack([x, y], axis=1), points[-1:]])
    mesh = extrude(points, thick)
    v = mesh.vertices.copy()
    low, high = v[:, 1].min(), v[:, 1].max()
    if kind == "dagger":
        sharp = 1 - 0.85 * np.abs(v[:, 1]) / max(high, 1e-9)
    else:
        sharp = np.clip((v[:, 1] - low) / (0.7 * (high - low)), 0.15, 1)
    v[:, 2] *= sharp
    return Mesh(v, mesh.faces)


def _handle(rng: np.random.Generator, length: Scalar, height: Scalar, thick: Scalar) -> tuple[Mesh, str]:
    """Build a handle along -x from the origin; return it and its kind."""
    kind = pick(rng, ["slab", "contour", "round", "wrapped", "turned"])
    if kind == "slab":
        return extrude(
            outline(length, height, height * rng.uniform(0.1, 0.45)), thick, center=(-length / 2, 0, 0)
        ), kind
    if kind == "contour":
        x = np.array([0, 0.2, 0.45, 0.75, 0.93, 1.0])
        top = np.array([0.45, 0.5, 0.55, 0.5, 0.55, 0.3])
        low = np.array([-0.45, -0.55, -0.38, -0.5, -0.75, -0.5])
        upper, lower = (spline(np.stack([-x * length, y * height], axis=1), 14) for y in (top, low))
        return extrude(np.concatenate([upper, lower[::-1]]), thick), kind
    radius = height * 0.5
    rows = {
        "round": [(radius * 0.8, 0), (radius, length * 0.4), (radius * 0.85, length)],
        "turned": [
            (radius * 0.7, 0),
            (radius, length * 0.2),
            (radius * 0.75, length * 0.55),
            (radius * 1.1, length * 0.9),
            (radius * 0.6, length),
        ],
        "wrapped": [(radius * (0.85 if k % 2 else 1.0), length * k / 16) for k in range(17)],
    }
    profile = rows[kind] if kind == "wrapped" else spline(rows[kind], 12)
    mesh = rotate(solid(profile, 14), "z", np.pi / 2)
    return scale(mesh, [1, 1, min(thick / height * 1.3, 1.0)]), kind


def knife(rng: np.random.Generator) -> list[Piece]:
    """Build a kitchen, table, hunting or folding knife, a cleaver or a dagger; the blade is along +x."""
    a = Assembly()
    kind = pick(rng, list(_BLADES))
    dagger = kind in ("dagger", "bowie", "curved")
    length = 0.18 * rng.uniform(0.6, 1.3)
    height = (
        length
        * {"cleaver": 0.45, "dagger": 0.13, "bread": 0.12, "table": 0.12}.get(kind, 0.2)
        * rng.uniform(0.8, 1.3)
    )
    folding = kind in ("paring", "bowie", "dagger") and chance(rng, 0.25)
    if kind == "dagger" and not folding and chance(rng, 0.35):
        length *= rng.uniform(1.8, 3.5)
    thick = length * rng.uniform(0.012, 0.025)
    steel = made_of(rng, "metal", "metal", "metal", "ceramic")
    blade = _blade(rng, kind, length, height, thick)
    tang = length * 0.06
    grip_h = height * 0.6 if kind == "cleaver" else height * rng.uniform(0.75, 1.1)
    grip_h = float(np.clip(grip_h, 0.016, 0.034))
    grip_t = grip_h * rng.uniform(0.45, 0.8)
    grip_l = float(np.clip(length * rng.uniform(0.55, 0.95), 0.085, 0.2)) * (1.25 if folding else 1.0)
    y = height * rng.uniform(0.1, 0.3) if kind in ("cleaver", "chef", "santoku", "bread") else 0.0
    blade = move(blade, (-tang, -y, 0))
    material = _grip(rng)
    grip, shape = _handle(rng, grip_l, grip_h, grip_t)
    if folding:
        angle = rng.choice([0.0, rng.uniform(0.4, 2.6), np.pi * 0.98])
        blade = rotate(move(blade, (-tang, 0, 0)), "z", angle, (-grip_l * 0.05, 0, 0))
        grip = extrude(outline(grip_l, grip_h * 1.1, grip_h * 0.4), grip_t, center=(-grip_l / 2, 0, 0))
        shape = "slab"
    a.add("blade", blade, steel)
    a.add("handle", grip, material)
    trim = steel if chance(rng, 0.5) else made_of(rng, "metal", "wood", "plastic")
    if not folding:
        if (dagger and chance(rng, 0.8)) or chance(rng, 0.08):
            reach = max(height, grip_h) * rng.uniform(1.3, 2.6)
            style = pick(rng, ["bar", "curved", "disc", "knobs"])
            if style == "disc":
                guard = cylinder(reach * 0.45, length * 0.02, axis="x", segments=20)
            elif style == "bar":
                guard = box((length * 0.04, reach, grip_t * 1.15), bevel=length * 0.006)
            else:
                bow = reach * rng.uniform(0.05, 0.3) if style == "curved" else 0.0
                guard = tube(
                    spline(
                        [
                            (bow, -reach * 0.55, 0),
                            (0, -reach * 0.2, 0),
                            (0, reach * 0.2, 0),
                            (bow, reach * 0.55, 0),
                        ],
                        9,
                    ),
                    grip_t * 0.35,
                    segments=8,
                )
                if style == "knobs":
                    guard = merge(
                        guard, *[sphere(grip_t * 0.5, (0, s * reach * 0.55, 0), segments=8) for s in (-1, 1)]
                    )
            a.add("guard", guard, trim)
        elif chance(rng, 0.6):
            w = grip_h * rng.uniform(0.3, 0.8)
            a.add("bolster", box((w, grip_h * 1.03, grip_t * 1.03), (0, 0, 0), bevel=grip_t * 0.12), trim)
        if chance(rng, 0.75 if dagger else 0.25):
            style = pick(rng, ["ball", "cap", "disc"])
            if style == "ball":
                butt = sphere(
                    grip_h * rng.uniform(0.55, 0.8), (-grip_l - grip_h * 0.2, 0, 0), (1, 1, 0.8), 14
                )
            elif style == "cap":
                butt = box(
                    (grip_h * 0.4, grip_h * 1.1, grip_t * 1.1),
                    (-grip_l - grip_h * 0.05, 0, 0),
                    bevel=grip_t * 0.15,
                )
            else:
                butt = cylinder(grip_h * 0.8, grip_t * 0.7, (-grip_l - grip_h * 0.4, 0, 0), 18, axis="z")
            a.add("butt", butt, trim)
        elif chance(rng, 0.1):
            ring = torus(
                grip_h * 0.75, grip_h * 0.18, (-grip_l - grip_h * 0.7, 0, 0), "z", segments=20, sides=8
            )
            a.add("finger_ring", ring, trim)
    if shape in ("slab", "contour") and chance(rng, 0.75):
        n = 2 if folding else int(rng.integers(2, 4))
        for x in np.linspace(0.15, 0.85, n):
            a.add(
                "rivet",
                cylinder(grip_h * 0.13, grip_t * 1.06, (-grip_l * x, 0, 0), 12, axis="z"),
                made_of(rng, "metal"),
            )
    if chance(rng, 0.35):
        a.pieces = [Piece(p.part, rotate(p.mesh, "x", np.pi / 2), p.material) for p in a.pieces]
    elif chance(rng, 0.3):
        a.pieces = [Piece(p.part, rotate(p.mesh, "z", np.pi / 2), p.material) for p in a.pieces]
    return a.pieces


CATEGORIES = {"scissors": scissors, "knife": knife}
