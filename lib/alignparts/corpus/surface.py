"""A shape as a triangle soup with the colour of every point of it: what is rendered and what is sampled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Float32, Float64, Int, Int32, Int64
from scipy.spatial import cKDTree

from alignparts.errors import AlignPartsError

GREY = (0.6, 0.6, 0.6, 1.0)


@dataclass(frozen=True)
class Surface:
    """Triangles, the part instance of each, and their colours.

    Attributes:
        vertices: positions, in the unit and frame of the source.
        faces: corners of every triangle.
        face_part: part instance of every triangle, -1 where unlabelled.
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
        """Centre and scale of the model frame: ``(x - center) * scale`` has its longest half side at 1.

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
        """Colour of points given by triangle and barycentric coordinates.

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
    color: np.ndarray | Sequence[float | int] = GREY,
    face_material: np.ndarray | None = None,
    textures: Sequence[np.ndarray | None] = (None,),
) -> Surface:
    """A surface from arrays of any numeric type, with what is missing filled in.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        face_part: (F,); missing: unlabelled.
        uv: (F, 3, 2) a corner or (V, 2) a vertex.
        color: RGBA in 0..1: (4,) for all, (F, 4) a face or (F, 3, 4) a corner.
        face_material: (F,) index into ``textures``.
        textures: images (H, W, 4) uint8 or None.

    Triangles with a vertex that is not finite collapse to one point, so that the order of faces is kept.
    """
    points = np.array(vertices, dtype=np.float64).reshape(-1, 3)
    corners = np.array(faces, dtype=np.int64).reshape(-1, 3)
    count = len(corners)
    finite = np.isfinite(points).all(axis=1)
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


def surface_from_scene(scene: trimesh.Scene) -> Surface:
    """The surface of a trimesh scene in world coordinates.

    Faces are in the order of ``scene.graph.nodes_geometry``, and within a node in the order of its mesh. Load
    with ``process=False`` where that order matters. A node's extras ``{"instance": i}`` label its faces.
    Opaque glTF materials lose their alpha, as the standard says; nodes that mirror turn their triangles over.

    Raises:
        AlignPartsError: the scene has no triangle mesh.
    """
    surfaces: list[Surface] = []
    images: dict[int, np.ndarray | None] = {}
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue
        instance = node_extras(scene, node).get("instance", -1)
        surfaces.append(_surface_of_mesh(mesh, matrix, int(instance), images))
    if not surfaces:
        raise AlignPartsError("the scene holds no triangle mesh")
    return join_surfaces(surfaces)


def surface_from_mesh(mesh: trimesh.Trimesh) -> Surface:
    """The surface of one trimesh mesh, faces in its order, unlabelled."""
    return _surface_of_mesh(mesh, np.eye(4), -1, {})


def node_extras(scene: trimesh.Scene, node: Any) -> dict[str, Any]:
    """The glTF extras of a node of a scene, as trimesh keeps them on the edge that leads to it."""
    graph = scene.graph.transforms
    parent = graph.parents.get(node)
    metadata = graph.edge_data.get((parent, node), {}).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def surface_from_cloud(
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    colors: np.ndarray,
    instance: Int[np.ndarray, " n"] | None = None,
) -> Surface:
    """A surface of surfels: one square, two triangles, a point, facing along its normal.

    Args:
        points: positions.
        normals: directions of any length; where one has none, the surfel lies level.
        colors: (n, 3) or (n, 4), uint8 or floats in 0..1.
        instance: part instance of every point; missing: unlabelled.

    The side is the mean distance to the nearest neighbour, so that neighbours touch. Faces 2i and 2i + 1
    belong to point i.

    Raises:
        AlignPartsError: there are fewer than two points.
    """
    if len(points) < 2:
        raise AlignPartsError(f"a cloud of {len(points)} points; at least two are needed")
    xyz = np.asarray(points, np.float64)
    distance = cKDTree(xyz).query(xyz, k=2)[0][:, 1]
    near = distance[np.isfinite(distance) & (distance > 0)]
    if not len(near):
        raise AlignPartsError("all points of the cloud coincide")
    half = float(near.mean()) / 2
    normal = np.array(normals, np.float64)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.where(length > 1e-12, normal / np.where(length > 1e-12, length, 1), [0.0, 1.0, 0.0])
    # The axis least along the normal makes the steadiest tangent.
    helper = np.eye(3)[np.abs(normal).argmin(axis=1)]
    tangent = np.cross(helper, normal)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    other = np.cross(normal, tangent)
    corner = [xyz + half * (a * tangent + b * other) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    vertices = np.stack(corner, axis=1).reshape(-1, 3)
    faces = (4 * np.arange(len(xyz))[:, None] + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
    part = None if instance is None else np.repeat(np.asarray(instance, np.int32), 2)
    surface = make_surface(vertices, faces, face_part=part, color=np.repeat(rgba_float(colors), 2, axis=0))
    return replace(surface, is_cloud=True)


def rgba_float(colors: np.ndarray) -> Float32[np.ndarray, "n 4"]:
    """Colours (n, 3|4), integers in 0..255 (0..65535 for uint16) or floats in 0..1, as float RGBA."""
    values = np.asarray(colors)
    top = float(np.iinfo(values.dtype).max) if np.issubdtype(values.dtype, np.unsignedinteger) else 1.0
    if np.issubdtype(values.dtype, np.signedinteger):
        top = 255.0
    rgba = np.ones((len(values), 4), np.float32)
    rgba[:, : values.shape[1]] = values[:, :4].astype(np.float32) / np.float32(top)
    return np.clip(np.nan_to_num(rgba), 0, 1)


def _surface_of_mesh(
    mesh: trimesh.Trimesh, matrix: np.ndarray, instance: int, images: dict[int, np.ndarray | None]
) -> Surface:
    vertices = np.asarray(mesh.vertices, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    faces = np.asarray(mesh.faces, np.int64)
    color, uv, image = _look(mesh, images)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, [0, 2, 1]]
        color = color[:, [0, 2, 1]] if color.ndim == 3 else color
    part = np.full(len(faces), instance, np.int32)
    return make_surface(vertices, faces, face_part=part, uv=uv, color=color, textures=(image,))


def _look(
    mesh: trimesh.Trimesh, images: dict[int, np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Corner colours, vertex uvs and image of a mesh."""
    visual: Any = mesh.visual
    count = len(mesh.faces)
    factor: np.ndarray = np.array(GREY, np.float32)
    uv = image = None
    if visual.kind == "texture":
        material = visual.material
        factor, opaque = _factor(material)
        simple = material.to_simple() if hasattr(material, "to_simple") else material
        picture = getattr(simple, "image", None)
        given = None if visual.uv is None else np.asarray(visual.uv)
        if picture is not None and given is not None and given.shape == (len(mesh.vertices), 2):
            if id(picture) not in images:
                images[id(picture)] = _pixels(picture)
            image, uv = images[id(picture)], given
            if image is not None and opaque and image[..., 3].min() < 255:
                image = image.copy()
                image[..., 3] = 255
        if picture is not None and image is None:
            factor = np.array(GREY, np.float32)
        extra = visual.vertex_attributes.get("color") if hasattr(visual, "vertex_attributes") else None
        if extra is not None and len(extra) == len(mesh.vertices):
            tint = rgba_float(extra)
            if opaque:
                tint[:, 3] = 1
            return (factor * tint)[mesh.faces], uv, image
    elif visual.kind == "face":
        return rgba_float(visual.face_colors), None, None
    elif visual.kind == "vertex":
        return rgba_float(visual.vertex_colors)[mesh.faces], None, None
    return np.tile(factor, (count, 1)), uv, image


def _factor(material: Any) -> tuple[np.ndarray, bool]:
    """Colour that multiplies the texture, and whether alpha is to be ignored."""
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        given = material.baseColorFactor
        factor = np.ones(4, np.float32) if given is None else rgba_float(np.asarray(given)[None])[0].copy()
        opaque = material.alphaMode in (None, "OPAQUE")
        if opaque:
            factor[3] = 1
        return factor, opaque
    if getattr(material, "image", None) is not None:
        # OBJ exporters write any Kd beside map_Kd, black included.
        return np.ones(4, np.float32), False
    diffuse = getattr(material, "diffuse", None)
    return np.array(GREY, np.float32) if diffuse is None else rgba_float(np.asarray(diffuse)[None])[0], False


def _pixels(picture: Any) -> np.ndarray | None:
    """RGBA pixels of a PIL image; None where it cannot be decoded."""
    try:
        return np.array(picture.convert("RGBA"))
    except (OSError, ValueError, SyntaxError):
        return None
