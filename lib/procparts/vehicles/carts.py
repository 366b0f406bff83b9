"""Build trolleys, carts and hand trucks."""

from dataclasses import dataclass

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, arch, bent, caster, chance, hard, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, lathe, loft, rod, rounded_box, tube


def _mesh_wall(corners: np.ndarray, across: int, up: int, r: Scalar) -> Mesh:
    """Build a wire wall over four corners (4, 3), walked round: bars both ways and a rim."""
    p = np.asarray(corners, dtype=float)
    bars = [tube([p[k], p[(k + 1) % 4]], r * 1.6, segments=6) for k in range(4)]
    for n, (q, s, t, v) in ((across, (0, 1, 3, 2)), (up, (0, 3, 1, 2))):
        for k in range(1, n):
            f = k / n
            bars.append(tube([p[q] + (p[s] - p[q]) * f, p[t] + (p[v] - p[t]) * f], r, segments=4, caps=False))
    return merge(*bars)


def _walls(
    rng: np.random.Generator, a: Assembly, lower: np.ndarray, upper: np.ndarray, wire: bool, shade: Material
) -> None:
    """Add a basket between two rectangles (4, 3): front right, front left, rear left, rear right."""
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


def _rectangle(w: Scalar, d: Scalar, y: Scalar, z: Scalar = 0.0) -> np.ndarray:
    """Return the corners (4, 3) of a level rectangle, in the order of `_walls`."""
    return np.array(
        [(w / 2, y, z + d / 2), (-w / 2, y, z + d / 2), (-w / 2, y, z - d / 2), (w / 2, y, z - d / 2)]
    )


@dataclass
class _Trolley:
    """Hold a trolley in the making: width, depth and heights in meters, and its materials.

    Attributes:
        a: pieces so far.
        w: width.
        d: depth.
        wheel: radius of the wheels.
        low: height of the deck over the wheels.
        r: radius of the frame's bars.
        handle_y: height of the handle.
        frame: material of the frame.
        shade: material of panels.
        dark: material of the wheels.
        grip: material of the handle.
    """

    a: Assembly
    w: float
    d: float
    wheel: float
    low: float
    r: float
    handle_y: float
    frame: Material
    shade: Material
    dark: Material
    grip: Material

    def wheels(self, rng: np.random.Generator, half_w: Scalar, front: Scalar, rear: Scalar) -> None:
        """Add four casters; the front pair may be turned."""
        yaw = rng.uniform(0, np.pi) if chance(rng, 0.5) else 0.0
        for z in (front, rear):
            for s in (-1, 1):
                top = (s * half_w, self.low, z)
                yoke, disc = caster(rng, top, self.wheel, False, yaw if z == front else 0.0)
                self.a.add("wheel_yoke", yoke, self.frame)
                self.a.add("wheel", disc, self.dark)


def _shopping(rng: np.random.Generator, c: _Trolley) -> None:
    """Add the basket of a shopping trolley on its frame."""
    a, w, d, r = c.a, c.w, c.d, c.r
    z0 = -d / 2
    bottom, top = rng.uniform(0.42, 0.55), rng.uniform(0.8, 0.98)
    narrow = rng.uniform(0.65, 0.95)
    lower = np.array(
        [
            (w * narrow / 2, bottom + 0.08, d / 2 - 0.06),
            (-w * narrow / 2, bottom + 0.08, d / 2 - 0.06),
            (-w / 2 * 0.95, bottom, z0),
            (w / 2 * 0.95, bottom, z0),
        ]
    )
    upper = np.array(
        [
            (w * narrow / 2, top - 0.06, d / 2 + 0.04),
            (-w * narrow / 2, top - 0.06, d / 2 + 0.04),
            (-w / 2, top, z0 - 0.04),
            (w / 2, top, z0 - 0.04),
        ]
    )
    _walls(rng, a, lower, upper, chance(rng, 0.8), c.shade if chance(rng, 0.4) else c.frame)
    hx = w / 2 * 0.95
    for s in (-1, 1):
        path = [
            (s * hx, top + 0.02, z0 - 0.06),
            (s * hx, bottom, z0),
            (s * hx, c.low, z0 + 0.05),
            (s * w * narrow / 2 * 0.8, c.low, d / 2),
        ]
        a.add("frame", bent(path, r, 0.07), c.frame)
    x = w * narrow / 2 * 0.8
    a.add("frame", rod((-x, c.low, d / 2), (x, c.low, d / 2), r), c.frame)
    if chance(rng, 0.5):
        a.add("shelf", _mesh_wall(_rectangle(w * 0.7, d * 0.8, c.low + 0.02), 6, 4, 0.004), c.frame)
    a.add(
        "handle",
        merge(
            rod((-hx, top + 0.03, z0 - 0.07), (hx, top + 0.03, z0 - 0.07), r * 1.4),
            *[rod((s * hx, top - 0.02, z0 - 0.03), (s * hx, top + 0.03, z0 - 0.07), r) for s in (-1, 1)],
        ),
        c.grip,
    )
    c.wheels(rng, w * 0.36, d / 2 - 0.05, z0 + 0.1)


def _shelved(rng: np.random.Generator, c: _Trolley, drawers: bool) -> None:
    """Add a trolley with shelves, or with drawers for tools."""
    a, w, d, r = c.a, c.w, c.d, c.r
    n = int(rng.integers(2, 4)) if not drawers else 2
    high = c.handle_y - rng.uniform(0.05, 0.2)
    for s in (-1, 1):
        for q in (-1, 1):
            a.add(
                "frame" if drawers else "leg",
                rod(
                    (s * w / 2, c.low, q * d / 2),
                    (s * w / 2, high, q * d / 2),
                    r,
                    sides=4 if chance(rng, 0.3) else 10,
                ),
                c.frame,
            )
    tray = chance(rng, 0.6)
    for k in range(n):
        y = c.low + (high - c.low - 0.02) * k / (n - 1)
        part = "shelf" if k else "bottom_panel"
        if chance(rng, 0.2):
            a.add(part, _mesh_wall(_rectangle(w, d, y), 8, 6, 0.003), c.frame)
        else:
            a.add(part, box((w, 0.015, d), (0, y, 0)), c.shade)
        if tray:
            for s in (-1, 1):
                a.add("top_frame", box((w, 0.05, 0.01), (0, y + 0.025, s * d / 2)), c.shade)
                a.add("top_frame", box((0.01, 0.05, d), (s * w / 2, y + 0.025, 0)), c.shade)
    if drawers:
        rows = int(rng.integers(2, 5))
        body = high - c.low - 0.05
        for s in (-1, 1):
            a.add("side_panel", box((0.01, body, d * 0.97), (s * w / 2, c.low + 0.02 + body / 2, 0)), c.shade)
        a.add("back_panel", box((w, body, 0.01), (0, c.low + 0.02 + body / 2, -d / 2 + 0.01)), c.shade)
        for k in range(rows):
            y = c.low + 0.02 + (k + 0.5) * body / rows
            pull = rod(
                (-w * 0.3, y + body / rows * 0.3, d / 2 + 0.015),
                (w * 0.3, y + body / rows * 0.3, d / 2 + 0.015),
                0.008,
            )
            a.add("drawer", merge(box((w * 0.96, body / rows * 0.92, 0.02), (0, y, d / 2)), pull), c.grip)
    elif chance(rng, 0.3):
        a.add(
            "support_bar",
            rod((-w / 2, (c.low + high) / 2, -d / 2), (w / 2, (c.low + high) / 2, -d / 2), r),
            c.frame,
        )
    bow = arch((w / 2, high - 0.05, -d / 2), (w / 2, c.handle_y, -d / 2 - 0.1), r * 1.05, 0.06)
    a.add("handle", bow, c.frame if chance(rng, 0.5) else c.grip)
    c.wheels(rng, w / 2 - 0.02, d / 2 - 0.02, -d / 2 + 0.02)


def _platform(rng: np.random.Generator, c: _Trolley) -> None:
    """Add a platform with a bow to push it."""
    a, w, d, r = c.a, c.w, c.d, c.r
    t = rng.uniform(0.02, 0.05)
    a.add("bottom_panel", rounded_box((w, t, d), 0.012, (0, c.low + t / 2, 0)), c.shade)
    bow = arch((w * 0.44, c.low, -d / 2 + 0.03), (w * 0.44, c.handle_y, -d / 2 - 0.02), r, 0.1)
    a.add("handle", bow, c.frame)
    for k in range(int(rng.integers(0, 3))):
        y = c.low + (c.handle_y - c.low) * (k + 1) / 3
        a.add(
            "support_bar", rod((-w * 0.44, y, -d / 2 + 0.01), (w * 0.44, y, -d / 2 + 0.01), r * 0.8), c.frame
        )
    c.wheels(rng, w * 0.4, d * 0.4, -d * 0.4)


def _hand_truck(rng: np.random.Generator, c: _Trolley) -> None:
    """Add an upright hand truck on two large wheels."""
    a, w, r = c.a, c.w, c.r
    big, high, x = rng.uniform(0.09, 0.15), rng.uniform(1.0, 1.35), w * 0.38
    a.add("bottom_panel", box((w * 0.9, 0.012, rng.uniform(0.18, 0.3)), (0, 0.01, 0.12)), c.frame)
    for s in (-1, 1):
        a.add("frame", rod((s * x, 0.01, 0.0), (s * x, high - 0.19, -0.02), r), c.frame)
        a.add(
            "wheel",
            move(
                rotate(
                    lathe(
                        [
                            (0, -0.03),
                            (big * 0.4, -0.035),
                            (big, -0.025),
                            (big, 0.025),
                            (big * 0.4, 0.035),
                            (0, 0.03),
                        ],
                        22,
                    ),
                    "z",
                    np.pi / 2,
                ),
                (s * (x + 0.06), big, -0.09),
            ),
            c.dark,
        )
        a.add(
            "wheel_yoke",
            merge(
                rod((s * x, big * 1.6, -0.01), (s * (x + 0.02), big, -0.09), 0.01),
                rod((s * x, 0.03, 0), (s * (x + 0.02), big, -0.09), 0.01),
            ),
            c.frame,
        )
    a.add("wheel_yoke", rod((-x - 0.06, big, -0.09), (x + 0.06, big, -0.09), 0.009), c.frame)
    a.add("handle", arch((x, high - 0.2, -0.02), (x, high, -0.06), r * 1.2, 0.08), c.grip)
    for k in range(int(rng.integers(2, 5))):
        y = 0.15 + k * (high - 0.4) / 4
        a.add("support_bar", rod((-x, y, -0.005), (x, y, -0.005), r * 0.8), c.frame)


def _laundry(rng: np.random.Generator, c: _Trolley) -> None:
    """Add a laundry bin on wheels."""
    a, w, d, r = c.a, c.w, c.d, c.r
    high = rng.uniform(0.65, 0.9)
    flare = rng.uniform(0.85, 1.0)
    soft = materials.fabric(rng) if chance(rng, 0.5) else c.shade
    _walls(rng, a, _rectangle(w * flare, d * flare, c.low + 0.03), _rectangle(w, d, high), False, soft)
    corners = _rectangle(w + 0.01, d + 0.01, high)
    a.add("top_frame", tube(corners, r, segments=8, closed=True), c.frame)
    a.add("frame", tube(_rectangle(w * flare, d * flare, c.low + 0.01), r, segments=8, closed=True), c.frame)
    if chance(rng, 0.6):
        for k in range(4):
            a.add(
                "leg", rod(_rectangle(w * flare + 0.01, d * flare + 0.01, c.low)[k], corners[k], r), c.frame
            )
    a.add("handle", arch((w * 0.4, high, -d / 2), (w * 0.4, high + 0.1, -d / 2 - 0.1), r, 0.05), c.grip)
    c.wheels(rng, w * flare / 2 - 0.03, d * flare / 2 - 0.04, -d * flare / 2 + 0.04)


def cart(rng: np.random.Generator) -> list[Piece]:
    """Build a shopping, utility, serving, platform, tool or laundry trolley, or a hand truck."""
    style = pick(
        rng, ["shop", "shelves", "platform", "handtruck", "bin", "tools"], [3, 3, 1.5, 1.2, 1.5, 1.2]
    )
    frame = materials.metal(rng) if chance(rng, 0.7) else materials.paint(rng)
    shade = hard(rng)
    dark = materials.rubber(rng)
    w, d, wheel = rng.uniform(0.4, 0.6), rng.uniform(0.6, 1.0), rng.uniform(0.04, 0.075)
    r, handle_y = rng.uniform(0.01, 0.018), rng.uniform(0.85, 1.05)
    grip = shade if chance(rng, 0.5) else materials.plastic(rng)
    trolley = _Trolley(Assembly(), w, d, wheel, wheel * 2.5, r, handle_y, frame, shade, dark, grip)
    if style in ("shelves", "tools"):
        _shelved(rng, trolley, style == "tools")
    else:
        kinds = {"shop": _shopping, "platform": _platform, "handtruck": _hand_truck, "bin": _laundry}
        kinds[style](rng, trolley)
    return trolley.a.pieces


CATEGORIES = {"cart": cart}
