# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build bicycles."""

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, bent, chance, hard, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, cylinder, lathe, rod, tube
from procparts.vehicles.cycle_parts import handlebar, saddle_at, spoked_wheel


def _drive(
    rng: np.random.Generator,
    a: Assembly,
    crank: np.ndarray,
    rear: np.ndarray,
    small: Scalar,
    fold: set[str],
    metal: Material,
    dark: Material,
) -> None:
    """Add gear, pedals and mostly a chain from the crank to the rear axle; `small` 1 is a grown-up's size."""
    gear = 0.1 * small * rng.uniform(0.75, 1.05) if small == 1 else 0.075 * small * 1.3
    x, arm = 0.05, 0.17 * (small * 0.6 + 0.4 if small < 1 else 1)
    turn = rng.uniform(0, 2 * np.pi)
    plate = move(
        rotate(
            lathe([(gear * 0.75, -0.002), (gear, -0.002), (gear, 0.002), (gear * 0.75, 0.002)], 28, True),
            "z",
            np.pi / 2,
        ),
        crank + [x, 0, 0],
    )
    plate = merge(
        plate,
        *[
            rod(
                crank + [x, 0, 0], crank + [x, gear * 0.8 * np.cos(t), gear * 0.8 * np.sin(t)], 0.006, sides=4
            )
            for t in turn + np.arange(5) * 2 * np.pi / 5
        ],
    )
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
        loop = np.array(
            [
                lines[0][0],
                lines[0][1],
                rear + delta / np.linalg.norm(delta) * small_gear,
                lines[1][1],
                lines[1][0],
                crank - delta / np.linalg.norm(delta) * gear * 0.97,
            ]
        ) + [x, 0, 0]
        a.add("chain", tube(loop, 0.005, segments=4, closed=True), materials.metal(rng))


def _extras(
    rng: np.random.Generator,
    a: Assembly,
    style: str,
    small: Scalar,
    radius: Scalar,
    axles: tuple[np.ndarray, np.ndarray],
    reach: np.ndarray,
    coat: Material,
    dark: Material,
) -> None:
    """Add training wheels, a basket at the handlebar `reach` and mudguards, as the style allows."""
    rear, front = axles
    if style == "kids" and chance(rng, 0.7):
        for s in (-1, 1):
            hub = rear + [s * 0.17, -radius + 0.06, -0.01]
            yoke = bent([rear + [s * 0.04, 0, 0], rear + [s * 0.13, -0.02, 0], hub], 0.007, 0.03, 8)
            a.add("training_wheel", merge(yoke, cylinder(0.06, 0.025, hub, 18, axis="x")), dark)
    if style in ("ladies", "city", "kids") and chance(rng, 0.35):
        w, h, d = 0.3 * small, 0.2 * small, 0.24 * small
        hold = np.array([0, reach[1] - h * 0.5, reach[2] + d / 2 + 0.02])
        walls = [box((w, h, 0.006), hold + [0, 0, s * d / 2]) for s in (-1, 1)] + [
            box((0.006, h, d), hold + [s * w / 2, 0, 0]) for s in (-1, 1)
        ]
        a.add(
            "basket",
            merge(*walls, box((w, 0.006, d), hold - [0, h / 2, 0]), rod(hold - [0, 0, d / 2], reach, 0.008)),
            hard(rng),
        )
    if style not in ("road", "fixie", "bmx") and chance(rng, 0.4):
        for center, stop in ((rear, 2.6), (front, 1.9)):
            angle = np.linspace(0.3, stop, 12) + (0.2 if center is rear else 0.5)
            path = np.stack([np.zeros(12), np.sin(angle), -np.cos(angle)], 1) * (radius + 0.02)
            guard = tube(path + center, 0.012, segments=6)
            stay = rod(center + [0.04, 0, 0], path[0] + center, 0.004)
            a.add("mudguard", merge(guard, stay), coat)


def bicycle(rng: np.random.Generator) -> list[Piece]:
    """Build a road, town, mountain, BMX or children's bicycle; it rides towards +z."""
    style = pick(
        rng, ["road", "mountain", "ladies", "bmx", "kids", "fixie", "city"], [2, 2, 2, 1, 1.5, 1, 1.5]
    )
    small = {"kids": rng.uniform(0.42, 0.62), "bmx": rng.uniform(0.68, 0.78)}.get(style, 1.0)
    a, coat = Assembly(), materials.paint(rng) if chance(rng, 0.8) else materials.metal(rng)
    metal, dark = materials.metal(rng), materials.rubber(rng)
    radius = 0.34 * small * rng.uniform(0.92, 1.06)
    tire = {"road": 0.014, "fixie": 0.014, "mountain": 0.027, "bmx": 0.027}.get(style, 0.02) * rng.uniform(
        0.85, 1.2
    )
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
    fold = set(rng.choice(["rim", "head", "gear", "post", "brake"], 3, replace=False))
    for center in (rear, front):
        spoked_wheel(rng, a, center, radius, tire, spokes, "rim" in fold or chance(rng, 0.2), dark, metal)
    step = (
        style == "ladies" or (style == "city" and chance(rng, 0.4)) or (style == "kids" and chance(rng, 0.3))
    )
    low_head = crown + along * 0.02
    if step:
        mid = crank + (seat - crank) * rng.uniform(0.25, 0.5)
        sag = (mid + head) / 2 - [0, 0.06 * small, 0]
        a.add(
            "top_tube",
            bent([head - along * 0.03, sag, mid], r, 0.3)
            if chance(rng, 0.6)
            else rod(head - along * 0.03, mid, r),
            coat,
        )
    else:
        a.add("top_tube", rod(head - along * 0.02, seat - [0, rng.uniform(0.01, 0.06), 0], r * 0.9), coat)
    a.add("down_tube", rod(low_head, crank, r * 1.15), coat)
    a.add("seat_tube", merge(rod(crank, seat, r), cylinder(0.025, 0.07, crank, 12, axis="x")), coat)
    legs = [
        bent(
            [crown + [s * 0.035, 0.012, 0], crown + [s * 0.045, -0.06, 0.0], front + [s * 0.05, 0, 0]],
            0.011,
            0.06,
        )
        for s in (-1, 1)
    ]
    fork = merge(*legs, rod(crown - [0.05, -0.01, 0], crown + [0.05, 0.01, 0], 0.013))
    tube_head = rod(crown, head, r * 1.25)
    if "head" in fold:
        a.add("fork", merge(fork, tube_head), coat)
    else:
        a.add("fork", fork, coat if chance(rng, 0.6) else metal)
        a.add("head_tube", tube_head, coat)
    wide = max(tire + 0.012, 0.03)
    for s in (-1, 1):
        a.add(
            "chain_stay",
            bent(
                [
                    crank + [s * 0.02, 0, -0.01],
                    crank + [s * wide, 0.005, -radius * 0.5],
                    rear + [s * 0.045, 0, 0],
                ],
                0.009,
                0.05,
            ),
            coat,
        )
        if style != "bmx" or chance(rng, 0.7):
            a.add(
                "seat_stay",
                bent(
                    [
                        seat - [0, 0.04, 0] + [s * 0.014, 0, 0],
                        rear + (seat - rear) * 0.55 + [s * wide, 0, 0],
                        rear + [s * 0.045, 0, 0],
                    ],
                    0.008,
                    0.05,
                ),
                coat,
            )
    up = rng.uniform(0.04, 0.18) * max(small, 0.6)
    top = seat + up * np.array([0, np.sin(lean), -np.cos(lean)])
    saddle = saddle_at(rng, top + [0, 0.02, 0], 0.75 if small < 0.7 else 1.0)
    post = rod(seat - (top - seat) * 0.4, top + [0, 0.01, 0], r * 0.75)
    padding = materials.leather(rng)
    if "post" in fold:
        a.add("saddle", merge(saddle, post), padding)
    else:
        a.add("seat_post", post, metal)
        a.add("saddle", saddle, padding)
    stem = head + along * rng.uniform(0.02, 0.1)
    reach = stem + [0, 0.01, rng.uniform(0.02, 0.1)]
    kind = {
        "road": "drop",
        "mountain": pick(rng, ["flat", "riser"]),
        "bmx": "bmx",
        "fixie": pick(rng, ["drop", "flat"]),
    }.get(style, pick(rng, ["riser", "swept", "flat"]))
    bar = handlebar(rng, kind, reach, rng.uniform(0.4, 0.62) * (small * 0.5 + 0.5))
    a.add(
        "handlebar",
        merge(bar, rod(head - along * 0.01, stem, 0.014), rod(stem, reach, 0.014)),
        metal if chance(rng, 0.6) else coat,
    )
    if "brake" not in fold:
        for s in (-1, 1):
            a.add(
                "brake_lever",
                bent(
                    [
                        reach + [s * 0.1, 0.0, 0.0],
                        reach + [s * 0.11, -0.01, 0.04],
                        reach + [s * 0.19, -0.02, 0.045],
                    ],
                    0.005,
                    0.02,
                    6,
                ),
                metal,
            )
    _drive(rng, a, crank, rear, small, fold, metal, dark)
    _extras(rng, a, style, small, radius, (rear, front), reach, coat, dark)
    return a.pieces


CATEGORIES = {"bicycle": bicycle}
