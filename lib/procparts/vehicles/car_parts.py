"""Draw the lines of a car, and build the panels, panes and wheels that follow from them."""

from dataclasses import dataclass

import numpy as np

from procparts.kit.fittings import chance
from procparts.kit.mesh import Mesh, Scalar, merge, move, rotate
from procparts.kit.toolkit import box, curved_sheet, extrude, lathe


@dataclass
class Plan:
    """Hold the lines of a car in meters: z runs forwards from the middle, y upwards from the ground."""

    length: float
    width: float
    floor: float  # underside
    belt: float  # lower edge of the side windows
    roof: float
    hood_front: float  # height of the hood's front edge
    cowl: float  # z of the foot of the windshield
    top_front: float  # z of the front edge of the roof
    top_rear: float  # z of the rear edge of the roof
    deck: float  # z of the foot of the rear window
    trunk: float  # height of the trunk lid at the rear
    wheel: float
    front_axle: float
    rear_axle: float
    doors: int
    tumble: float  # width of the roof as a share of the body's

    @property
    def front(self) -> float:
        """Return z of the nose."""
        return self.length / 2

    def bow(self, z: Scalar) -> float:
        """Return the narrowing of the body at z, in meters, compared with its widest."""
        f = abs(float(z)) / (self.length / 2)
        return 1 - 0.1 * max(f - 0.45, 0.0) ** 2 / 0.3

    def half(self, z: Scalar) -> float:
        """Return half the width at z."""
        return self.width / 2 * self.bow(z)


def draw_plan(rng: np.random.Generator, style: str) -> Plan:
    """Draw random lines of a style."""

    def u(a: Scalar, b: Scalar) -> float:
        return float(rng.uniform(a, b))

    length = {
        "sedan": u(4.4, 5.1),
        "hatch": u(3.6, 4.3),
        "estate": u(4.4, 4.9),
        "suv": u(4.2, 5.0),
        "sports": u(4.0, 4.7),
        "van": u(4.3, 5.6),
        "pickup": u(4.8, 5.7),
        "truck": u(5.5, 7.5),
        "classic": u(3.8, 4.8),
    }[style]
    height = {
        "sedan": u(1.4, 1.52),
        "hatch": u(1.42, 1.6),
        "estate": u(1.42, 1.55),
        "suv": u(1.65, 1.9),
        "sports": u(1.1, 1.3),
        "van": u(1.8, 2.4),
        "pickup": u(1.7, 1.9),
        "truck": u(2.2, 2.8),
        "classic": u(1.35, 1.65),
    }[style]
    width = u(1.65, 1.9) * (1.12 if style == "truck" else 1.0)
    wheel = {"suv": u(0.36, 0.42), "pickup": u(0.37, 0.43), "truck": u(0.42, 0.5)}.get(style, u(0.29, 0.35))
    floor = wheel * (0.75 if style in ("suv", "pickup", "truck") else 0.6)
    belt = floor + (height - floor) * (u(0.5, 0.58) if style != "sports" else u(0.55, 0.62))
    h = length / 2
    cowl = {
        "van": u(0.62, 0.75),
        "truck": u(0.85, 0.92),
        "sports": u(0.2, 0.32),
        "classic": u(0.3, 0.42),
    }.get(style, u(0.36, 0.46)) * h
    rake = {"van": u(0.3, 0.6), "truck": u(0.1, 0.3), "sports": u(0.7, 1.0), "classic": u(0.2, 0.45)}.get(
        style, u(0.5, 0.8)
    )
    top_front = cowl - rake * (height - belt) * 1.35
    if style in ("sedan", "classic", "sports"):
        top_rear, deck = u(-0.38, -0.25) * h, u(-0.68, -0.58) * h
        trunk = belt - u(0.0, 0.08)
        if style == "sports":
            top_rear, deck = u(-0.3, -0.15) * h, u(-0.8, -0.6) * h
    elif style in ("pickup", "truck"):
        top_rear = top_front - u(0.9, 1.6) * (0.75 if style == "truck" else 1.0)
        deck, trunk = top_rear - 0.12, belt
    else:
        top_rear = u(-0.86, -0.7) * h
        deck, trunk = top_rear - u(0.1, 0.45) * 0.45, belt
        deck = max(deck, -h * 0.97)
    four = style in ("sedan", "estate", "suv") or (
        style in ("hatch", "pickup", "classic") and chance(rng, 0.5)
    )
    front_axle = h - u(0.16, 0.2) * length
    if style in ("van", "truck"):
        front_axle = h - wheel * u(1.6, 2.2)
    return Plan(
        length=length,
        width=width,
        floor=floor,
        belt=belt,
        roof=height,
        hood_front=min(belt, max(belt - u(0.02, 0.2) * (1.4 if style == "sports" else 0.6), 2.3 * wheel)),
        cowl=cowl,
        top_front=top_front,
        top_rear=top_rear,
        deck=deck,
        trunk=trunk,
        wheel=wheel,
        front_axle=front_axle,
        rear_axle=-h + u(0.17, 0.23) * length,
        doors=2 if four else 1,
        tumble=u(0.88, 0.96) if style in ("van", "truck") else u(0.72, 0.9),
    )


def skin(p: Plan, line: np.ndarray, share: tuple[float, float], crown: Scalar, thick: Scalar = 0.0) -> Mesh:
    """Build a sheet across the car along a line (n, 2) of (z, y); `share` is its width at both ends."""
    s = np.linspace(-1, 1, 9)
    widths = np.array([p.half(z) for z in line[:, 0]]) * np.linspace(share[0], share[1], len(line))
    x = widths[:, None] * s
    y = line[:, 1:] - crown * (np.abs(s) ** 2.5)
    grid = np.stack([x, y, np.broadcast_to(line[:, :1], x.shape)], axis=-1)
    sheet = curved_sheet(grid)
    if (sheet.cross() @ np.array([0, 1, 0.0])).sum() < 0 or (
        abs(line[0, 1] - line[-1, 1]) > abs(line[0, 0] - line[-1, 0]) * 4
        and (sheet.cross()[:, 2] * np.sign(line[:, 0].mean())).sum() < 0
    ):
        sheet = sheet.flipped()
    return merge(sheet, move(sheet, (0, -thick, 0)).flipped()) if thick else sheet


def line(*points: tuple[float, float], bulge: Scalar = 0.0, n: int = 7) -> np.ndarray:
    """Return a line (n, 2) between two points, bulging upwards."""
    t = np.linspace(0, 1, n)[:, None]
    a, b = np.array(points[0]), np.array(points[1])
    return a + (b - a) * t + np.array([0, 1]) * bulge * (4 * t * (1 - t))


def side_panel(p: Plan, z0: Scalar, z1: Scalar, top0: Scalar, top1: Scalar, thick: Scalar = 0.03) -> Mesh:
    """Build the side panel at +x between two z, from sill to the heights given, wheel arches cut out."""
    lower = p.floor + 0.02
    cut = p.wheel * 1.16
    bottom = [(z, lower) for z in np.linspace(z0, z1, 9)]
    for axle in (p.front_axle, p.rear_axle):
        reach = np.sqrt(max(cut**2 - (lower - p.wheel) ** 2, 0.01))
        a, b = max(axle - reach, z0), min(axle + reach, z1)
        if b - a > 0.05:
            arch = [(z, p.wheel + np.sqrt(max(cut**2 - (z - axle) ** 2, 0.0))) for z in np.linspace(a, b, 11)]
            limit = min(top0, top1) - 0.06
            arch = [(z, float(np.clip(y, lower, limit))) for z, y in arch]
            bottom = [q for q in bottom if q[0] < a - 1e-3] + arch + [q for q in bottom if q[0] > b + 1e-3]
    top = [(z, top1 + (top0 - top1) * (z1 - z) / (z1 - z0)) for z in np.linspace(z1, z0, 9)]
    mesh = extrude(np.array(bottom + top), thick, "x")
    z, y = mesh.vertices[:, 2], mesh.vertices[:, 1]
    half = np.array([p.half(k) for k in z])
    tuck = 1 - 0.05 * ((y - (p.floor + p.belt) / 2) / (p.belt - p.floor)) ** 2
    mesh.vertices[:, 0] += half * tuck - thick / 2
    return mesh


def shoulder(p: Plan, z: Scalar, up: Scalar) -> np.ndarray:
    """Return a point on the greenhouse's side: `up` runs from 0 at the belt to 1 at the roof."""
    return np.array([p.half(z) * (0.97 + (p.tumble - 0.97) * up), p.belt + (p.roof - 0.03 - p.belt) * up, z])


def pane(p: Plan, low: tuple[float, float], high: tuple[float, float], inset: Scalar) -> Mesh:
    """Build a side window between two z at the belt and two z at the roof."""
    t = np.linspace(0.04, 0.96, 5)
    grid = np.empty((5, 5, 3))
    for i, up in enumerate(t):
        z0, z1 = low[0] + (high[0] - low[0]) * up, low[1] + (high[1] - low[1]) * up
        for j, f in enumerate(t):
            grid[i, j] = shoulder(p, z0 + (z1 - z0) * f, up) - [inset, 0, 0]
    sheet = curved_sheet(grid)
    return sheet if sheet.cross()[:, 0].sum() > 0 else sheet.flipped()


def road_wheel(r: Scalar, wide: Scalar, kind: int) -> Mesh:
    """Build a tire with a rim, its axle along x, its outer side to +x."""
    h = wide / 2
    tire = lathe(
        [
            (r * 0.62, -h),
            (r * 0.92, -h),
            (r, -h * 0.7),
            (r, h * 0.7),
            (r * 0.92, h),
            (r * 0.62, h),
            (r * 0.6, h * 0.4),
            (r * 0.6, -h * 0.4),
        ],
        24,
        True,
    )
    disc = lathe(
        [
            (0, -h * 0.2),
            (r * 0.62, -h * 0.2),
            (r * 0.62, h * 0.5),
            (r * 0.55, h * 0.3),
            (r * 0.2, h * 0.35),
            (r * 0.14, h * 0.8),
            (0, h * 0.85),
        ],
        24,
    )
    spokes = []
    if kind > 3:
        spokes = [
            rotate(box((r * 0.5, h * 0.5, r * 0.12), (r * 0.35, h * 0.6, 0)), "y", 2 * np.pi * k / kind)
            for k in range(kind)
        ]
    return rotate(merge(tire, disc, *spokes), "z", -np.pi / 2)
