"""A shape as triangles with a color at every point: the one geometry that is drawn, sampled and stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int32, Int64
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError

GRAY = (0.6, 0.6, 0.6, 1.0)
SURFEL_SIDE = 2.5
"""Side of a surfel over the mean distance to the nearest neighbor. Random points lie half a grid step apart
on average, so that 2.5 times that distance covers four fifths of a surface."""


@dataclass(frozen=True)
class Surface:
    """Triangles, the part instance of each, and their colors.

    Attributes:
        vertices: positions, in the unit and frame of the source.
        faces: corners of every triangle.
        face_part: part instance of every triangle, -1 where unlabeled.
        uv: texture coordinates of every corner, origin at the lower left; zeros where unused.
        corner_color: RGBA in 0..1; multiplies the texture, or stands alone.
        face_material: index into ``textures``.
        textures: per material an image (H, W, 4) uint8, or None.
        is_cloud: True where it is made of surfels, two triangles per point.
    """

    vertices: Float64[np.ndarray, "V 3"]
    faces: Int64[np.ndarray, "F 3"]
    face_part: Int32[np.ndarray, " F"]
    uv: Float32[np.ndarray, "F 3 2"]
    corner_color: Float32[np.ndarray, "F 3 4"]
    face_material: Int32[np.ndarray, " F"]
    textures: tuple[np.ndarray | None, ...]
    is_cloud: bool = False

    @cached_property
    def _cross(self) -> Float64[np.ndarray, "F 3"]:
        corners = self.vertices[self.faces]
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    def areas(self) -> Float64[np.ndarray, " F"]:
        """Return the area of every triangle, in squared units of the vertices."""
        return np.linalg.norm(self._cross, axis=1) / 2

    def normals(self) -> Float64[np.ndarray, "F 3"]:
        """Return the unit normal of every triangle by its winding; (0, 0, 1) where it has no area."""
        length = np.linalg.norm(self._cross, axis=1, keepdims=True)
        return np.where(length > 0, self._cross / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])

    def frame(self) -> tuple[Float64[np.ndarray, " 3"], float]:
        """Return center and scale of the model frame: ``(x - center) * scale`` has longest half side 1.

        Triangles without area do not count; AlignPartsError is raised where no other is left.
        """
        used = self.faces[self.areas() > 0]
        if not len(used):
            raise AlignPartsError("the shape has no triangle with an area; nothing can be sampled or drawn")
        points = self.vertices[np.unique(used)]
        low, high = points.min(axis=0), points.max(axis=0)
        return (low + high) / 2, float(2 / (high - low).max())

    def color_at(
        self, face: Int[np.ndarray, " n"], bary: Float[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "n 4"]:
        """Return the RGBA (0..1) of points by triangle and barycentric coordinates; textures wrap around."""
        weight = bary.astype(np.float32)[:, :, None]
        color = (self.corner_color[face] * weight).sum(axis=1)
        material = self.face_material[face]
        for index in np.unique(material):
            image = self.textures[index]
            if image is not None:
                at = np.flatnonzero(material == index)
                color[at] *= _bilinear(image, (self.uv[face[at]] * weight[at]).sum(axis=1))
        return np.clip(color, 0, 1)

    def subset(self, keep: np.ndarray) -> "Surface":
        """Return the triangles chosen by a mask or by indices, with all vertices."""
        names = ("faces", "face_part", "uv", "corner_color", "face_material")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})


def _bilinear(image: np.ndarray, uv: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 4"]:
    """Look up an image (H, W, 4) uint8 as RGBA in 0..1; texel centers lie at halves."""
    height, width = image.shape[:2]
    # float64: 4096 px textures and repeated uvs need more than 24 bits.
    x = (uv[:, 0].astype(np.float64) % 1.0) * width - 0.5
    y = ((1.0 - uv[:, 1].astype(np.float64)) % 1.0) * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    along = (x - left).astype(np.float32)[:, None]
    down = (y - top).astype(np.float32)[:, None]
    x0, x1, y0, y1 = left % width, (left + 1) % width, top % height, (top + 1) % height
    upper = image[y0, x0] * (1 - along) + image[y0, x1] * along
    lower = image[y1, x0] * (1 - along) + image[y1, x1] * along
    return ((upper * (1 - down) + lower * down) / np.float32(255)).astype(np.float32)


def make_surface(
    vertices: np.ndarray,
    faces: np.ndarray,
    *,
    face_part: np.ndarray | None = None,
    uv: np.ndarray | None = None,
    color: np.ndarray | Sequence[float | int] = GRAY,
    texture: np.ndarray | None = None,
) -> Surface:
    """Make a surface from arrays of any numeric type.

    Triangles with a vertex that is not finite collapse to one point, so that the order of faces is kept.

    Args:
        vertices: positions (V, 3).
        faces: vertices of every triangle (F, 3).
        face_part: part instances (F,); unlabeled when None.
        uv: texture coordinates, (F, 3, 2) per corner or (V, 2) per vertex; zeros when None.
        color: RGBA in 0..1: (4,) for all, (F, 4) per face or (F, 3, 4) per corner.
        texture: image (H, W, 4) uint8 of all faces.
    """
    points = np.array(vertices, dtype=np.float64).reshape(-1, 3)
    corners = np.array(faces, dtype=np.int64).reshape(-1, 3)
    finite = np.asarray(np.isfinite(points).all(axis=1))
    if not finite.all():
        points[~finite] = points[finite].mean(axis=0) if finite.any() else 0.0
        broken = ~finite[corners].all(axis=1)
        corners[broken] = corners[broken][:, :1]
    count = len(corners)
    rgba = np.asarray(color, dtype=np.float32)
    rgba = rgba[:, None, :] if rgba.ndim == 2 else rgba
    corner_uv = np.zeros((count, 3, 2), np.float32)
    if uv is not None:
        given = np.nan_to_num(np.asarray(uv, dtype=np.float32), posinf=0.0, neginf=0.0)
        corner_uv = given if given.ndim == 3 else given[corners]
    return Surface(
        vertices=points,
        faces=corners,
        face_part=np.asarray(np.full(count, -1) if face_part is None else face_part, np.int32),
        uv=corner_uv,
        corner_color=np.ascontiguousarray(np.broadcast_to(rgba, (count, 3, 4))),
        face_material=np.zeros(count, np.int32),
        textures=(texture,),
    )


def join_surfaces(surfaces: Sequence[Surface], *, part_of: Sequence[int] | None = None) -> Surface:
    """Join surfaces into one, faces in the order given; an image (the same array) of several is kept once.

    ``part_of`` gives the part instance of each surface; when None, every face keeps its own.
    """
    if not surfaces:
        return make_surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    textures = {id(image): image for surface in surfaces for image in surface.textures}
    number = {key: index for index, key in enumerate(textures)}
    tables = [np.array([number[id(image)] for image in s.textures] or [0], np.int32) for s in surfaces]
    sizes = [len(surface.faces) for surface in surfaces]
    offsets = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])[:-1]
    parts = np.concatenate([s.face_part for s in surfaces])
    return Surface(
        vertices=np.concatenate([s.vertices for s in surfaces]),
        faces=np.concatenate([s.faces for s in surfaces]) + np.repeat(offsets, sizes)[:, None],
        face_part=parts if part_of is None else np.repeat(np.asarray(part_of, np.int32), sizes),
        uv=np.concatenate([s.uv for s in surfaces]),
        corner_color=np.concatenate([s.corner_color for s in surfaces]),
        face_material=np.concatenate([t[s.face_material] for s, t in zip(surfaces, tables, strict=True)]),
        textures=tuple(textures.values()),
        is_cloud=all(s.is_cloud for s in surfaces),
    )


def surface_from_cloud(
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    colors: np.ndarray,
    instance: Int[np.ndarray, " n"] | None = None,
) -> Surface:
    """Make a surface of surfels: per point one square of two triangles, facing along its normal.

    Faces 2i and 2i + 1 belong to point i; see :data:`SURFEL_SIDE` for their size. Normals may have any
    length; a surfel without direction lies level. Colors are RGB or RGBA per point, uint8 or floats in 0..1.
    Fewer than two points, or points that coincide, raise AlignPartsError.
    """
    if len(points) < 2:
        raise AlignPartsError(f"a cloud of {len(points)} points; at least two are needed")
    xyz = np.asarray(points, np.float64)
    distance = cKDTree(xyz).query(xyz, k=2)[0][:, 1]
    near = distance[np.isfinite(distance) & (distance > 0)]
    if not len(near):
        raise AlignPartsError("all points of the cloud coincide")
    half = SURFEL_SIDE * float(near.mean()) / 2
    normal = np.array(normals, np.float64)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.where(length > 1e-12, normal / np.where(length > 1e-12, length, 1), [0.0, 1.0, 0.0])
    # The axis least along the normal makes the steadiest tangent.
    tangent = np.cross(np.eye(3)[np.abs(normal).argmin(axis=1)], normal)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    other = np.cross(normal, tangent)
    corner = [xyz + half * (a * tangent + b * other) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    faces = (4 * np.arange(len(xyz))[:, None] + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
    part = None if instance is None else np.repeat(np.asarray(instance, np.int32), 2)
    rgba = np.repeat(rgba_float(colors), 2, axis=0)
    return replace(make_surface(np.stack(corner, axis=1), faces, face_part=part, color=rgba), is_cloud=True)


def rgba_float(colors: np.ndarray) -> Float32[np.ndarray, "n 4"]:
    """Return colors (n, 3|4), integers in 0..255 (0..65535 for uint16) or floats in 0..1, as float RGBA."""
    values = np.asarray(colors)
    kind = values.dtype.kind
    top = float(np.iinfo(values.dtype).max) if kind == "u" else 255.0 if kind == "i" else 1.0
    rgba = np.ones((len(values), 4), np.float32)
    rgba[:, : values.shape[1]] = values[:, :4].astype(np.float32) / np.float32(top)
    return np.clip(np.nan_to_num(rgba), 0, 1)
