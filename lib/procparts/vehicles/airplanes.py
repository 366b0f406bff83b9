# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build airplanes: airliner, business jet, propeller plane, twin, fighter, glider, biplane."""

from dataclasses import dataclass, field

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, lathe, rod, superellipsoid
from procparts.vehicles.air_parts import Body, jet, propeller, wheel_leg, windows, wing_half


@dataclass(frozen=True)
class Style:
    """Hold means of a style, lengths as shares of the fuselage's."""

    weight: float
    slender: float  # radius of the fuselage
    nose: float
    tail: float
    span: float  # of one wing
    chord: float
    sweep: tuple[float, float]  # radians
    taper: tuple[float, float]
    high: float  # chance of wings on top
    tail_chord: float = 0.75  # share of the wing's
    fin: float = 0.16
    tailplane: float = 0.36  # share of the wing's span


STYLES = {
    "airliner": Style(3.0, 0.055, 0.14, 0.38, 0.5, 0.19, (0.35, 0.6), (0.1, 0.35), 0.15),
    "private_jet": Style(1.5, 0.06, 0.14, 0.55, 0.48, 0.17, (0.35, 0.6), (0.1, 0.35), 0.1),
    "propeller": Style(2.5, 0.075, 0.14, 0.55, 0.62, 0.17, (-0.03, 0.08), (0.5, 1.0), 0.5),
    "twin": Style(1.5, 0.07, 0.14, 0.55, 0.6, 0.17, (-0.03, 0.08), (0.5, 1.0), 0.4),
    "fighter": Style(2.0, 0.055, 0.3, 0.25, 0.32, 0.36, (0.5, 0.85), (0.1, 0.35), 0.1, 0.55, 0.15, 0.5),
    "glider": Style(1.0, 0.05, 0.2, 0.55, 1.0, 0.1, (-0.03, 0.08), (0.5, 1.0), 0.6, 0.9, 0.14, 0.2),
    "biplane": Style(1.5, 0.07, 0.14, 0.55, 0.62, 0.17, (-0.03, 0.08), (0.5, 1.0), 0.0),
}
DARK_GLASS = Material("window", None, (0.1, 0.13, 0.18, 1.0), 0.2, 0.1)
LENGTH = 4.0


@dataclass
class Build:
    """Hold an airplane in the making, its fuselage 4 units long: the lines of its wings and its materials."""

    rng: np.random.Generator
    style: str
    body: Body
    r: float  # radius of the fuselage
    high: bool
    span: float
    chord: float
    sweep: float
    taper: float
    dihedral: float
    front: float  # z of the wing root's leading edge
    coat: Material
    second: Material
    metal: Material
    dark: Material
    glass: Material
    out: Assembly = field(default_factory=Assembly)
    ground: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Build":
        """Draw a random style with its lines and materials."""
        style = pick(rng, list(STYLES), [s.weight for s in STYLES.values()])
        mean = STYLES[style]

        def about(value: float, spread: float = 0.15) -> float:
            return LENGTH * value * rng.uniform(1 - spread, 1 + spread)

        r, chord = about(mean.slender), about(mean.chord)
        nose, flat = mean.nose * rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.05)
        metal = materials.metal(rng)
        coat = metal if chance(rng, 0.15) else materials.paint(rng)
        return cls(
            rng=rng,
            style=style,
            body=Body(rng, LENGTH, r, nose, mean.tail, rng.uniform(0.2, 0.6), flat),
            r=r,
            high=chance(rng, mean.high),
            span=about(mean.span),
            chord=chord,
            sweep=rng.uniform(*mean.sweep),
            taper=rng.uniform(*mean.taper),
            dihedral=rng.uniform(0.0, 0.05 if style == "biplane" else 0.12),
            front=0.0 if style == "fighter" else LENGTH * rng.uniform(0.08, 0.16),
            coat=coat,
            second=coat if chance(rng, 0.6) else materials.paint(rng),
            metal=metal,
            dark=materials.rubber(rng),
            glass=DARK_GLASS if chance(rng, 0.6) else materials.glass(rng),
            ground=-r * (1.25 if style == "glider" else rng.uniform(1.6, 2.2)),
        )

    @property
    def jetlike(self) -> bool:
        return self.style in ("airliner", "private_jet")

    @property
    def root(self) -> float:
        """Return the height of the wing root."""
        return self.body.at(self.front - self.chord / 2)[2] + self.r * (0.85 if self.high else -0.55)

    def on_wing(self, share: Scalar) -> np.ndarray:
        """Return the point on the right wing's leading edge at a share of its span."""
        out = self.span * share
        return np.array([out, self.root + np.tan(self.dihedral) * out, self.front - np.tan(self.sweep) * out])


def _wings(b: Build) -> None:
    """Add wings, at times with raised tips; a second pair and struts on a biplane."""

    def half(at: np.ndarray) -> Mesh:
        return wing_half(at, b.span, b.chord, b.taper, b.sweep, b.dihedral, 0.12)

    base = np.array([0, b.root, b.front])
    b.out.both("wing", half(base), b.second)
    if b.jetlike and chance(b.rng, 0.5):
        end = b.on_wing(1.0)
        fin = wing_half(end * [0.99, 1, 1], b.chord * 0.35, b.chord * b.taper * 0.8, 0.4, 0.6, 0, 0.08, True)
        b.out.both("fairing", rotate(fin, "z", -0.25, end), b.second)
    if b.style == "biplane":
        rise = np.array([0, b.r * b.rng.uniform(2.0, 2.6), b.chord * 0.2])
        b.out.both("wing", half(base + rise), b.second)
        for share in (0.12, 0.7) if chance(b.rng, 0.7) else (0.12, 0.45, 0.8):
            for back in (0.25, 0.75):
                foot = b.on_wing(share) - [0, 0, b.chord * back]
                b.out.both("wing_strut", rod(foot, foot + rise, b.r * 0.05), b.metal)
    elif b.high and b.style in ("propeller", "twin") and chance(b.rng, 0.7):
        low = (b.r * 0.6, -b.r * 0.6, b.front - b.chord * 0.3)
        b.out.both("wing_strut", rod(low, b.on_wing(0.45) - [0, 0, b.chord * 0.3], b.r * 0.06), b.metal)


def _tail(b: Build) -> None:
    """Add one fin or a pair of them, and a tailplane, low or on top of the fin."""
    rng, mean = b.rng, STYLES[b.style]
    chord, height = b.chord * mean.tail_chord, LENGTH * mean.fin * rng.uniform(0.8, 1.2)
    z = -LENGTH / 2 + chord * 1.05
    _, h, middle = b.body.at(z - chord * 0.5)
    foot = np.array([0, middle + h * 0.4, z])
    for s in (-1, 1) if b.style == "fighter" and chance(rng, 0.45) else (0,):
        taper, sweep = rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.7)
        fin = wing_half(foot, height, chord * 1.1, taper, sweep, 0, 0.1, True)
        leant = move(rotate(fin, "z", -0.25 * s, (0, middle, 0)), (s * b.r * 0.7, 0, 0))
        b.out.add("vertical_stabilizer", leant, b.second)
    tee = b.style in ("glider", "private_jet") and chance(rng, 0.7)
    at = foot + [0, height * 0.97, -height * 0.45] if tee else foot - [0, h * 0.3, 0]
    stab = wing_half(
        at, b.span * mean.tailplane, chord * 0.85, max(b.taper, 0.4), b.sweep * 0.9, rng.uniform(0, 0.1), 0.1
    )
    b.out.both("horizontal_stabilizer", stab, b.second)


def _jets(b: Build) -> None:
    """Add turbofans under the wings or at the rear, rows of windows, doors."""
    rng, a = b.rng, b.out
    r, length = b.r * rng.uniform(0.42, 0.6), LENGTH * rng.uniform(0.09, 0.13)
    cover = b.coat if chance(rng, 0.5) else b.metal
    if b.style == "airliner" and chance(rng, 0.85):
        for share in (0.33,) if chance(rng, 0.7) else (0.28, 0.55):
            at = b.on_wing(share) + [0, -r * 1.25, length * 0.55]
            for s in (-1, 1):
                jet(rng, a, at * [s, 1, 1], r, length, cover, b.metal)
            a.both("pylon", box((r * 0.18, r * 0.9, length * 0.9), at + [0, r * 0.85, -length * 0.6]), b.coat)
        b.ground = min(b.ground, b.root - r * 2.6)
    else:
        z = -LENGTH * 0.2
        w, h, middle = b.body.at(z)
        for s in (-1, 1):
            jet(rng, a, np.array([s * (w + r * 1.15), middle + h * 0.4, z]), r, length, cover, b.metal)
            hold = (s * (w + r * 0.1), middle + h * 0.4, z - length * 0.5)
            a.add("pylon", box((r * 1.1, r * 0.25, length * 0.6), hold), b.coat)
    n = int(rng.integers(9, 20)) if b.style == "airliner" else int(rng.integers(4, 8))
    windows(rng, a, b.body, -LENGTH * 0.28, LENGTH * 0.27, n, 0.2, b.glass)
    w, h, middle = b.body.at(LENGTH * 0.31)
    hatch = (0.06 * b.r, b.r * 0.85, b.r * 0.45)
    place = (w * 0.985, middle + h * 0.05, LENGTH * 0.31)
    a.both("door", superellipsoid(hatch, 0.3, place, 12), b.metal)


def _fighter(b: Build) -> None:
    """Add nozzles, intakes, missiles."""
    rng, r = b.rng, b.r
    rear = -LENGTH / 2
    profile = [
        (r * 0.45, -r * 0.9),
        (r * 0.62, 0),
        (r * 0.62, r * 0.5),
        (r * 0.5, r * 0.5),
        (r * 0.4, -r * 0.7),
    ]
    nozzle = rotate(lathe(profile, 18), "x", np.pi / 2)
    for s in (-1, 1) if chance(rng, 0.5) else (0,):
        b.out.add("engine", move(nozzle, (s * r * 0.5, b.body.at(rear + r)[2], rear + r * 0.1)), b.metal)
    if chance(rng, 0.8):
        intake = superellipsoid(
            (r * 0.7, r * 0.9, LENGTH * 0.28), 0.4, (r * 0.95, -r * 0.15, LENGTH * 0.05), 14
        )
        b.out.both("fairing", intake, b.coat)
    if chance(rng, 0.6):
        missile = rotate(lathe([(0, -r), (r * 0.1, -r), (r * 0.1, r * 0.7), (0, r)], 10), "x", np.pi / 2)
        at = b.on_wing(0.55) - [0, r * 0.25, b.chord * 0.2]
        holder = box((0.04 * r, 0.3 * r, r * 0.6), at + [0, 0.13 * r, 0])
        b.out.both("pylon", merge(move(missile, at), holder), b.metal)


def _propellers(b: Build) -> None:
    """Add piston engines: one in the nose, or one on each wing."""
    rng, r = b.rng, b.r
    if b.style == "twin":
        size, blades = r * rng.uniform(0.9, 1.2), int(rng.integers(2, 5))
        for s in (-1, 1):
            at = (b.on_wing(0.3) + [0, 0, b.chord * 0.45]) * [s, 1, 1]
            pod = superellipsoid((r * 0.85, r * 0.85, b.chord * 1.3), 0.85, at - [0, 0, b.chord * 0.5], 18)
            b.out.add("engine", pod, b.second)
            propeller(rng, b.out, at + [0, 0, b.chord * 0.16], size, blades, b.dark)
        windows(rng, b.out, b.body, -LENGTH * 0.15, LENGTH * 0.2, int(rng.integers(3, 7)), 0.35, b.glass)
        return
    _, h, middle = b.body.at(LENGTH / 2 - r * 0.2)
    hub = np.array([0, middle, LENGTH / 2])
    profile = [(h * 0.8, -r * 0.9), (h * 1.12, -r * 0.7), (h * 1.1, 0), (h * 0.75, r * 0.18), (0, r * 0.2)]
    cowl = move(rotate(lathe(profile, 22), "x", np.pi / 2), hub - [0, 0, r * 0.15])
    b.out.add("engine", cowl, b.metal if chance(rng, 0.5) else b.second)
    shade = b.dark if chance(rng, 0.5) else materials.wood(rng)
    blades = int(rng.choice([2, 2, 3, 4]))
    propeller(rng, b.out, hub + [0, 0, r * 0.12], r * rng.uniform(1.2, 1.7), blades, shade)


def _cockpit(b: Build) -> None:
    """Add a windshield let into the nose, a glazed cabin or a canopy."""
    rng, r = b.rng, b.r
    if b.jetlike or b.style == "twin":
        z = LENGTH / 2 - b.body.nose * LENGTH * rng.uniform(0.45, 0.6)
        w, h, middle = b.body.at(z)
        size, exponent, at = (w * 1.7, h * 0.55, r * 0.9), 0.6, (0, middle + h * 0.62, z)
    else:
        z = {"fighter": LENGTH * 0.22, "glider": LENGTH * 0.26}.get(b.style, LENGTH * rng.uniform(0.0, 0.12))
        w, h, middle = b.body.at(z)
        if b.high and b.style == "propeller":
            size, exponent = (w * 2.05, r * 0.75, r * 2.6), 0.35
            at = (0, middle + h * 0.7, b.front - b.chord * 0.2)
        else:
            size, exponent = (w * 1.3, r * 1.1, r * rng.uniform(2.2, 3.4)), 0.9
            at = (0, middle + h * 0.85, z)
    b.out.add("window", superellipsoid(size, exponent, at, 18), b.glass)


def _undercarriage(b: Build) -> None:
    """Add three wheel legs with a nose or a tail wheel; one wheel under a glider; or wheels up."""
    rng, r = b.rng, b.r
    if b.style == "glider":
        if chance(rng, 0.7):
            wheel_leg(
                b.out, np.array([0, -r * 0.6, LENGTH * 0.1]), -r * 1.4, r * 0.35, False, b.dark, b.metal, None
            )
        return
    if chance(rng, 0.25):
        return
    spat = b.second if b.style in ("propeller", "biplane") and chance(rng, 0.5) else None
    size = r * (0.3 if b.jetlike else 0.36)
    nose_wheel = b.style != "biplane" and chance(rng, 0.75)
    spread = max(b.span * 0.12 if b.jetlike or b.style == "fighter" else r * 1.3, r * 0.5)
    z = b.front - b.chord * (0.75 if nose_wheel else 0.25)
    under = -r * 0.4 if b.high else b.root
    for s in (-1, 1):
        wheel_leg(b.out, np.array([s * spread, under, z]), b.ground, size, b.jetlike, b.dark, b.metal, spat)
    far = LENGTH * (0.36 if nose_wheel else -0.44)
    _, h, middle = b.body.at(far)
    ground = b.ground if nose_wheel else middle - h - size * 1.5
    third = size * (0.85 if nose_wheel else 0.6)
    at = np.array([0, middle - h * 0.8, far])
    wheel_leg(b.out, at, ground, third, b.jetlike, b.dark, b.metal, spat)


def airplane(rng: np.random.Generator) -> list[Piece]:
    """Build an airplane that flies towards +z."""
    b = Build.draw(rng)
    b.out.add("fuselage", b.body.mesh(), b.coat)
    _wings(b)
    _tail(b)
    if b.jetlike:
        _jets(b)
    elif b.style == "fighter":
        _fighter(b)
    elif b.style != "glider":
        _propellers(b)
    _cockpit(b)
    _undercarriage(b)
    if chance(rng, 0.25):
        mast = rod((0, b.r * 0.8, 0), (0, b.r * 1.45, -b.r * 0.2), b.r * 0.03, b.r * 0.012)
        b.out.add("antenna", mast, b.metal)
    return b.out.pieces


CATEGORIES = {"airplane": airplane}
