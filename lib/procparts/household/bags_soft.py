"""Build totes and backpacks."""

import numpy as np

from procparts.household.bag_parts import arched, ribbon, sack
from procparts.kit.fittings import Assembly, chance, smooth
from procparts.kit.mesh import merge
from procparts.kit.toolkit import box, rounded_box, tube
from procparts.kit.vessels import made_of, spline


def tote(rng: np.random.Generator, a: Assembly) -> None:
    """Add a tote, carrier or paper bag with two handles."""
    w, h = rng.uniform(0.28, 0.42), rng.uniform(0.28, 0.45)
    d = w * rng.uniform(0.08, 0.4)
    paper = chance(rng, 0.35)
    cloth = (
        made_of(rng, "paper_or_label", "paint")
        if paper
        else made_of(rng, "fabric", "fabric", "leather", "plastic")
    )
    flare, y = rng.uniform(0.9, 1.15), np.linspace(0, h, 4)
    grow = np.linspace(1, flare, 4)
    outside = sack(w * grow, d * grow, y, 0.02 if paper else 0.2, caps=False)
    floor = box((w * 0.98, h * 0.01, d * 0.96), (0, h * 0.005, 0))
    a.add("body", merge(outside, floor), cloth)
    trim = made_of(rng, "fabric", "leather", "plastic") if chance(rng, 0.6) else cloth
    x, rise, thick = w * rng.uniform(0.15, 0.25), h * rng.uniform(0.25, 0.75), w * rng.uniform(0.008, 0.016)
    below = h * (0.96 if paper else rng.uniform(0.55, 0.95))
    for s in (-1, 1):
        z = s * d * np.interp(below, y, grow) / 2 + s * thick * 0.3
        path = arched(x, below, z, h - below + rise, s * rng.uniform(-0.05, 0.1), rng.uniform(0.85, 1.0))
        a.add(
            "handle",
            ribbon(path, np.array([0, 0, 1.0]), thick * 1.4, thick)
            if chance(rng, 0.3)
            else tube(path, thick * 0.8, segments=7),
            trim,
        )
    if not paper and chance(rng, 0.3):
        a.add(
            "pocket",
            box(
                (w * 0.5, h * 0.4, d * 0.04 + 0.004),
                (0, h * 0.4, d * np.interp(0.4 * h, y, grow) / 2),
                bevel=0.001,
            ),
            trim,
        )


def backpack(rng: np.random.Generator, a: Assembly) -> None:
    """Add a backpack; the straps are at the back (-z)."""
    h = rng.uniform(0.38, 0.6)
    w, d = h * rng.uniform(0.58, 0.78), h * rng.uniform(0.28, 0.42)
    cloth = made_of(rng, "fabric", "fabric", "leather", "plastic")
    trim = cloth if chance(rng, 0.4) else made_of(rng, "fabric", "leather")
    t = np.linspace(0, 1, 10)
    round_top = rng.uniform(0.3, 0.8)
    shape = np.sqrt(np.clip(1 - np.clip((t - 0.75) / 0.25, 0, 1) ** 2 * round_top, 0.05, 1))
    lean = rng.uniform(-0.12, 0.0)
    a.add(
        "body",
        sack(
            w * shape * (0.92 + 0.08 * np.sin(np.pi * t)),
            d * shape * (1 - 0.25 * t),
            h * t,
            rng.uniform(0.15, 0.4),
            lean=lean * d / h,
        ),
        cloth,
    )
    ph, pd = h * rng.uniform(0.32, 0.5), d * rng.uniform(0.2, 0.4)
    front = d * 0.47
    if chance(rng, 0.8):
        a.add(
            "pocket",
            rounded_box((w * rng.uniform(0.6, 0.85), ph, pd), pd * 0.45, (0, ph * 0.62, front)),
            trim,
        )
        if chance(rng, 0.6):
            a.add(
                "zipper",
                box((w * 0.55, h * 0.012, 0.008), (0, ph * 0.95, front + pd * 0.5)),
                made_of(rng, "metal", "plastic"),
            )
    if chance(rng, 0.4):
        for s in (-1, 1):
            a.add(
                "pocket",
                rounded_box((d * 0.22, h * 0.28, d * 0.6), d * 0.08, (s * w * 0.48, h * 0.2, 0)),
                trim,
            )
    if chance(rng, 0.5):
        arch = np.linspace(0.15, 0.85, 9) * np.pi
        x, y = w * 0.47 * np.cos(arch), h * 0.62 + h * 0.3 * np.sin(arch)
        a.add(
            "zipper",
            tube(np.stack([x, y, np.full(9, d * 0.36)], axis=1), h * 0.009, segments=5),
            made_of(rng, "metal", "plastic"),
        )
    if chance(rng, 0.3):
        path = smooth(
            [
                (0, h * 0.97, -d * 0.3),
                (0, h * 1.03, d * 0.1),
                (0, h * 0.95, d * 0.42),
                (0, h * 0.55, d * 0.52),
            ],
            d * 0.3,
        )
        a.add("pocket", ribbon(path, np.array([1.0, 0, 0]), w * 0.85), trim)
        for s in [0] if chance(rng, 0.4) else [-1, 1]:
            a.add(
                "buckle",
                box((w * 0.08, h * 0.06, d * 0.06), (s * w * 0.25, h * 0.57, d * 0.53), bevel=0.003),
                made_of(rng, "metal", "plastic"),
            )
    back = -d * 0.45
    for s in (-1, 1):
        path = spline(
            [
                (s * w * 0.17, h * 0.93, back * 0.6),
                (s * w * 0.24, h * 0.9, back - d * 0.28),
                (s * w * 0.33, h * 0.55, back - d * 0.42),
                (s * w * 0.4, h * 0.2, back - d * 0.18),
                (s * w * 0.42, h * 0.08, back * 0.95),
            ],
            15,
        )
        strap = ribbon(path, np.array([1.0, 0, 0.1]), w * rng.uniform(0.12, 0.15), h * 0.02)
        a.add("strap", strap, trim)
    loop_x = w * 0.12
    a.add(
        "handle", tube(arched(loop_x, h * 0.95, back * 0.5, h * 0.1, -0.2, 0.95), h * 0.012, segments=7), trim
    )
