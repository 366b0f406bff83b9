"""Surfaces of trimesh scenes, of meshes and of clouds."""

from dataclasses import replace
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.soup import GRAY, Surface, join_surfaces, make_surface, rgba_float

__all__ = [
    "GRAY",
    "Surface",
    "join_surfaces",
    "make_surface",
    "node_extras",
    "rgba_float",
    "surface_from_cloud",
    "surface_from_mesh",
    "surface_from_scene",
]

# Random points lie half a grid step apart on average: 2.5 times that covers four fifths of a surface.
SURFEL_SIDE = 2.5


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
    """The surface of one trimesh mesh, faces in its order, unlabeled."""
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
        instance: part instance of every point; missing: unlabeled.

    The side is :data:`SURFEL_SIDE` times the mean distance to the nearest neighbor. Faces 2i and 2i + 1
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
    half = SURFEL_SIDE * float(near.mean()) / 2
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
    """Corner colors, vertex uvs and image of a mesh."""
    visual: Any = mesh.visual
    count = len(mesh.faces)
    factor: np.ndarray = np.array(GRAY, np.float32)
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
            factor = np.array(GRAY, np.float32)
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
    """Color that multiplies the texture, and whether alpha is to be ignored."""
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
    return np.array(GRAY, np.float32) if diffuse is None else rgba_float(np.asarray(diffuse)[None])[0], False


def _pixels(picture: Any) -> np.ndarray | None:
    """RGBA pixels of a PIL image; None where it cannot be decoded."""
    try:
        return np.array(picture.convert("RGBA"))
    except (OSError, ValueError, SyntaxError):
        return None
