"""Build handbags and briefcases, and choose among all bags."""

import numpy as np

from procparts.household.bag_parts import arched, cloth_or_leather, ribbon, sack
from procparts.household.bags_soft import backpack, tote
from procparts.kit.fittings import Assembly, arch, chance, pick, smooth
from procparts.kit.mesh import Piece, merge
from procparts.kit.toolkit import box, cylinder, rounded_box, torus, tube
from procparts.kit.vessels import made_of


def _handbag(rng: np.random.Generator, a: Assembly) -> None:
    """Add a handbag: trapeze, box, hobo, barrel or bucket."""
    w, h = rng.uniform(0.25, 0.42), rng.uniform(0.18, 0.32)
    d = w * rng.uniform(0.22, 0.45)
    kind = pick(rng, ["trapeze", "box", "hobo", "barrel", "bucket"])
    t = np.linspace(0, 1, 9)
    tops = {
        "trapeze": 1 - 0.3 * t,
        "box": 1 - 0.03 * t,
        "hobo": 1 - 0.45 * t**2,
        "barrel": np.ones(9),
        "bucket": 0.75 + 0.25 * t,
    }
    bulge = {
        "trapeze": 1 - 0.75 * t,
        "box": 1 - 0.1 * t,
        "hobo": 0.75 + 0.4 * np.sin(2.6 * t) - 0.35 * t,
        "barrel": np.sin(np.pi * (0.12 + 0.8 * t)),
        "bucket": 1 - 0.2 * t,
    }
    cloth = cloth_or_leather(rng)
    if kind == "bucket":
        w, d = w * 0.75, w * 0.7
    body = sack(
        w * tops[kind],
        np.maximum(d * bulge[kind], d * 0.1),
        h * t,
        0.4 if kind == "bucket" else rng.uniform(0.1, 0.35),
    )
    a.add("body", body, cloth)
    trim = cloth if chance(rng, 0.5) else cloth_or_leather(rng)
    metal = made_of(rng, "metal")
    top_w, top_d = w * float(tops[kind][-1]), max(d * float(bulge[kind][-1]), d * 0.1)
    flap = kind in ("box", "trapeze") and chance(rng, 0.35)
    if flap:
        fall, mid = h * rng.uniform(0.4, 0.7), 0.5 * (d * float(bulge[kind][4]) + top_d) * 0.5
        path = smooth(
            [(0, h + 0.006, -top_d * 0.45), (0, h + 0.01, top_d * 0.5), (0, h - fall, mid + 0.012)],
            top_d * 0.4,
        )
        a.add("pocket", ribbon(path, np.array([1.0, 0, 0]), top_w * 0.98), trim)
        a.add(
            "buckle", box((w * 0.09, w * 0.07, 0.012), (0, h - fall * 0.92, mid + 0.014), bevel=0.002), metal
        )
    elif chance(rng, 0.55):
        a.add(
            "zipper",
            merge(
                box((top_w * 0.92, h * 0.015, max(top_d * 0.12, 0.008)), (0, h * 1.003, 0)),
                box((0.012, 0.012, 0.03), (top_w * 0.4, h * 1.01, 0.01)),
            ),
            metal,
        )
    n = 1 if kind == "hobo" or flap or chance(rng, 0.3) else 2
    x, rise = top_w * rng.uniform(0.22, 0.42), h * rng.uniform(0.4, 1.0)
    thick = w * rng.uniform(0.012, 0.024)
    flat = chance(rng, 0.4)
    for s in [0] if n == 1 else [-1, 1]:
        z, y = s * top_d * 0.5, h * (0.97 if n == 1 else rng.uniform(0.86, 0.97))
        if n == 2:
            z = s * max(np.interp(y / h, t, np.maximum(d * bulge[kind], d * 0.1)) / 2, 0.004)
        path = arched(x, y, z, rise, s * rng.uniform(0.0, 0.25), rng.uniform(0.6, 1.0))
        a.add(
            "handle",
            ribbon(path, np.array([0, 0, 1.0]), thick * 3, thick * 0.6)
            if flat
            else tube(path, thick, segments=8),
            trim,
        )
        if chance(rng, 0.4):
            for end in (path[0], path[-1]):
                a.add("ring", torus(thick * 1.8, thick * 0.4, end, "z", segments=14, sides=6), metal)
        if chance(rng, 0.25):
            for end in (path[0], path[-1]):
                a.add(
                    "rivet", cylinder(thick * 0.9, thick * 1.6, end - [0, thick * 2, 0], 10, axis="z"), metal
                )
    if chance(rng, 0.3):
        wide = w * 0.5
        drop = rng.uniform(0.6, 1.3) * h
        path = arched(
            float(top_w) * 0.49,
            h * 0.93,
            0,
            drop,
            rng.uniform(-0.3, 0.3),
            wide / max(top_w * 0.49, 1e-6) * 0.7,
        )
        a.add("strap", ribbon(path, np.array([0, 0, 1.0]), w * 0.05), trim)
    if chance(rng, 0.25):
        for sx in (-0.36, 0.36):
            for sz in (-0.3, 0.3):
                a.add(
                    "foot",
                    cylinder(
                        w * 0.02, h * 0.05, (sx * w * tops[kind][0], -h * 0.015, sz * d * bulge[kind][0]), 10
                    ),
                    metal,
                )
    if chance(rng, 0.2):
        z = d * float(np.interp(0.35, t, bulge[kind])) / 2
        a.add("pocket", rounded_box((w * 0.5, h * 0.35, d * 0.12), d * 0.04, (0, h * 0.33, z)), cloth)


def _briefcase(rng: np.random.Generator, a: Assembly) -> None:
    """Add a briefcase or a duffel bag."""
    w, h, d = rng.uniform(0.36, 0.46), rng.uniform(0.24, 0.33), rng.uniform(0.06, 0.12)
    duffel = chance(rng, 0.4)
    cloth = (
        made_of(rng, "fabric", "leather", "plastic")
        if duffel
        else made_of(rng, "leather", "leather", "metal")
    )
    trim, metal = (cloth if chance(rng, 0.5) else cloth_or_leather(rng)), made_of(rng, "metal")
    if duffel:
        h, d = h * 0.85, h * rng.uniform(0.75, 1.0)
        body = rounded_box((w * 1.2, h, d), h * 0.4, (0, h / 2, 0))
        a.add("zipper", box((w * 0.95, h * 0.02, 0.012), (0, h, 0)), metal)
        for s in (-1, 1):
            path = arched(w * 0.22, h * 0.35, s * d * 0.505, h * 1.0, -s * 0.1, 0.95)
            a.add("handle", ribbon(path, np.array([0.6, 0, 0.8 * s]), w * 0.05, w * 0.012), trim)
        a.add(
            "strap",
            ribbon(
                arched(w * 0.6, h * 0.6, 0, h * rng.uniform(0.9, 1.6), rng.uniform(-0.2, 0.2), 0.8),
                np.array([0, 0, 1.0]),
                w * 0.06,
            ),
            trim,
        )
    else:
        body = box((w, h, d), (0, h / 2, 0), bevel=d * rng.uniform(0.05, 0.3))
        grip = w * rng.uniform(0.12, 0.17)
        a.add(
            "handle",
            arch((grip, h * 0.99, 0), (grip, h * 1.14, 0), d * rng.uniform(0.08, 0.13), h * 0.08, 8),
            trim,
        )
        for s in (-1, 1):
            a.add("ring", box((w * 0.03, h * 0.03, d * 0.3), (s * grip, h * 1.01, 0)), metal)
            a.add(
                "buckle",
                box((w * 0.07, h * 0.09, d * 0.08 + 0.004), (s * w * 0.33, h * 0.86, d / 2), bevel=0.002),
                metal,
            )
        if chance(rng, 0.5):
            path = np.array(
                [(0, h + 0.003, -d * 0.4), (0, h + 0.004, d * 0.5), (0, h * 0.5, d * 0.5 + 0.006)]
            )
            a.add("pocket", ribbon(path, np.array([1.0, 0, 0]), w * 0.98), trim)
        if chance(rng, 0.4):
            for x in (-0.4, 0.4):
                a.add("foot", cylinder(d * 0.07, h * 0.03, (x * w, -h * 0.01, 0), 8), metal)
    a.add("body", body, cloth)


def bag(rng: np.random.Generator) -> list[Piece]:
    """Build a handbag, tote, paper bag, backpack, briefcase or duffel; the front looks along +z."""
    a = Assembly()
    styles = {"hand": _handbag, "tote": tote, "back": backpack, "brief": _briefcase}
    styles[pick(rng, list(styles), [4, 2, 3, 2])](rng, a)
    return a.pieces


CATEGORIES = {"bag": bag}
