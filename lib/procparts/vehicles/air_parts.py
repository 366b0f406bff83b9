# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build parts of airplanes: sections of wings and fuselages, jets, propellers, wheels."""

import numpy as np

from procparts.kit.fittings import Assembly
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar, merge, mirror, move, rotate
from procparts.kit.toolkit import box, cylinder, lathe, loft, rod, superellipsoid


def foil(chord: Scalar, thickness: Scalar, n: int = 7) -> np.ndarray:
    """Return a wing section (2n, 2) of (z, y): leading edge at z = 0, trailing edge at z = -chord."""
    t = (1 - np.cos(np.linspace(0, np.pi, n))) / 2
    half = thickness * 2.6 * (0.2969 * np.sqrt(t) - 0.126 * t - 0.3516 * t**2 + 0.2843 * t**3 - 0.095 * t**4)
    z = -t * chord
    return np.concatenate([np.stack([z, half * chord], 1), np.stack([z, -half * chord], 1)[-2:0:-1]])


def wing_half(
    root: np.ndarray,
    span: Scalar,
    chord: Scalar,
    taper: Scalar,
    sweep: Scalar,
    dihedral: Scalar,
    thick: Scalar,
    upright: bool = False,
) -> Mesh:
    """Build a wing half that leaves `root` (its leading edge) along +x, or along +y when upright."""
    rings = []
    for f in (0.0, 0.35, 0.75, 0.97, 1.0):
        c = chord * (1 - (1 - taper) * f) * (0.75 if f == 1.0 else 1.0)
        section = foil(c, thick * (0.5 if f == 1.0 else 1.0))
        z, across = section[:, 0] - np.tan(sweep) * span * f, section[:, 1]
        out = np.full(len(z), span * f)
        ring = [across, out, z] if upright else [out, across + np.tan(dihedral) * span * f, z]
        rings.append(np.stack(ring, axis=1))
    return move(loft(np.stack(rings)), root)


class Body:
    """Describe a fuselage along z, its nose at +length / 2: half width, half height and middle at any z."""

    def __init__(
        self,
        rng: np.random.Generator,
        length: Scalar,
        radius: Scalar,
        nose: Scalar,
        tail: Scalar,
        rise: Scalar,
        flat: Scalar,
    ) -> None:
        self.length, self.radius, self.rise, self.flat = (
            float(length),
            float(radius),
            float(rise),
            float(flat),
        )
        self.nose, self.tail = float(nose), float(tail)
        self.tip = rng.uniform(0.02, 0.25)
        self.end = rng.uniform(0.05, 0.3)
        self.square = rng.choice([1.0, rng.uniform(0.6, 0.95)])

    def at(self, z: Scalar) -> tuple[float, float, float]:
        """Return (half width, half height, height of the middle) of the section at z."""
        half = self.length / 2
        front = np.clip((half - z) / (self.nose * self.length), 0, 1)
        back = np.clip((z + half) / (self.tail * self.length), 0, 1)
        grow = (self.tip + (1 - self.tip) * np.sqrt(1 - (1 - front) ** 2)) * (
            self.end + (1 - self.end) * np.sin(back * np.pi / 2) ** 0.9
        )
        lift = self.rise * (1 - back) ** 1.4 * self.radius - 0.25 * self.radius * (1 - front) ** 2
        return float(self.radius * grow * self.flat), float(self.radius * grow), float(lift)

    def mesh(self) -> Mesh:
        """Build the skin."""
        turn = np.linspace(0, 2 * np.pi, 21)[:-1]
        c, s = np.cos(turn), np.sin(turn)
        c, s = np.sign(c) * np.abs(c) ** self.square, np.sign(s) * np.abs(s) ** self.square
        half = self.length / 2
        z = np.concatenate(
            [
                half - self.nose * self.length * (1 - np.cos(np.linspace(0, np.pi / 2, 7))),
                np.linspace(half - self.nose * self.length, -half, 11)[1:],
            ]
        )
        rings = []
        for k in z:
            w, h, y = self.at(float(k))
            rings.append(np.stack([w * c, y + h * s, np.full(20, k)], axis=1))
        return loft(np.stack(rings))


def windows(
    rng: np.random.Generator,
    a: Assembly,
    body: Body,
    z0: Scalar,
    z1: Scalar,
    n: int,
    up: Scalar,
    glass: Material,
) -> None:
    """Add a row of small windows on either side, let into the skin; one piece per side."""
    size = (z1 - z0) / n * 0.45
    panes = []
    for z in np.linspace(z0, z1, n):
        w, h, y = body.at(float(z))
        turn = np.arcsin(np.clip(up, -0.95, 0.95))
        x = w * np.cos(turn) ** body.square
        pane = superellipsoid((0.06 * body.radius, size * 1.5, size), 0.5, segments=8)
        panes.append(move(rotate(pane, "z", turn * 0.8), (x, y + h * up, z)))
    row = merge(*panes)
    a.add("window", row, glass)
    a.add("window", mirror(row, "x"), glass)


def jet(
    rng: np.random.Generator,
    a: Assembly,
    at: np.ndarray,
    r: Scalar,
    length: Scalar,
    coat: Material,
    metal: Material,
) -> None:
    """Add a turbofan whose intake is at `at`, looking along +z."""
    y = np.array([-1.0, -0.75, -0.4, -0.1, 0.0])
    outer = np.array([0.55, 0.8, 1.0, 0.98, 0.9]) * r
    profile = [*zip(outer, y * length, strict=True), (0.82 * r, -0.02 * length), (0.8 * r, -0.4 * length)]
    shell = lathe([(0.35 * r, -1.0 * length), *profile], 22)
    a.add("engine", move(rotate(shell, "x", np.pi / 2), at), coat)
    n = int(rng.integers(8, 14))
    blades = [
        rotate(rotate(box((0.01 * r, 0.75 * r, 0.16 * r), (0, 0.4 * r, 0)), "y", 0.7), "z", 2 * np.pi * k / n)
        for k in range(n)
    ]
    spinner = rotate(lathe([(0.3 * r, 0), (0.2 * r, 0.2 * r), (0.0, 0.35 * r)], 14), "x", np.pi / 2)
    disc = cylinder(0.8 * r, 0.04 * r, (0, 0, -0.06 * r), 20, axis="z")
    a.add("engine_fan", move(merge(*blades, spinner, disc), at - [0, 0, 0.18 * length]), metal)


def propeller(
    rng: np.random.Generator, a: Assembly, at: np.ndarray, r: Scalar, blades: int, shade: Material
) -> None:
    """Add a propeller whose hub is at `at`."""
    turn = rng.uniform(0, np.pi)
    made = []
    for k in range(blades):
        blade = superellipsoid((r * 0.14, r, r * 0.03), 0.9, (0, r * 0.5, 0), segments=12)
        made.append(rotate(rotate(blade, "y", 0.5), "z", turn + 2 * np.pi * k / blades))
    spinner = rotate(
        lathe([(0, -0.05 * r), (0.13 * r, -0.05 * r), (0.11 * r, 0.08 * r), (0.0, 0.24 * r)], 14),
        "x",
        np.pi / 2,
    )
    a.add("propeller", move(merge(*made, spinner), at), shade)


def wheel_leg(
    a: Assembly,
    top: np.ndarray,
    ground: Scalar,
    r: Scalar,
    twin: bool,
    dark: Material,
    metal: Material,
    cover: Material | None,
) -> None:
    """Add a wheel leg from `top` down to the ground."""
    x, _, z = (float(v) for v in top)
    axle = np.array([x, ground + r, z])
    offsets = (-0.55, 0.55) if twin else (0.0,)
    a.add(
        "wheel",
        merge(*[cylinder(r, r * 0.55, axle + [o * r * 1.3, 0, 0], 16, axis="x") for o in offsets]),
        dark,
    )
    a.add(
        "wheel_strut",
        merge(rod(top, axle + [0, r * 0.2, 0], r * 0.22), rod(axle - [r, 0, 0], axle + [r, 0, 0], r * 0.15)),
        metal,
    )
    if cover is not None:
        a.add(
            "wheel_cover",
            superellipsoid((r * 1.1, r * 1.9, r * 3.6), 0.8, axle + [0, r * 0.35, -r * 0.3], 14),
            cover,
        )
