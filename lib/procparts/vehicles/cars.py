# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Build cars: sedans, hatchbacks, estates, SUVs, sports cars, vans, pickups and trucks."""

from dataclasses import dataclass, field

import numpy as np

from procparts.kit import materials
from procparts.kit.fittings import Assembly, chance, pick
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece, Scalar, merge, mirror, move
from procparts.kit.toolkit import box, cylinder, loft, rod, rounded_box, superellipsoid
from procparts.vehicles.car_parts import Plan, draw_plan, line, pane, road_wheel, shoulder, side_panel, skin

OPTIONAL = ["grille", "number_plate", "handle", "mirror", "trunk", "fender"]
LAMP = Material("lamp", None, (0.92, 0.93, 0.88, 1.0), 0.1, 0.1)
TAIL_LAMP = Material("lamp", None, (0.75, 0.05, 0.05, 1.0), 0.1, 0.2)
DARK_GLASS = Material("window", None, (0.08, 0.1, 0.13, 1.0), 0.2, 0.08)


@dataclass
class Build:
    """Hold a car in the making: style, lines and materials, the optional parts named, the body's meshes."""

    rng: np.random.Generator
    style: str
    plan: Plan
    extras: set[str]
    coat: Material
    trim: Material
    metal: Material
    dark: Material
    glass: Material
    out: Assembly = field(default_factory=Assembly)
    shell: list[Mesh] = field(default_factory=list)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Build":
        """Draw a random style with its lines and materials."""
        styles = ["sedan", "hatch", "estate", "suv", "sports", "van", "pickup", "truck", "classic"]
        style = pick(rng, styles, [3, 2.5, 1, 2, 1.5, 1.3, 1.3, 1, 0.8])
        coat = materials.paint(rng)
        return cls(
            rng=rng,
            style=style,
            plan=draw_plan(rng, style),
            extras={str(name) for name in rng.choice(OPTIONAL, int(rng.integers(1, 3)), replace=False)},
            coat=coat,
            trim=coat if chance(rng, 0.6) else materials.plastic(rng),
            metal=materials.metal(rng),
            dark=materials.rubber(rng),
            glass=materials.glass(rng) if chance(rng, 0.5) else DARK_GLASS,
        )

    @property
    def tail(self) -> float:
        """Return z of the rear face."""
        return -self.plan.front + 0.08

    @property
    def nose(self) -> float:
        """Return z of the front face."""
        return self.plan.front - 0.1

    @property
    def load(self) -> bool:
        """Return true where the cab ends before the car does."""
        return self.style in ("pickup", "truck")

    def panel(self, part: str, mesh: Mesh) -> None:
        """Add a body panel: a part of its own where it is among the extras, else a piece of the body."""
        if part in self.extras:
            self.out.add(part, mesh, self.coat)
        else:
            self.shell.append(mesh)


def _top(b: Build) -> None:
    """Add hood, windshield, roof, rear window."""
    p, edge = b.plan, b.plan.roof - 0.02
    hood = line((p.cowl, p.belt), (b.nose, p.hood_front), bulge=0.03)
    b.out.add("hood", skin(p, hood, (0.93, 0.9), 0.05, 0.02), b.coat)
    roof = line((p.top_rear, edge), (p.top_front, edge), bulge=0.03)
    cover = b.coat if chance(b.rng, 0.85) else b.dark
    b.out.add("roof", skin(p, roof, (p.tumble, p.tumble), 0.04, 0.025), cover)
    for part, foot, top in (("windshield", p.cowl - 0.01, p.top_front), ("rear_window", p.deck, p.top_rear)):
        screen = line((foot, p.belt - 0.01), (top, edge), bulge=0.02)
        b.out.add(part, skin(p, screen, (0.93, p.tumble), 0.03), b.glass)


def _frame(b: Build, cuts: np.ndarray) -> None:
    """Add floor, nose, pillars and roof rails; `cuts` are the z of the doors' edges, front to rear."""
    p = b.plan
    inner = max(p.deck, b.tail)
    height = p.belt - p.floor - 0.1
    b.shell += [
        box((p.width * 0.8, 0.06, p.length * 0.9), (0, p.floor + 0.03, 0)),
        box(
            (p.half(p.front * 0.9) * 1.75, p.hood_front - p.floor - 0.06, 0.06),
            (0, (p.hood_front + p.floor) / 2, p.front - 0.14),
        ),
        box(
            (p.width * 0.82, height, (p.cowl - inner) * 0.9), (0, p.floor + height / 2, (p.cowl + inner) / 2)
        ),
    ]
    posts = [(p.cowl, p.top_front), (p.deck, p.top_rear)]
    posts += [(float(z), float(np.clip(z, p.top_rear + 0.05, p.top_front - 0.05))) for z in cuts[1:-1]]
    for s in (-1, 1):
        for low, high in posts:
            foot, head = shoulder(p, low, 0.0) * [s, 1, 1], shoulder(p, high, 1.0) * [s, 1, 1]
            b.shell.append(rod(foot, head, 0.035, sides=6))
        front, rear = (shoulder(p, z, 1.0) * [s, 1, 1] for z in (p.top_front, p.top_rear))
        b.shell.append(rod(front, rear, 0.03, sides=6))


def _flank(b: Build, cuts: np.ndarray, left: bool) -> None:
    """Add one side: fenders, doors with their windows and handles."""
    p, rng = b.plan, b.rng

    def side(mesh: Mesh) -> Mesh:
        return mirror(mesh, "x") if left else mesh

    first, last = float(cuts[0]), float(cuts[-1])
    b.panel("fender", side(side_panel(p, first, b.nose, p.belt - 0.005, p.hood_front - 0.01)))
    end = p.deck if b.style == "truck" else b.tail
    low = {"pickup": p.belt - 0.08, "truck": p.belt}.get(b.style, p.trunk)
    if last - end > 0.1:
        b.panel("fender", side(side_panel(p, end, last, low, p.belt)))
    for k in range(p.doors):
        z1, z0 = float(cuts[k]), float(cuts[k + 1])
        b.out.add("door", side(side_panel(p, z0 + 0.008, z1 - 0.008, p.belt, p.belt)), b.coat)
        high1 = min(z1, p.top_front) if k else p.top_front - 0.02
        high0 = max(z0, p.top_rear + 0.03)
        if high1 - high0 > 0.1:
            foot = (z0, z1 if k else p.cowl - 0.05)
            b.out.add("side_window", side(pane(p, foot, (high0, high1), 0.0)), b.glass)
        if "handle" in b.extras:
            at = (p.half(z0) * 0.995, p.belt - 0.13, z0 + 0.15)
            b.out.add("handle", side(rounded_box((0.04, 0.03, 0.17), 0.012, at)), b.metal)
    rear = p.deck + 0.05
    if b.style != "truck" and last - rear > 0.15:
        quarter = side(pane(p, (rear, last), (p.top_rear + 0.03, max(last, p.top_rear + 0.1)), 0.0))
        if b.style == "pickup" or (b.style == "van" and chance(rng, 0.4)):
            b.shell.append(quarter)
        else:
            b.out.add("side_window", quarter, b.glass)


def _stern(b: Build) -> None:
    """Close the rear: a trunk, a tailgate, a pickup's bed or a truck's load."""
    p, rng, tail = b.plan, b.rng, b.tail
    if b.style == "pickup":
        bed, wall = p.floor + 0.25, p.belt - 0.08
        b.shell += [
            box((p.width * 0.9, 0.05, p.deck - tail), (0, bed, (tail + p.deck) / 2)),
            box((p.width * 0.9, p.belt - bed, 0.06), (0, (p.belt + bed) / 2, p.deck + 0.03)),
        ]
        size = (p.half(tail) * 1.85, wall - p.floor - 0.1, 0.06)
        b.panel("trunk", rounded_box(size, 0.02, (0, (wall + p.floor) / 2 + 0.05, tail)))
    elif b.style == "truck":
        z0, z1 = tail, p.top_rear - 0.25
        deep, middle, deck = z1 - z0, (z0 + z1) / 2, p.floor + 0.28
        b.shell += [
            box((p.width * 0.5, 0.2, p.length * 0.86), (0, p.floor + 0.1, -0.05 * p.length)),
            box((p.width * 0.9, p.belt - p.floor, 0.05), (0, (p.belt + p.floor) / 2, p.deck)),
        ]
        if chance(rng, 0.6):
            high = p.roof * rng.uniform(1.0, 1.3)
            load = rounded_box((p.width * 1.02, high - deck, deep), 0.03, (0, (high + deck) / 2, middle))
        else:
            rail = p.roof * rng.uniform(0.12, 0.2)
            walls = [box((0.04, rail, deep), (s * p.width / 2, deck + rail / 2, middle)) for s in (-1, 1)]
            walls += [box((p.width, rail, 0.04), (0, deck + rail / 2, z)) for z in (z0, z1)]
            load = merge(box((p.width, 0.08, deep), (0, deck, middle)), *walls)
        cover = materials.paint(rng) if chance(rng, 0.7) else b.metal
        b.out.add("trunk" if "trunk" in b.extras else "body", load, cover)
    elif p.deck - tail > 0.25:
        b.panel(
            "trunk", skin(p, line((tail, p.trunk), (p.deck, p.belt), bulge=0.02), (0.9, 0.93), 0.04, 0.02)
        )
        height = p.trunk - p.floor - 0.1
        b.shell.append(box((p.half(tail) * 1.8, height, 0.05), (0, (p.trunk + p.floor) / 2, tail)))
    else:
        size = (p.half(tail) * 1.82, p.belt - p.floor - 0.08, 0.07)
        b.panel("trunk", rounded_box(size, 0.025, (0, (p.belt + p.floor) / 2, min(p.deck, tail + 0.05))))


def _bumper(p: Plan, end: Scalar, deep: Scalar) -> Mesh:
    """Build a bumper wrapped round the end of the car at z = `end`."""
    width, out = p.half(end * 0.95) * 1.02, np.sign(end)
    section = ((0, -0.08), (0, 0.03), (0.5, 0.06), (1, 0.03), (1, -0.08))
    rings = [
        [(k * width, p.floor + q * deep, end - out * (0.06 + 0.16 * abs(k) ** 3 - o)) for q, o in section]
        for k in np.linspace(-1, 1, 11)
    ]
    return loft(rings)


def _ends(b: Build) -> None:
    """Add bumpers, lights, grille, number plates."""
    p, rng = b.plan, b.rng
    deep = rng.uniform(0.16, 0.3)
    low = p.floor + deep
    trim = b.metal if b.style == "classic" else b.trim
    b.out.add("front_bumper", _bumper(p, p.front, deep), trim)
    b.out.add("rear_bumper", _bumper(p, -p.front, deep), trim)
    round_lamp = b.style == "classic" or chance(rng, 0.35)
    w, h = (0.2, 0.2) if round_lamp else (rng.uniform(0.2, 0.42), rng.uniform(0.1, 0.2))
    at = (p.half(b.nose) * 0.93 - w / 2, max(p.hood_front - 0.02 - h / 2, low + h * 0.4), b.nose - 0.02)
    b.out.both("headlight", superellipsoid((w, h, 0.16), 1.0 if round_lamp else 0.6, at, 14), LAMP)
    tall = b.style in ("van", "truck") or chance(rng, 0.4)
    w, h = (0.12, rng.uniform(0.25, 0.4)) if tall else (rng.uniform(0.22, 0.45), rng.uniform(0.1, 0.16))
    top = {"truck": p.floor + 0.5, "pickup": p.belt - 0.08}.get(b.style, p.trunk)
    h = min(h, top - low - 0.01)
    at = (p.half(b.tail) * 0.9 - w / 2, top - h / 2 - 0.01, b.tail - 0.02)
    b.out.both("taillight", superellipsoid((w, h, 0.12), 0.5, at, 14), TAIL_LAMP)
    if "grille" in b.extras:
        w, h = p.width * rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.24)
        y, n = max(p.hood_front - 0.04 - h / 2, low - deep * 0.2), int(rng.integers(3, 8))
        slats = [
            box((w, h / n * 0.5, 0.03), (0, y + h * ((k + 0.5) / n - 0.5), b.nose + 0.005)) for k in range(n)
        ]
        ground = box((w, h, 0.02), (0, y, b.nose - 0.012))
        b.out.add("grille", merge(ground, *slats), b.metal if chance(rng, 0.5) else b.dark)
    if "number_plate" in b.extras:
        print_ = materials.paper_or_label(rng)
        for z in (p.front + 0.005, -p.front - 0.005):
            b.out.add("number_plate", box((0.42, 0.11, 0.012), (0, low - deep * 0.4, z)), print_)


def _fittings(b: Build) -> None:
    """Add wheels, and at times mirrors, wipers, a roof rack, an exhaust."""
    p, rng = b.plan, b.rng
    wide, kind = rng.uniform(0.17, 0.24), int(rng.choice([3, 5, 6, 8, 10]))
    axles = [p.front_axle, p.rear_axle]
    if b.style == "truck" and p.length > 6.5:
        axles.append(p.rear_axle + 2.2 * p.wheel)
    shade, wheel = b.metal if chance(rng, 0.4) else b.dark, road_wheel(p.wheel, wide, kind)
    for z in axles:
        b.out.both("wheel", move(wheel, (p.half(z) - wide / 2 - 0.01, p.wheel, z)), shade)
    if "mirror" in b.extras:
        at = shoulder(p, p.cowl - 0.3, 0.12)
        arm = rod(at - [0.03, 0.02, 0], at + [0.1, 0.01, 0], 0.014, sides=6)
        case = superellipsoid((0.2, 0.13, 0.1), 0.6, at + [0.16, 0.03, 0], 12)
        b.out.both("mirror", merge(arm, case), b.coat if chance(rng, 0.6) else b.dark)
    if b.style != "truck" and chance(rng, 0.25):
        rise, back = (p.roof - p.belt) * 0.25, (p.cowl - p.top_front) * 0.22
        blades = [
            rod((x, p.belt + 0.01, p.cowl + 0.015), (x + 0.45, p.belt + rise, p.cowl - back), 0.012, sides=5)
            for x in (-0.55, 0.0)
        ]
        b.out.add("wiper", merge(*blades), b.dark)
    if b.style in ("suv", "estate") and chance(rng, 0.4):
        x, y = p.half(0) * p.tumble * 0.85, p.roof + 0.05
        bars = [
            rod((s * x, y, p.top_rear + 0.1), (s * x, y, p.top_front - 0.1), 0.02, sides=6) for s in (-1, 1)
        ]
        ends = (p.top_rear + 0.15, p.top_front - 0.15)
        feet = [box((0.03, 0.1, 0.06), (s * x, p.roof, z)) for s in (-1, 1) for z in ends]
        b.out.add("roof_rack", merge(*bars, *feet), b.metal)
    if chance(rng, 0.2):
        end = (p.width * 0.25, p.floor + 0.01, -p.front + 0.06)
        b.out.add("exhaust", cylinder(0.035, 0.25, end, 12, axis="z"), b.metal)


def car(rng: np.random.Generator) -> list[Piece]:
    """Build a car that drives towards +z."""
    b = Build.draw(rng)
    p = b.plan
    stop = max(p.deck, -0.8 * p.front) + (0.15 if p.doors == 2 else 0.45)
    cuts = np.linspace(p.cowl - 0.25, stop, p.doors + 1)
    _top(b)
    _frame(b, cuts)
    for left in (False, True):
        _flank(b, cuts, left)
    _stern(b)
    b.out.add("body", merge(*b.shell), b.coat)
    _ends(b)
    _fittings(b)
    return b.out.pieces


CATEGORIES = {"car": car}
