"""A shape as a triangle soup with the color of every point of it: what is rendered and what is sampled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int32, Int64

from alignparts.core.errors import AlignPartsError

GRAY = (0.6, 0.6, 0.6, 1.0)


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
        textures: one image (H, W, 4) uint8 a material; None where a material has no image.
        is_cloud: made of surfels, one quad a point.
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
        """Area of every triangle, in squared units of the vertices."""
        return np.linalg.norm(self._cross, axis=1) / 2

    def normals(self) -> Float64[np.ndarray, "F 3"]:
        """Unit normal of every triangle by its winding; (0, 0, 1) where it has no area."""
        length = np.linalg.norm(self._cross, axis=1, keepdims=True)
        flat = np.array([0.0, 0.0, 1.0])
        return np.where(length > 0, self._cross / np.where(length > 0, length, 1), flat)

    def frame(self) -> tuple[Float64[np.ndarray, " 3"], float]:
        """Center and scale of the model frame: ``(x - center) * scale`` has its longest half side at 1.

        Vertices of triangles without area do not count.

        Raises:
            AlignPartsError: no triangle has an area.
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
        """Color of points given by triangle and barycentric coordinates.

        Bilinear look-up with wrap-around; RGBA in 0..1.
        """
        weight = bary.astype(np.float32)[:, :, None]
        color = (self.corner_color[face] * weight).sum(axis=1)
        material = self.face_material[face]
        uv: np.ndarray | None = None
        for index in np.unique(material):
            image = self.textures[index]
            if image is None:
                continue
            if uv is None:
                uv = (self.uv[face] * weight).sum(axis=1)
            at = np.flatnonzero(material == index)
            color[at] *= _bilinear(image, uv[at])
        return np.clip(color, 0, 1)

    def subset(self, keep: np.ndarray) -> "Surface":
        """The triangles chosen by a mask or by indices; vertices are kept as they are."""
        return replace(
            self,
            faces=self.faces[keep],
            face_part=self.face_part[keep],
            uv=self.uv[keep],
            corner_color=self.corner_color[keep],
            face_material=self.face_material[keep],
        )


def _bilinear(image: np.ndarray, uv: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 4"]:
    height, width = image.shape[:2]
    # float64: 4096 px textures and repeated uvs need more than 24 bits.
    x = (uv[:, 0].astype(np.float64) % 1.0) * width - 0.5
    y = ((1.0 - uv[:, 1].astype(np.float64)) % 1.0) * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    along = (x - left).astype(np.float32)[:, None]
    down = (y - top).astype(np.float32)[:, None]
    x0, x1 = left % width, (left + 1) % width
    y0, y1 = top % height, (top + 1) % height
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
    face_material: np.ndarray | None = None,
    textures: Sequence[np.ndarray | None] = (None,),
) -> Surface:
    """A surface from arrays of any numeric type, with what is missing filled in.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        face_part: (F,); missing: unlabeled.
        uv: (F, 3, 2) a corner or (V, 2) a vertex.
        color: RGBA in 0..1: (4,) for all, (F, 4) a face or (F, 3, 4) a corner.
        face_material: (F,) index into ``textures``.
        textures: images (H, W, 4) uint8 or None.

    Triangles with a vertex that is not finite collapse to one point, so that the order of faces is kept.
    """
    points = np.array(vertices, dtype=np.float64).reshape(-1, 3)
    corners = np.array(faces, dtype=np.int64).reshape(-1, 3)
    count = len(corners)
    finite = np.asarray(np.isfinite(points).all(axis=1))
    if not finite.all():
        points[~finite] = points[finite].mean(axis=0) if finite.any() else 0.0
        broken = ~finite[corners].all(axis=1)
        corners[broken] = corners[broken][:, :1]
    rgba = np.asarray(color, dtype=np.float32)
    if rgba.ndim == 2:
        rgba = rgba[:, None, :]
    corner_uv = np.zeros((count, 3, 2), np.float32)
    if uv is not None:
        given = np.nan_to_num(np.asarray(uv, dtype=np.float32), posinf=0.0, neginf=0.0)
        corner_uv = given if given.ndim == 3 else given[corners]
    return Surface(
        vertices=points,
        faces=corners,
        face_part=np.full(count, -1, np.int32) if face_part is None else np.asarray(face_part, np.int32),
        uv=corner_uv,
        corner_color=np.ascontiguousarray(np.broadcast_to(rgba, (count, 3, 4))),
        face_material=(
            np.zeros(count, np.int32) if face_material is None else np.asarray(face_material, np.int32)
        ),
        textures=tuple(textures),
    )


def join_surfaces(surfaces: Sequence[Surface], *, part_of: Sequence[int] | None = None) -> Surface:
    """One surface of several, faces in the order given.

    Args:
        surfaces: what to join; an image used by several (the same array) is kept once.
        part_of: part instance of each surface; missing: every surface keeps its own.
    """
    if not surfaces:
        return make_surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    textures: list[np.ndarray | None] = []
    index_of: dict[int, int] = {}
    faces, materials, parts = [], [], []
    offset = 0
    for number, surface in enumerate(surfaces):
        table = np.zeros(max(len(surface.textures), 1), np.int32)
        for local, image in enumerate(surface.textures):
            key = id(image)
            if key not in index_of:
                index_of[key] = len(textures)
                textures.append(image)
            table[local] = index_of[key]
        faces.append(surface.faces + offset)
        materials.append(table[surface.face_material])
        given = None if part_of is None else part_of[number]
        parts.append(surface.face_part if given is None else np.full(len(surface.faces), given, np.int32))
        offset += len(surface.vertices)
    return Surface(
        vertices=np.concatenate([surface.vertices for surface in surfaces]),
        faces=np.concatenate(faces),
        face_part=np.concatenate(parts),
        uv=np.concatenate([surface.uv for surface in surfaces]),
        corner_color=np.concatenate([surface.corner_color for surface in surfaces]),
        face_material=np.concatenate(materials),
        textures=tuple(textures),
        is_cloud=all(surface.is_cloud for surface in surfaces),
    )


def rgba_float(colors: np.ndarray) -> Float32[np.ndarray, "n 4"]:
    """Colors (n, 3|4), integers in 0..255 (0..65535 for uint16) or floats in 0..1, as float RGBA."""
    values = np.asarray(colors)
    top = float(np.iinfo(values.dtype).max) if np.issubdtype(values.dtype, np.unsignedinteger) else 1.0
    if np.issubdtype(values.dtype, np.signedinteger):
        top = 255.0
    rgba = np.ones((len(values), 4), np.float32)
    rgba[:, : values.shape[1]] = values[:, :4].astype(np.float32) / np.float32(top)
    return np.clip(np.nan_to_num(rgba), 0, 1)
