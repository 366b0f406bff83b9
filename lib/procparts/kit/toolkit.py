"""Build primitives: solids by trimesh, and own ones for tubes, lofts and rounded boxes.

trimesh's sweep keeps neither the bar's width at mitred corners nor a radius that varies, and it has no
loft, bevel or superellipsoid. Faces of closed primitives look outwards.
"""

import numpy as np
import shapely
from trimesh import Trimesh, creation

from procparts.kit.mesh import Mesh, Scalar, Vector, move, rotate, scale

MILLIMETERS = 1e3
"""trimesh drops faces below 1e-8 square units; in millimeters no part is as small."""


def _laid(solid: Trimesh, order: list[int]) -> Mesh:
    """Return the arrays of a solid with its axes in another order, its faces looking outwards."""
    faces, odd = np.asarray(solid.faces), order in ([0, 2, 1], [2, 1, 0])
    return Mesh(np.asarray(solid.vertices)[:, order], faces[:, ::-1] if odd else faces)


CUBE = _laid(creation.box(), [0, 1, 2])


def _oriented(mesh: Mesh, axis: str) -> Mesh:
    """Return a mesh made along y, laid along `axis`."""
    if axis == "y":
        return mesh
    return rotate(mesh, "z", -np.pi / 2) if axis == "x" else rotate(mesh, "x", np.pi / 2)


def curved_sheet(points: Vector) -> Mesh:
    """Build an open sheet through a grid of points (u, v, 3), looking along d/du x d/dv.

    Raises:
        ValueError: the grid has not two rows and two columns of points.
    """
    grid = np.asarray(points, dtype=float)
    if grid.ndim != 3 or grid.shape[2] != 3 or min(grid.shape[:2]) < 2:
        raise ValueError(f"curved_sheet: expected a grid of points (u >= 2, v >= 2, 3), got {grid.shape}")
    index = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    sheet = Mesh(grid.reshape(-1, 3), np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3))
    return Mesh(sheet.vertices, sheet.faces[np.linalg.norm(sheet.cross(), axis=1) > 1e-14])


def _capped(rows: np.ndarray) -> np.ndarray:
    """Return a grid of closed rings (k, n, 3) with a ring before and after that is the end's middle."""
    first, last = (np.broadcast_to(ring[:-1].mean(axis=0), ring.shape) for ring in (rows[0], rows[-1]))
    return np.stack([first, *rows, last])


def box(size: Vector, center: Vector = (0, 0, 0), bevel: Scalar = 0.0) -> Mesh:
    """Build a box of full side lengths `size`; `bevel` is the length cut off its edges, in meters."""
    if bevel > 0:
        return _soft_box(size, bevel, center, 2)
    return move(scale(CUBE, size), center)


def rounded_box(size: Vector, radius: Scalar, center: Vector = (0, 0, 0)) -> Mesh:
    """Build a box with round edges and corners of `radius` (cut down to fit)."""
    return _soft_box(size, radius, center, 4)


def _soft_box(size: Vector, radius: Scalar, center: Vector, steps: int) -> Mesh:
    """Build a sphere of 4 * `steps` segments whose octants are moved apart to the corners of a box."""
    half = np.asarray(size, dtype=float) / 2
    radius = min(float(radius), 0.98 * float(half.min()))
    quarter = np.linspace(0, np.pi / 2, steps + 1)
    phi = np.concatenate([quarter - np.pi / 2, quarter])[:, None]
    theta = np.concatenate([*(quarter + k * np.pi / 2 for k in range(4)), [0.0]])
    sides = np.repeat([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]], [*[steps + 1] * 4, 1], axis=0)
    corner = np.broadcast_arrays(sides[:, 0], np.repeat([-1, 1], steps + 1)[:, None], sides[:, 1])
    ball = np.broadcast_arrays(np.cos(phi) * np.cos(theta), np.sin(phi), np.cos(phi) * np.sin(theta))
    points = np.stack(corner, axis=-1) * (half - radius) + np.stack(ball, axis=-1) * radius
    return move(curved_sheet(_capped(points)), center)


def lathe(profile: Vector, segments: int = 32, close: bool = False, angle: Scalar = 2 * np.pi) -> Mesh:
    """Turn a profile (n, 2) of (radius, y) about the y axis.

    Walk the outer wall upwards (and an inner wall down) for faces that look outwards. `close` joins the last
    point to the first, which makes a ring, and puts its faces outside whichever way the profile runs. Such a
    ring may turn by an `angle` in radians below a full circle; its ends are closed.
    """
    points = np.asarray(profile, dtype=float)
    if close:
        ring = shapely.Polygon(points)
        points = np.asarray(shapely.geometry.polygon.orient(ring).exterior.coords)
    whole = angle > 2 * np.pi - 1e-6
    turn = None if whole else float(angle)
    solid = creation.revolve(points * MILLIMETERS, turn, cap=not whole, sections=segments, process=False)
    return scale(_laid(solid, [0, 2, 1]), 1 / MILLIMETERS)


def cylinder(
    radius: Scalar,
    height: Scalar,
    center: Vector = (0, 0, 0),
    segments: int = 24,
    top_radius: Scalar | None = None,
    caps: bool = True,
    axis: str = "y",
) -> Mesh:
    """Build a cylinder, or a cone cut off at `top_radius` at its + end, about `center`."""
    top, h = float(radius if top_radius is None else top_radius), float(height) / 2
    profile = [(float(radius), -h), (top, h)]
    if caps:
        profile = [(0.0, -h), *profile, (0.0, h)]
    return move(_oriented(lathe(profile, segments), axis), center)


def sphere(
    radius: Scalar, center: Vector = (0, 0, 0), squash: Vector = (1, 1, 1), segments: int = 20
) -> Mesh:
    """Build a sphere, its axes multiplied by `squash`."""
    profile = arc(radius, -np.pi / 2, np.pi / 2, max(segments // 2, 3))
    profile[[0, -1], 0] = 0
    return move(scale(lathe(profile, segments), squash), center)


def superellipsoid(size: Vector, exponent: Scalar, center: Vector = (0, 0, 0), segments: int = 24) -> Mesh:
    """Build a superellipsoid of full side lengths `size`: exponent 1 is an ellipsoid, 0.2 nearly a box."""
    phi = np.linspace(-np.pi / 2, np.pi / 2, max(segments // 2, 4) + 1)[:, None]
    theta = np.linspace(0, 2 * np.pi, segments + 1)

    def power(value: np.ndarray) -> np.ndarray:
        small = np.where(np.abs(value) < 1e-9, 0.0, value)
        return np.sign(small) * np.abs(small) ** float(exponent)

    ring = power(np.cos(phi))
    unit = np.broadcast_arrays(ring * power(np.cos(theta)), power(np.sin(phi)), ring * power(np.sin(theta)))
    return move(scale(curved_sheet(np.stack(unit, axis=-1)), np.asarray(size, dtype=float) / 2), center)


def torus(
    major: Scalar,
    minor: Scalar,
    center: Vector = (0, 0, 0),
    axis: str = "y",
    arc: Scalar = 2 * np.pi,
    segments: int = 28,
    sides: int = 10,
) -> Mesh:
    """Build a ring of radius `major`, its bar of radius `minor`, about `axis`; an `arc` in radians is capped.

    `segments` count a full circle.
    """
    turn = np.linspace(0, 2 * np.pi, sides + 1)[:-1]
    bar = np.stack([major + minor * np.cos(turn), minor * np.sin(turn)], axis=1)
    ring = lathe(bar, max(int(segments * float(arc) / (2 * np.pi)), 3), close=True, angle=arc)
    return move(_oriented(ring, axis), center)


def tube(
    path: Vector, radius: Scalar | Vector, segments: int = 10, closed: bool = False, caps: bool = True
) -> Mesh:
    """Build a round bar of `radius` (one, or one per point) along a polyline (n, 3), mitred at its corners.

    Raises:
        ValueError: the path has not two different points.
    """
    points = np.asarray(path, dtype=float)
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-9
    radii = np.broadcast_to(np.asarray(radius, dtype=float), (len(points),))[keep]
    points = points[keep]
    if len(points) < 2:
        raise ValueError("tube: expected a path of at least two different points")
    if closed:
        points, radii = np.concatenate([points, points[:1]]), np.append(radii, radii[0])
    n = len(points)
    legs = np.diff(points, axis=0)
    legs /= np.linalg.norm(legs, axis=1, keepdims=True)
    before = np.concatenate([legs[-1:] if closed else legs[:1], legs])
    after = np.concatenate([legs, legs[:1] if closed else legs[-1:]])
    mitre = before + after
    size = np.linalg.norm(mitre, axis=1, keepdims=True)
    mitre = np.where(size > 0.6, mitre / np.maximum(size, 1e-9), before)
    normals = np.empty((n, 3))
    normal = np.cross(before[0], np.eye(3)[np.argmin(np.abs(before[0]))])
    for k in range(n):
        normal = normal - (normal @ before[k]) * before[k]
        normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
        normals[k] = normal
    side = np.cross(before, normals)
    twist = np.zeros(n)
    if closed:
        gap = np.arctan2(normals[-1] @ side[0], normals[-1] @ normals[0])
        twist = -gap * np.arange(n) / (n - 1)
    angle = np.linspace(0, 2 * np.pi, segments + 1)[None, :] + twist[:, None]
    ring = np.cos(angle)[..., None] * normals[:, None] + np.sin(angle)[..., None] * side[:, None]
    lean = (ring * mitre[:, None]).sum(-1) / (before * mitre).sum(-1)[:, None]
    ring = ring - lean[..., None] * before[:, None]
    grid = points[:, None] + radii[:, None, None] * ring
    return curved_sheet(grid if closed or not caps else _capped(grid)).flipped()


def loft(sections: Vector, caps: bool = True) -> Mesh:
    """Build a skin over closed rings (k, n, 3), all walked the same way from matching starts, facing out."""
    rings = np.asarray(sections, dtype=float)
    rings = np.concatenate([rings, rings[:, :1]], axis=1)
    solid = curved_sheet(_capped(rings))
    skin = solid if caps else curved_sheet(rings)
    return skin.flipped() if solid.volume() < 0 else skin


def extrude(polygon: Vector, depth: Scalar, axis: str = "z", center: Vector = (0, 0, 0)) -> Mesh:
    """Draw a polygon (n, 2), concave ones too, out over `depth` along `axis`, the middle at 0.

    The polygon's coordinates are (x, y) for "z", (z, y) for "x" and (x, z) for "y".
    """
    solid = creation.extrude_polygon(shapely.Polygon(polygon), float(depth), mid_plane=True, process=False)
    return move(_laid(solid, FLAT[axis]), center)


FLAT = {"z": [0, 1, 2], "x": [2, 1, 0], "y": [0, 2, 1]}
"""Order of the axes that lays the x-y plane across an axis."""


def panel(width: Scalar, height: Scalar, axis: str = "z", center: Vector = (0, 0, 0)) -> Mesh:
    """Build an open, single-sided rectangle that looks along +`axis`; "y" lies flat (width x, height z)."""
    u, v = [-float(width) / 2, float(width) / 2], [-float(height) / 2, float(height) / 2]
    grid = np.stack([*np.meshgrid(u, v, indexing="ij"), np.zeros((2, 2))], axis=-1)[..., FLAT[axis]]
    return move(curved_sheet(grid if axis == "z" else grid[::-1]), center)


def rod(
    start: Vector, end: Vector, radius: Scalar, end_radius: Scalar | None = None, sides: int = 10
) -> Mesh:
    """Build a round (or, with few `sides`, faceted) bar between two points, tapering to `end_radius`."""
    last = radius if end_radius is None else end_radius
    return tube([start, end], [float(radius), float(last)], segments=sides)


def outline(width: Scalar, height: Scalar, radius: Scalar, steps: int = 4) -> np.ndarray:
    """Return a rectangle with round corners as a polygon (n, 2) about the origin, counter-clockwise."""
    r = min(float(radius), 0.499 * min(float(width), float(height)))
    turn = np.linspace(0, np.pi / 2, steps + 1)
    corners = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = turn + k * np.pi / 2
        middle = np.array([sx * (float(width) / 2 - r), sy * (float(height) / 2 - r)])
        corners.append(middle + r * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.concatenate(corners)


def arc(radius: Scalar, start: Scalar, stop: Scalar, steps: int = 8) -> np.ndarray:
    """Return points (steps + 1, 2) of a circle about the origin between two angles in radians."""
    angle = np.linspace(float(start), float(stop), steps + 1)
    return float(radius) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
