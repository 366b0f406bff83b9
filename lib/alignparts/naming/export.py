"""Export of named parts: a GLB with one node per part, labels, and a picture.

All files are made in a temporary folder and moved together at the end, so that a failure leaves nothing
behind.
"""

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Int, Int32
from trimesh.exchange.gltf import export_glb

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import InputMesh
from alignparts.corpus.mesh.surface import rgba_float
from alignparts.naming.prediction import PredictedPart
from alignparts.pictures.figures import picture_of_parts

SCHEMA = "alignparts/labels/1"
UNLABELED = "unlabeled"
FACE_ORDER = (
    "row i is the part of face i; faces count through the geometry nodes in the order of 'nodes', "
    "within a node in the order of its mesh, polygons cut into triangles"
)


@dataclass(frozen=True)
class Written:
    """Paths of the files of one mesh."""

    glb: Path
    labels: Path
    faces: Path
    picture: Path | None = None


def export_named(
    mesh: InputMesh,
    face_part: Int32[np.ndarray, " faces"],
    parts: Sequence[PredictedPart],
    folder: Path,
    *,
    category: str = "",
    mode: str = "closed",
    picture: bool = True,
) -> Written:
    """Write ``<name>.parts.glb``, ``labels.json``, ``face_labels.npy`` and ``<name>.parts.png``.

    Args:
        mesh: the input.
        face_part: part per face of ``mesh.surface``, -1 unlabeled.
        parts: named parts.
        folder: target folder, made if needed; files of these names are replaced.
        category: category of the shape, "" if unknown.
        mode: "closed", "open" or "query".
        picture: also draw the picture.

    Raises:
        AlignPartsError: the labels do not fit the mesh, or the folder cannot be written.
    """
    if len(face_part) != len(mesh.surface.faces):
        raise AlignPartsError(f"{mesh.path}: {len(face_part)} labels for {len(mesh.surface.faces)} faces")
    if len(face_part) and face_part.max() >= len(parts):
        raise AlignPartsError(f"{mesh.path}: a face label is beyond the {len(parts)} parts")
    names = [f"{mesh.name}.parts.glb", "labels.json", "face_labels.npy", f"{mesh.name}.parts.png"]
    names = names if picture else names[:3]
    labels = labels_json(mesh, face_part, parts, category=category, mode=mode)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".alignparts.") as temporary:
            work = Path(temporary)
            (work / names[0]).write_bytes(parts_glb(mesh, face_part, parts))
            text = json.dumps(labels, indent=2, ensure_ascii=False) + "\n"
            (work / names[1]).write_text(text, encoding="utf-8")
            np.save(work / names[2], face_part.astype(np.int32), allow_pickle=False)
            if picture:
                called, captions = [part.name for part in parts], [part.caption for part in parts]
                picture_of_parts(mesh.surface, face_part, called, captions, work / names[3])
            for name in names:
                os.replace(work / name, folder / name)
    except OSError as error:
        raise AlignPartsError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return Written(*(folder / name for name in names))


def labels_json(
    mesh: InputMesh,
    face_part: Int32[np.ndarray, " faces"],
    parts: Sequence[PredictedPart],
    *,
    category: str = "",
    mode: str = "closed",
) -> dict[str, Any]:
    """Return the content of ``labels.json``, schema ``alignparts/labels/1``.

    ``parts[i].index`` is the value in ``face_labels.npy``; ``area`` is a share of the whole surface;
    ``nodes`` lists the input's geometry nodes in the face order, with the first face and the number of
    faces of each.
    """
    areas = mesh.surface.areas()
    total = max(float(areas.sum()), 1e-300)
    records = []
    for index, part in enumerate(parts):
        inside = face_part == index
        records.append(
            {
                "index": index,
                **_about(part),
                "partness": round(part.partness, 6),
                "faces": int(inside.sum()),
                "area": round(float(areas[inside].sum()) / total, 6),
            }
        )
    return {
        "schema": SCHEMA,
        "input": mesh.path.name,
        "mode": mode,
        "category": category,
        "parts": records,
        "faces": len(face_part),
        "unlabeled_faces": int((face_part < 0).sum()),
        "face_order": FACE_ORDER,
        "nodes": [
            {"name": node, "first_face": faces.start, "faces": faces.stop - faces.start}
            for node, faces in mesh.blocks.items()
        ],
    }


def parts_glb(
    mesh: InputMesh, face_part: Int32[np.ndarray, " faces"], parts: Sequence[PredictedPart]
) -> bytes:
    """Return a GLB in the input's frame: one node per part with faces, and "unlabeled" for the rest.

    A node's mesh has one primitive per piece of input geometry, with its uvs, colors, normals and material.
    Its matrix is that of the first input node it takes faces from. Extras: name, description, confidence,
    needs_review. Skins, animations and material extensions, which trimesh does not read, are lost.
    """
    scene = trimesh.Scene()
    nodes: list[dict[str, Any]] = []
    pieces_of: list[list[str]] = []
    for index in [*range(len(parts)), -1]:
        pieces, matrix = _pieces(mesh, face_part, index)
        if not pieces:
            continue
        names = []
        for number, piece in enumerate(pieces):
            names.append(f"{len(nodes)}.{number}")
            scene.add_geometry(piece, geom_name=names[-1], node_name=names[-1])
        pieces_of.append(names)
        extras = {"name": UNLABELED} if index < 0 else _about(parts[index])
        node: dict[str, Any] = {"name": extras["name"], "extras": extras}
        if not np.array_equal(matrix, np.eye(4)):
            node["matrix"] = matrix.T.reshape(-1).tolist()
        nodes.append(node)

    def one_node_per_part(tree: dict[str, Any]) -> None:
        primitives = {entry["name"]: entry["primitives"] for entry in tree["meshes"]}
        tree["meshes"] = [
            {"name": node["name"], "primitives": [item for name in names for item in primitives[name]]}
            for node, names in zip(nodes, pieces_of, strict=True)
        ]
        tree["nodes"] = [{**node, "mesh": index} for index, node in enumerate(nodes)]
        tree["scenes"] = [{"nodes": list(range(len(nodes)))}]
        tree["scene"] = 0
        tree.pop("cameras", None)

    logger = logging.getLogger("trimesh")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return export_glb(scene, tree_postprocessor=one_node_per_part)
    finally:
        logger.setLevel(level)


def _about(part: PredictedPart) -> dict[str, Any]:
    return {
        "name": part.name,
        "description": part.description,
        "confidence": round(part.confidence, 6),
        "needs_review": part.needs_review,
    }


def _pieces(
    mesh: InputMesh, face_part: Int[np.ndarray, " faces"], part: int
) -> tuple[list[trimesh.Trimesh], np.ndarray]:
    """Return a part's piece of every geometry node, in the frame of the first of them, and that frame."""
    frame: np.ndarray | None = None
    back: np.ndarray = np.eye(4)
    pieces = []
    for node, faces in mesh.blocks.items():
        chosen = np.flatnonzero(face_part[faces] == part)
        if not len(chosen):
            continue
        matrix, name = mesh.scene.graph[node]
        matrix = np.asarray(matrix, np.float64)
        if frame is None:
            # A mirrored or flat frame would turn or lose what comes from other nodes.
            frame = matrix if np.linalg.det(matrix[:3, :3]) > 1e-12 else np.eye(4)
            back = np.linalg.inv(frame)
        relative = np.eye(4) if np.array_equal(matrix, frame) else back @ matrix
        pieces.append(_cut(mesh.scene.geometry[name], chosen, relative))
    return pieces, np.eye(4) if frame is None else frame


def _cut(source: trimesh.Trimesh, chosen: Int[np.ndarray, " n"], matrix: np.ndarray) -> trimesh.Trimesh:
    """Cut out some faces of a mesh, moved by a matrix, with uvs, colors, normals and material."""
    corners = source.faces[chosen]
    used, flat = np.unique(corners, return_inverse=True)
    faces = flat.reshape(-1, 3)
    visual: Any = source.visual
    if visual.kind == "face":
        # glTF has no face colors: every corner becomes a separate vertex.
        used, faces = corners.reshape(-1), np.arange(3 * len(chosen)).reshape(-1, 3)
    vertices, normals = np.asarray(source.vertices)[used], _given_normals(source)
    normals = None if normals is None else normals[used]
    if not np.array_equal(matrix, np.eye(4)):
        linear = matrix[:3, :3]
        vertices = vertices @ linear.T + matrix[:3, 3]
        if np.linalg.det(linear) < 0:
            faces = faces[:, ::-1]
        if normals is not None:
            # Cofactors turn normals even where the matrix has no inverse.
            cofactor = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
            normals = normals @ cofactor.T * np.sign(np.linalg.det(linear) or 1.0)
    piece = trimesh.Trimesh(vertices, faces, vertex_normals=normals, process=False)
    piece.visual = _visual(visual, used, chosen)
    return piece


def _given_normals(mesh: trimesh.Trimesh) -> np.ndarray | None:
    if "vertex_normals" not in mesh._cache.cache:
        return None
    normals = np.asarray(mesh.vertex_normals)
    length = np.linalg.norm(normals, axis=1)
    # The glTF standard wants unit normals: none are better than zeros.
    return normals if np.isfinite(length).all() and length.min(initial=1.0) > 1e-6 else None


def _visual(visual: Any, used: np.ndarray, chosen: np.ndarray) -> Any:
    if visual.kind == "face":
        colors = np.repeat(np.asarray(visual.face_colors)[chosen], 3, axis=0)
        return trimesh.visual.ColorVisuals(vertex_colors=_bytes(colors))
    if visual.kind == "vertex":
        return trimesh.visual.ColorVisuals(vertex_colors=_bytes(np.asarray(visual.vertex_colors)[used]))
    if visual.kind != "texture":
        return trimesh.visual.ColorVisuals()
    uv = None if visual.uv is None else np.nan_to_num(np.asarray(visual.uv, np.float64)[used])
    result = trimesh.visual.TextureVisuals(uv=uv, material=_material(visual.material))
    tint = visual.vertex_attributes.get("color") if hasattr(visual, "vertex_attributes") else None
    if tint is not None and len(tint) > used.max():
        result.vertex_attributes["color"] = _bytes(np.asarray(tint)[used])
    return result


def _material(material: Any) -> Any:
    if isinstance(material, trimesh.visual.material.PBRMaterial) or not hasattr(material, "to_pbr"):
        return material
    changed = material.copy()
    if getattr(material, "image", None) is not None:
        # OBJ exporters write any Kd beside map_Kd, black included.
        changed.diffuse = np.array([255, 255, 255, 255], np.uint8)
        changed.image = material.image
    return changed.to_pbr()


def _bytes(colors: np.ndarray) -> np.ndarray:
    return np.round(rgba_float(colors) * 255).astype(np.uint8)
