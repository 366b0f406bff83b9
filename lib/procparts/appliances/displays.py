# ruff: noqa: RUF005
"""Build monitors and televisions."""

import numpy as np
import trimesh

from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material, screen
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, scale
from procparts.kit.toolkit import box, cylinder, extrude, loft, outline, panel, rod, rounded_box, tube
from procparts.kit.vessels import around, made_of, on_ground, polar, ring_frame, slab, solid, spline


def _stand(
    rng: np.random.Generator, a: Assembly, w: Scalar, h: Scalar, depth: Scalar, material: Material
) -> None:
    """Add a foot below a screen whose lower edge is at y = -h / 2."""
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
            fork = [
                (-deep, 0),
                (-deep * 0.85, 0),
                (0, tall * 0.8),
                (deep * 0.85, 0),
                (deep, 0),
                (tall * 0.12, tall * 1.15),
                (-tall * 0.12, tall * 1.15),
            ]
            a.add(
                "foot",
                move(extrude(np.array(fork), w * 0.015, axis="x"), (s * spread, low - tall, 0)),
                material,
            )
        return
    neck_w, z = w * rng.uniform(0.05, 0.22), -depth * 0.5
    ground = low - tall
    if kind == "ring":
        t = np.linspace(0.15, np.pi - 0.15, 13) + np.pi
        hoop = np.stack(
            [w * 0.22 * np.cos(t), np.full(13, ground + 0.006), -w * 0.16 * np.sin(t) - w * 0.06], axis=1
        )
        a.add("base", tube(hoop, w * 0.008, segments=6), material)
        for x in (-0.1, 0.1):
            a.add(
                "support",
                rod((x * w * 1.9, ground, -w * 0.05), (x * w, low + h * 0.08, z), w * 0.01),
                material,
            )
        return
    if kind == "legs":
        for mesh in around(
            int(rng.integers(3, 6)),
            lambda t: rod((0, ground + tall * 0.35, z), polar(w * 0.22, t, ground) + [0, 0, z], w * 0.012),
            np.pi / 2,
        ):
            a.add("foot", mesh, material)
        a.add("support", rod((0, ground + tall * 0.3, z), (0, low + h * 0.1, z), w * 0.014), material)
        return
    base_w = w * rng.uniform(0.3, 0.5)
    base_d = w * rng.uniform(0.16, 0.28)
    base_t = h * rng.uniform(0.015, 0.04)
    shape = pick(rng, ["slab", "disc", "bow"])
    if shape == "slab":
        base = slab(base_w, base_d, base_t, base_d * rng.uniform(0.02, 0.45))
    elif shape == "disc":
        base = solid([(base_w / 2, 0), (base_w / 2, base_t * 0.6), (base_w * 0.42, base_t)], 30)
        base = scale(base, [1, 1, base_d / base_w])
    else:
        t = np.linspace(0, np.pi, 15)
        crescent = np.concatenate(
            [
                np.stack([base_w / 2 * np.cos(t), -base_d * 0.35 + base_d * np.sin(t)], axis=1),
                np.stack(
                    [base_w * 0.35 * np.cos(t[::-1]), -base_d * 0.35 + base_d * 0.45 * np.sin(t[::-1])],
                    axis=1,
                ),
            ]
        )
        base = extrude(crescent, base_t, axis="y", center=(0, base_t / 2, 0))
    a.add("base", move(base, (0, ground, z)), material)
    into = h * rng.uniform(0.05, 0.35)
    if kind == "pedestal":
        profile = spline(
            [(base_w * 0.2, 0), (neck_w * 0.6, tall * 0.4), (neck_w * 0.55, tall + into * 0.4)], 8
        )
        post = solid(profile, 20)
        a.add(
            "support", move(scale(post, [1, 1, 0.55]), (0, ground + base_t * 0.6, z - depth * 0.2)), material
        )
    elif kind == "arch":
        path = spline(
            [
                (0, ground + base_t * 0.6, z - base_d * 0.25),
                (0, ground + tall * 0.7, z - base_d * 0.4),
                (0, low + into, z),
            ],
            9,
        )
        arm = tube(path, neck_w * 0.3, segments=8)
        a.add("support", scale(arm, [1.8, 1, 1]), material)
    else:
        post = box(
            (neck_w, tall + into, depth * 0.5 + 0.01),
            (0, ground + (tall + into) / 2 + base_t * 0.3, z - depth * 0.15),
            bevel=0.003,
        )
        if chance(rng, 0.3):
            post = cylinder(
                neck_w * 0.3, tall + into, (0, ground + (tall + into) / 2 + base_t * 0.3, z - depth * 0.1), 16
            )
        if chance(rng, 0.4):
            post = merge(post, box((neck_w * 1.6, into * 0.8, depth * 0.6), (0, low + into * 0.8, z)))
        a.add("support", post, material)


def display(rng: np.random.Generator) -> list[Piece]:
    """Build a flat or curved monitor, a television or a picture tube; the screen faces +z."""
    a = Assembly()
    tube_set = chance(rng, 0.14)
    w = rng.uniform(0.45, 1.1)
    h = w * (
        rng.uniform(0.7, 0.82)
        if tube_set
        else rng.choice([0.5625, 0.625, 0.42, 0.75]) * rng.uniform(0.97, 1.06)
    )
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
    face = (
        box((sw, sh, depth * 0.2), (0, sy, depth * rng.uniform(0.1, 0.35)))
        if chance(rng, 0.7)
        else panel(sw, sh, center=(0, sy, depth * 0.4))
    )
    parts = [("frame", frame, case), ("screen", face, screen(rng))]
    deep = depth
    if tube_set:
        deep = w * rng.uniform(0.45, 0.8)
        rings = [
            np.column_stack([outline(w * k, h * k, corner), np.full(20, z)])
            for k, z in ((0.99, -depth * 0.4), (0.96, -deep * 0.4), (0.55, -deep))
        ]
        parts.append(("back_panel", loft(np.array(rings)), case))
    else:
        kind = pick(rng, ["flat", "bulge", "none"], [4, 4, 1])
        if kind == "flat":
            parts.append(
                ("back_panel", box((w * 0.985, h * 0.985, depth * 0.35), (0, 0, -depth * 0.4)), case)
            )
        elif kind == "bulge":
            parts.append(
                (
                    "back_panel",
                    merge(
                        box((w * 0.985, h * 0.985, depth * 0.3), (0, 0, -depth * 0.4)),
                        rounded_box(
                            (w * rng.uniform(0.4, 0.8), h * rng.uniform(0.4, 0.75), depth * 1.2),
                            depth * 0.3,
                            (0, 0, -depth * 0.8),
                        ),
                    ),
                    case,
                )
            )
        else:
            parts[0] = (
                "frame",
                merge(frame, box((w * 0.99, h * 0.99, depth * 0.3), (0, 0, -depth * 0.33))),
                case,
            )
    curve = rng.uniform(0.2, 0.5) if chance(rng, 0.1) and w > 1.4 * h and not tube_set else 0.0
    if curve:
        parts = [(n, _curved(m, w, curve), q) for n, m, q in parts]
    for part, mesh, material in parts:
        a.add(part, mesh, material)
    if chance(rng, 0.45):
        n, size = int(rng.integers(1, 7)), min(low * 0.4, h * 0.02)
        x0 = w * rng.choice([0.3, 0.0])
        knob = made_of(rng, "plastic", "metal")
        for k in range(n):
            at = (x0 + (k - (n - 1) / 2) * size * 2.4, -h / 2 + low / 2, depth * 0.5)
            round_one = (
                cylinder(size * 0.8, depth * 0.12 + 0.003, at, 14, axis="z")
                if chance(rng, 0.4)
                else box((size * 1.6, size, depth * 0.12 + 0.003), at)
            )
            a.add("button", _curved(round_one, w, curve) if curve else round_one, knob)
    if tube_set and chance(rng, 0.6):
        for x in (-0.35, 0.35):
            for z in (-depth * 0.2, -deep * 0.5):
                a.add(
                    "foot",
                    cylinder(w * 0.025, h * 0.05, (x * w, -h / 2 - h * 0.015, z), 12),
                    made_of(rng, "rubber", "plastic"),
                )
    elif not tube_set:
        _stand(rng, a, w, h, depth, case if chance(rng, 0.7) else made_of(rng, "metal", "plastic"))
    if chance(rng, 0.2) and not tube_set:
        for k in range(int(rng.integers(2, 5))):
            a.add(
                "port",
                box((h * 0.04, h * 0.02, depth * 0.3), (w * 0.1 + h * 0.06 * k, -h * 0.3, -depth * 0.6)),
                made_of(rng, "metal", "rubber"),
            )
    if chance(rng, 0.08):
        ground = float(min(p.mesh.bounds()[0, 1] for p in a.pieces))
        mesh, _, _ = on_ground(rng, (0, -h * 0.3 - ground, -depth * 0.5), w * 0.5, w * 0.006)
        a.add("cord", move(mesh, (0, ground, 0)), made_of(rng, "rubber"))
    return a.pieces


def _curved(mesh: Mesh, w: Scalar, curve: Scalar) -> Mesh:
    """Return the mesh with its sides brought forward; faces wider than an eighth of `w` are cut first."""
    v, f = mesh.vertices, mesh.faces
    for _ in range(4):
        wide = np.flatnonzero(np.ptp(v[f][..., 0], axis=1) > w / 8)
        if len(wide) == 0:
            break
        v, f = trimesh.remesh.subdivide(v, f, face_index=wide)
    v = v + np.outer(curve * w * 0.25 * (v[:, 0] / w * 2) ** 2, [0, 0, 1])
    return Mesh(v, f)


CATEGORIES = {"display": display}
