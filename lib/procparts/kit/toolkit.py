# ruff: noqa: RUF005  (sums of arrays, not of lists)
"""Primitives that category code builds shapes from; the transforms are re-exported from `mesh`.

Up is +y, the front is +z, lengths are meters. Faces of closed primitives look outwards. Texture
coordinates are meters along the surface.
"""

import mapbox_earcut
import numpy as np

from procparts.kit.mesh import (
    AXES,
    Mesh,
    Piece,
    Scalar,
    Vector,
    bend,
    merge,
    mirror,
    move,
    place,
    rotate,
    rotation,
    scale,
    taper,
)

__all__ = [
    "Mesh", "Piece", "Scalar", "Vector", "arc", "bend", "box", "curved_sheet", "cylinder", "extrude", "lathe",
    "loft", "merge", "mirror", "move", "outline", "panel", "place", "rod", "rotate", "rotation",
    "rounded_box", "scale", "sphere", "superellipsoid", "taper", "torus", "tube",
]  # fmt: skip


def _oriented(mesh: Mesh, axis: str) -> Mesh:
    """A mesh made along y, laid along `axis`."""
    if axis == "y":
        return mesh
    return rotate(mesh, "z", -np.pi / 2) if axis == "x" else rotate(mesh, "x", np.pi / 2)


def curved_sheet(points: Vector) -> Mesh:
    """An open sheet through a grid of points (u, v, 3), looking along d/du x d/dv; no empty faces."""
    grid = np.asarray(points, dtype=float)
    if grid.ndim != 3 or grid.shape[2] != 3 or min(grid.shape[:2]) < 2:
        raise ValueError(f"curved_sheet: expected a grid of points (u >= 2, v >= 2, 3), got {grid.shape}")
    u, v = grid.shape[:2]
    index = np.arange(u * v).reshape(u, v)
    a, b, c, d = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2).reshape(-1, 3)
    flat = grid.reshape(-1, 3)
    p, q, r = (flat[faces[:, k]] for k in range(3))
    faces = faces[np.linalg.norm(np.cross(q - p, r - p), axis=1) > 1e-14]
    along_u = np.linalg.norm(np.diff(grid, axis=0), axis=2).mean(axis=1)
    along_v = np.linalg.norm(np.diff(grid, axis=1), axis=2).max(axis=0)
    tu, tv = (np.concatenate([[0.0], np.cumsum(step)]) for step in (along_u, along_v))
    uv = np.stack(np.broadcast_arrays(tv[None, :], tu[:, None]), axis=-1).reshape(-1, 2)
    return Mesh(flat.copy(), faces.astype(np.int64), uv.copy())


def _cap(ring: np.ndarray, flip: bool) -> Mesh:
    """A fan over a closed ring (n, 3) from its middle; looks along the ring's right-handed axis."""
    n = len(ring)
    middle = ring.mean(axis=0)
    first = np.arange(n)
    faces = np.stack([np.full(n, n), first, (first + 1) % n], axis=1)
    size = np.linalg.norm(np.cross(ring - middle, np.roll(ring, -1, axis=0) - middle), axis=1)
    faces = faces[size > 1e-14]
    edge = ring[0] - middle
    normal = np.cross(ring - middle, np.roll(ring, -1, axis=0) - middle).sum(axis=0)
    e1 = edge / max(float(np.linalg.norm(edge)), 1e-12)
    e2 = np.cross(normal / max(float(np.linalg.norm(normal)), 1e-12), e1)
    vertices = np.concatenate([ring, middle[None]])
    uv = np.stack([(vertices - middle) @ e1, (vertices - middle) @ e2], axis=1)
    return Mesh(vertices, (faces[:, ::-1] if flip else faces).astype(np.int64), uv)


def box(size: Vector, center: Vector = (0, 0, 0), bevel: Scalar = 0.0) -> Mesh:
    """A box of full side lengths `size`; `bevel` cuts its edges off by that length."""
    if bevel > 0:
        return move(_soft_box(np.asarray(size, dtype=float), float(bevel), 1), center)
    half = np.asarray(size, dtype=float) / 2
    vertices, uv = [], []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.empty(3)
                corner[axis], corner[b], corner[c] = sign, s * sign, t
                vertices.append(corner * half)
                flat = [corner[k] * half[k] for k in range(3) if k != axis]
                uv.append(flat if axis != 0 else flat[::-1])
    start = 4 * np.arange(6)[:, None]
    faces = np.concatenate([start + [0, 1, 2], start + [0, 2, 3]])
    return Mesh(np.array(vertices) + np.asarray(center, dtype=float), faces.astype(np.int64), np.array(uv))


def _soft_box(size: np.ndarray, radius: Scalar, steps: int) -> Mesh:
    half = size / 2
    radius = min(radius, 0.98 * float(half.min()))
    inner = half - radius
    turn = np.tan(np.linspace(0, np.pi / 4, steps + 1))
    lines = [np.concatenate([-(inner[k] + radius * turn[::-1]), inner[k] + radius * turn]) for k in range(3)]
    sheets = []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        grid = np.empty((len(lines[b]), len(lines[c]), 3))
        grid[..., b], grid[..., c] = lines[b][:, None], lines[c][None, :]
        for sign in (-1.0, 1.0):
            grid[..., axis] = sign * half[axis]
            core = np.clip(grid, -inner, inner)
            out = grid - core
            points = core + radius * out / np.maximum(np.linalg.norm(out, axis=2, keepdims=True), 1e-12)
            sheet = curved_sheet(points)
            sheets.append(sheet if sign > 0 else sheet.flipped())
    return merge(*sheets)


def rounded_box(size: Vector, radius: Scalar, center: Vector = (0, 0, 0)) -> Mesh:
    """A box with round edges and corners of `radius` (cut down to fit)."""
    return move(_soft_box(np.asarray(size, dtype=float), float(radius), 2), center)


def lathe(profile: Vector, segments: int = 32, close: bool = False) -> Mesh:
    """A profile (n, 2) of (radius, y) turned about the y axis.

    Walk the outer wall upwards (and an inner wall down) for faces that look outwards. `close` joins the last
    point to the first, which makes a ring, and puts its faces outside whichever way the profile runs.
    """
    points = np.asarray(profile, dtype=float)
    if close:
        x, y = points.T
        if (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0:
            points = points[::-1]
        points = np.concatenate([points, points[:1]])
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    r, y = points[:, :1], points[:, 1:]
    return curved_sheet(np.stack(np.broadcast_arrays(r * np.cos(angle), y, r * np.sin(angle)), axis=-1))


def cylinder(
    radius: Scalar,
    height: Scalar,
    center: Vector = (0, 0, 0),
    segments: int = 24,
    top_radius: Scalar | None = None,
    caps: bool = True,
    axis: str = "y",
) -> Mesh:
    """A cylinder, or a cone cut off at `top_radius` at its + end, about `center`."""
    top, h = float(radius if top_radius is None else top_radius), float(height) / 2
    profile = [(float(radius), -h), (top, h)]
    if caps:
        profile = [(0.0, -h), *profile, (0.0, h)]
    return move(_oriented(lathe(profile, segments), axis), center)


def sphere(
    radius: Scalar,
    center: Vector = (0, 0, 0),
    squash: Vector = (1, 1, 1),
    segments: int = 20,
) -> Mesh:
    """A sphere, its axes multiplied by `squash`."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, max(segments // 2, 3) + 1)
    ball = lathe(np.stack([float(radius) * np.cos(angle), float(radius) * np.sin(angle)], axis=1), segments)
    return move(Mesh(ball.vertices * np.asarray(squash, dtype=float), ball.faces, ball.uv), center)


def superellipsoid(size: Vector, exponent: Scalar, center: Vector = (0, 0, 0), segments: int = 24) -> Mesh:
    """A superellipsoid of full side lengths `size`: exponent 1 is an ellipsoid, 0.2 nearly a box."""
    e, rows = float(exponent), max(segments // 2, 4)
    phi, theta = (
        np.linspace(-np.pi / 2, np.pi / 2, rows + 1)[:, None],
        np.linspace(0, 2 * np.pi, segments + 1),
    )

    def power(value: np.ndarray) -> np.ndarray:
        small = np.where(np.abs(value) < 1e-9, 0.0, value)
        return np.sign(small) * np.abs(small) ** e

    ring = power(np.cos(phi))
    unit = np.broadcast_arrays(ring * power(np.cos(theta)), power(np.sin(phi)), ring * power(np.sin(theta)))
    return move(curved_sheet(np.stack(unit, axis=-1) * (np.asarray(size, dtype=float) / 2)), center)


def torus(
    major: Scalar,
    minor: Scalar,
    center: Vector = (0, 0, 0),
    axis: str = "y",
    arc: Scalar = 2 * np.pi,
    segments: int = 28,
    sides: int = 10,
) -> Mesh:
    """A ring of radius `major`, its bar of radius `minor`, about `axis`; a smaller `arc` is capped."""
    turn = np.linspace(0, float(arc), max(int(segments * float(arc) / (2 * np.pi)), 3) + 1)[:-1]
    closed = float(arc) > 2 * np.pi - 1e-6
    if not closed:
        turn = np.append(turn, float(arc))
    path = np.stack([major * np.cos(turn), np.zeros_like(turn), major * np.sin(turn)], axis=1)
    return move(_oriented(tube(path, minor, segments=sides, closed=closed), axis), center)


def tube(
    path: Vector, radius: Scalar | Vector, segments: int = 10, closed: bool = False, caps: bool = True
) -> Mesh:
    """A round bar of `radius` (one, or one a point) along a polyline (n, 3), mitred at its corners."""
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
    wall = curved_sheet(grid.transpose(1, 0, 2))
    wall.uv = wall.uv[:, ::-1].copy()
    if closed or not caps:
        return wall
    ends = [_cap(grid[0, :-1], True)] if radii[0] > 1e-9 else []
    ends += [_cap(grid[-1, :-1], False)] if radii[-1] > 1e-9 else []
    return merge(wall, *ends)


def loft(sections: Vector, caps: bool = True) -> Mesh:
    """A skin over closed rings (k, n, 3), each walked the same way from matching starts; looks outwards."""
    rings = np.asarray(sections, dtype=float)
    skin = curved_sheet(np.concatenate([rings, rings[:, :1]], axis=1))
    axis = rings[-1].mean(axis=0) - rings[0].mean(axis=0)
    spokes = rings - rings.mean(axis=1, keepdims=True)
    right_handed = bool(np.cross(spokes, np.roll(spokes, -1, axis=1)).sum((0, 1)) @ axis > 0)
    parts = [skin.flipped() if right_handed else skin]
    if caps:
        parts += [_cap(rings[0], right_handed), _cap(rings[-1], not right_handed)]
    mesh = merge(*parts)
    return mesh.flipped() if caps and mesh.volume() < 0 else mesh


def extrude(polygon: Vector, depth: Scalar, axis: str = "z", center: Vector = (0, 0, 0)) -> Mesh:
    """A polygon (n, 2), concave ones too, drawn out over `depth` along `axis`, the middle at 0.

    The polygon's coordinates are (x, y) for "z", (z, y) for "x" and (x, z) for "y".
    """
    flat = np.asarray(polygon, dtype=float)
    x, y = flat.T
    if (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0:
        flat = flat[::-1]
    n, half = len(flat), float(depth) / 2
    triangles = mapbox_earcut.triangulate_float64(np.ascontiguousarray(flat), np.array([n], dtype=np.uint32))
    cap = np.asarray(triangles, dtype=np.int64).reshape(-1, 3)
    back, front = (np.column_stack([flat, np.full(n, z)]) for z in (-half, half))
    wall = curved_sheet(np.stack([np.concatenate([ring, ring[:1]]) for ring in (back, front)], axis=1))
    a, b, c = (flat[cap[:, k]] for k in range(3))
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    cap = np.where(turn[:, None] < 0, cap[:, ::-1], cap)
    solid = merge(wall, Mesh(front, cap, flat.copy()), Mesh(back, cap[:, ::-1].copy(), flat.copy()))
    order = {"z": [0, 1, 2], "x": [2, 1, 0], "y": [0, 2, 1]}[axis]
    solid = Mesh(solid.vertices[:, order], solid.faces, solid.uv)
    return move(solid if axis == "z" else solid.flipped(), center)


def panel(width: Scalar, height: Scalar, axis: str = "z", center: Vector = (0, 0, 0)) -> Mesh:
    """An open, single-sided rectangle that looks along +axis; "y" lies flat (width x, height z)."""
    w, h = float(width) / 2, float(height) / 2
    u, v = {"z": ("x", "y"), "x": ("z", "y"), "y": ("x", "z")}[axis]
    grid = np.zeros((2, 2, 3))
    grid[..., AXES[u]] = np.array([[-w, -w], [w, w]])
    grid[..., AXES[v]] = np.array([[-h, h], [-h, h]])
    sheet = curved_sheet(grid)
    sheet.uv = sheet.uv[:, ::-1].copy()
    return move(sheet if axis == "z" else sheet.flipped(), center)


def rod(
    start: Vector, end: Vector, radius: Scalar, end_radius: Scalar | None = None, sides: int = 10
) -> Mesh:
    """A straight round (or, with few `sides`, faceted) bar between two points, tapering to `end_radius`."""
    last = radius if end_radius is None else end_radius
    return tube([start, end], [float(radius), float(last)], segments=sides)


def outline(width: Scalar, height: Scalar, radius: Scalar, steps: int = 4) -> np.ndarray:
    """A rectangle with round corners as a polygon (n, 2) about the origin, counter-clockwise."""
    r = min(float(radius), 0.499 * min(float(width), float(height)))
    turn = np.linspace(0, np.pi / 2, steps + 1)
    corners = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = turn + k * np.pi / 2
        middle = np.array([sx * (float(width) / 2 - r), sy * (float(height) / 2 - r)])
        corners.append(middle + r * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.concatenate(corners)


def arc(radius: Scalar, start: Scalar, stop: Scalar, steps: int = 8) -> np.ndarray:
    """Points (steps + 1, 2) of a circle about the origin between two angles in radians."""
    angle = np.linspace(float(start), float(stop), steps + 1)
    return float(radius) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
