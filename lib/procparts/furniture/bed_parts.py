"""Build parts of beds: bedding, headboards, footboards."""

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, bar_maker, chance, curved_board, cushion, leg_maker
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar, merge, move, rotate
from procparts.kit.toolkit import arc, box, curved_sheet, extrude, rounded_box, sphere, tube


def duvet(
    rng: np.random.Generator, w: Scalar, length: Scalar, y: Scalar, z0: Scalar, z1: Scalar, drop: Scalar
) -> Mesh:
    """Build a blanket on a mattress whose top is at y, between two z, hanging down `drop` at the sides."""
    x = np.array(
        [
            -w / 2 - 0.012,
            -w / 2 - 0.01,
            -w / 2 * 0.97,
            -w / 4,
            0,
            w / 4,
            w / 2 * 0.97,
            w / 2 + 0.01,
            w / 2 + 0.012,
        ]
    )
    height = np.array([-drop, -0.02, 0.012, 0.02, 0.024, 0.02, 0.012, -0.02, -drop])
    z = np.linspace(z0, z1, 9)
    waves = rng.normal(0, 0.006, (9, 9))
    grid = np.stack(
        np.broadcast_arrays(
            x[:, None], y + height[:, None] + waves * (np.abs(x[:, None]) < w / 2), z[None, :]
        ),
        -1,
    )
    sheet = curved_sheet(grid)
    return sheet if sheet.cross()[:, 1].sum() > 0 else sheet.flipped()


def bedding(
    rng: np.random.Generator, a: Assembly, w: Scalar, length: Scalar, y: Scalar, double: bool
) -> float:
    """Add mattress, pillows and covers on a base at height y; return the height of the mattress's top."""
    t = rng.uniform(0.14, 0.3)
    white = materials.fabric(rng)
    a.add("mattress", rounded_box((w, t, length), rng.uniform(0.02, 0.06), (0, y + t / 2, 0)), white)
    top, cloth = float(y + t), materials.fabric(rng)
    head = -length / 2
    if chance(rng, 0.85):
        n = 2 if double else 1
        cover = white if chance(rng, 0.4) else materials.fabric(rng)
        stand = rng.uniform(0.1, 0.9)
        for k in range(n):
            x = (k - (n - 1) / 2) * w / n
            size = (min(w / n * 0.85, 0.7), 0.13, 0.4)
            mesh = rotate(cushion(rng, size), "x", stand)
            a.add("pillow", move(mesh, (x, top + 0.05 + 0.18 * np.sin(stand), head + 0.22)), cover)
        if chance(rng, 0.2):
            a.add(
                "pillow",
                move(rotate(cushion(rng, (0.35, 0.1, 0.3)), "x", 0.6), (0, top + 0.12, head + 0.48)),
                materials.fabric(rng),
            )
    if chance(rng, 0.75):
        z0 = head + rng.uniform(0.4, 0.9)
        a.add("blanket", duvet(rng, w, length, top, z0, length / 2 + 0.01, t * rng.uniform(0.2, 1.2)), cloth)
    if chance(rng, 0.2):
        z = length * rng.uniform(0.15, 0.3)
        a.add(
            "scarf",
            duvet(rng, w + 0.02, length, top + 0.012, z, z + rng.uniform(0.25, 0.5), t * 0.8),
            materials.fabric(rng),
        )
    return top


def end_board(
    rng: np.random.Generator,
    a: Assembly,
    name: str,
    w: Scalar,
    low: Scalar,
    high: Scalar,
    z: Scalar,
    kind: str,
    main: Material,
    frame: Material,
    cloth: Material,
) -> None:
    """Add a headboard or footboard standing across the bed at z."""
    middle, tall = (low + high) / 2, high - low
    if kind == "soft":
        part = "headboard_soft" if name == "headboard" else name
        a.add(part, rounded_box((w, tall, 0.1), 0.03, (0, middle, z)), cloth)
        if chance(rng, 0.4):
            n = int(rng.integers(3, 9))
            tufts = [
                sphere(0.014, ((k + 0.5) * w / n - w / 2, high - tall * 0.25 * r, z + 0.05), segments=8)
                for k in range(n)
                for r in (1, 2)
            ]
            a.pieces[-1].mesh = merge(a.pieces[-1].mesh, *tufts)
    elif kind == "panel":
        if chance(rng, 0.5):
            bow = rng.uniform(0.05, 0.35) * tall
            top = arc(1, 0, np.pi, 14) * [w / 2, bow] + [0, high - bow]
            flat = np.concatenate([[(-w / 2, low), (w / 2, low)], top])
            a.add(name, extrude(flat, 0.04, "z", (0, 0, z)), main)
        else:
            mesh = curved_board((w, tall, rng.uniform(0.025, 0.07)), rng.choice([0.0, 0.25]))
            a.add(name, move(mesh, (0, middle, z)), main)
    else:
        post = leg_maker(rng, rng.uniform(0.03, 0.07))
        for s in (-1, 1):
            a.add(f"{name}_frame", post((s * w / 2, 0, z), (s * w / 2, high, z)), frame)
            if chance(rng, 0.5):
                a.add(f"{name}_frame", sphere(0.035, (s * w / 2, high + 0.02, z), segments=12), frame)
        bar = bar_maker(rng, rng.uniform(0.015, 0.045))
        a.add(f"{name}_frame", bar((-w / 2, low + 0.02, z), (w / 2, low + 0.02, z)), frame)
        top = high - rng.uniform(0.02, 0.1)
        if chance(rng, 0.35):
            line = np.stack(
                [
                    x := np.linspace(-w / 2, w / 2, 13),
                    top + 0.18 * tall * np.cos(x / w * np.pi),
                    np.full(13, z),
                ],
                1,
            )
            a.add(f"{name}_frame", tube(line, 0.018), frame)
        else:
            a.add(f"{name}_frame", bar((-w / 2, top, z), (w / 2, top, z)), frame)
        if kind == "bars":
            n = int(rng.integers(4, 12))
            thin = bar_maker(rng, rng.uniform(0.01, 0.03))
            for k in range(n):
                at = (k + 1) * w / (n + 1) - w / 2
                a.add(f"{name}_bar", thin((at, low + 0.02, z), (at, top, z)), frame)
        else:
            a.add(name, box((w, tall * 0.75, 0.02), (0, middle, z)), main)
