"""Export of named parts: a GLB with one node per part, labels, and a picture."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import trimesh
from jaxtyping import Int, Int32
from trimesh.exchange.gltf import export_glb

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import InputMesh, quiet
from alignparts.corpus.mesh.surface import rgba_float
from alignparts.naming.granularity import Child, Kind, Level, children
from alignparts.naming.prediction import PredictedPart

SCHEMA = "alignparts/labels/1"
UNLABELED = "unlabeled"
FACE_ORDER = (
    "row i is the part of face i; faces count through the geometry nodes in the order of 'nodes', "
    "within a node in the order of its mesh, polygons cut into triangles"
)


class Written(NamedTuple):
    """Paths of the files of one mesh; ``levels`` has one per level below the parts."""

    glb: Path
    labels: Path
    faces: Path
    picture: Path | None = None
    levels: tuple[Path, ...] = ()


def export_named(
    mesh: InputMesh,
    face_part: Int32[np.ndarray, " faces"],
    parts: Sequence[PredictedPart],
    folder: Path,
    *,
    category: str = "",
    mode: str = "closed",
    levels: Sequence[Level] = (),
    picture: bool = True,
    traced: bool = False,
) -> Written:
    """Write ``<name>.parts.glb``, ``labels.json``, ``face_labels.npy`` and ``<name>.parts.png``.

    All files are made in a temporary folder and moved together at the end, the labels last: a failure leaves
    nothing behind, and where there are labels, the rest is there.
    In ``labels.json``, a part's ``index`` is its value in ``face_labels.npy``, and ``nodes`` lists the
    geometry nodes of the input in the order of the faces. The folder is made if needed, and files of these
    names are replaced. ``face_part`` is the part per face of ``mesh.surface``, -1 unlabeled; the category is
    "" if unknown, the mode "closed", "open" or "query". ``traced`` labels have the ``source``: the
    input's path as seen from the folder, and the SHA-256 of its bytes.

    Levels below the parts add children to the parts of the GLB and of ``labels.json``, and one array each:
    ``face_instances.npy`` or ``face_pieces.npy`` has the number of a face's child, from 1, 0 unlabeled.

    Raises:
        AlignPartsError: the labels do not fit the mesh, or the folder cannot be written.
    """
    if len(face_part) != len(mesh.surface.faces):
        raise AlignPartsError(f"{mesh.path}: {len(face_part)} labels for {len(mesh.surface.faces)} faces")
    if len(face_part) and face_part.max() >= len(parts):
        raise AlignPartsError(f"{mesh.path}: a face label is beyond the {len(parts)} parts")
    names = [f"{mesh.name}.parts.glb", "labels.json", "face_labels.npy", f"{mesh.name}.parts.png"]
    arrays = {f"face_{level.kind}s.npy": level.of_face for level in levels}
    labels = {
        "schema": SCHEMA,
        "input": mesh.path.name,
        "mode": mode,
        "category": category,
        "parts": _records(mesh, face_part, parts, levels),
        "faces": len(face_part),
        "unlabeled_faces": int((face_part < 0).sum()),
        "face_order": FACE_ORDER,
        "nodes": [
            {"name": node, "first_face": faces.start, "faces": faces.stop - faces.start}
            for node, faces in mesh.blocks.items()
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if traced:
            labels["source"] = {"path": _seen_from(folder, mesh.path), "sha256": digest(mesh.path)}
        with tempfile.TemporaryDirectory(dir=folder, prefix=".alignparts.") as temporary:
            work = Path(temporary)
            (work / names[0]).write_bytes(parts_glb(mesh, face_part, parts, levels))
            text = json.dumps(labels, indent=2, ensure_ascii=False) + "\n"
            (work / names[1]).write_text(text, encoding="utf-8")
            for name, array in {names[2]: face_part, **arrays}.items():
                np.save(work / name, array.astype(np.int32), allow_pickle=False)
            if picture:
                from alignparts.pictures.figures import picture_of_parts

                called, captions = [part.name for part in parts], [part.caption for part in parts]
                picture_of_parts(mesh.surface, face_part, called, captions, work / names[3])
            for path in sorted(work.iterdir(), key=lambda path: (path.name == names[1], path)):
                os.replace(path, folder / path.name)
        others = {f"face_{kind}s.npy" for kind in get_args(Kind)} - arrays.keys()
        for name in others if picture else {*others, names[3]}:
            (folder / name).unlink(missing_ok=True)  # of an earlier run: it no longer fits
    except OSError as error:
        raise AlignPartsError(f"{folder}: cannot be written: {error.strerror or error}") from None
    glb, text_file, faces, drawn = (folder / name for name in names)
    return Written(glb, text_file, faces, drawn if picture else None, tuple(folder / name for name in arrays))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seen_from(folder: Path, path: Path) -> str:
    """Return a path relative to a folder, so that both can move; absolute where they share no root."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on drives of their own
        return path.resolve().as_posix()


def _records(
    mesh: InputMesh,
    face_part: Int32[np.ndarray, " faces"],
    parts: Sequence[PredictedPart],
    levels: Sequence[Level],
) -> list[dict[str, Any]]:
    """Return what ``labels.json`` says of every part; areas are shares of the whole surface."""
    areas = mesh.surface.areas()
    total, records = max(float(areas.sum()), 1e-300), []

    def size(inside: Int[np.ndarray, " n"], below: Sequence[Child]) -> dict[str, Any]:
        own = {"faces": len(inside), "area": round(float(areas[inside].sum()) / total, 6)}
        listed = [{"name": child.name, **child.about, **size(child.faces, child.children)} for child in below]
        return {**own, "children": listed} if listed else own

    for index, part in enumerate(parts):
        inside = np.flatnonzero(face_part == index)
        sizes = size(inside, children(levels, (index,), part.name, inside))
        records.append({"index": index, **_about(part), "partness": round(part.partness, 6), **sizes})
    return records


def parts_glb(
    mesh: InputMesh,
    face_part: Int32[np.ndarray, " faces"],
    parts: Sequence[PredictedPart],
    levels: Sequence[Level] = (),
) -> bytes:
    """Return a GLB in the input's frame: one node per part with faces, and "unlabeled" for the rest.

    A part with several children on a level is a node without a mesh above them. The extras of a child are the
    part's, its number, ``instance`` or ``piece``, and its ``position`` in words, "" without any.

    A node's mesh has one primitive per piece of input geometry, with its uvs, colors, normals and material.
    Its matrix is that of the first input node it takes faces from. Extras: name, description, confidence,
    needs_review. Skins, animations and material extensions, which trimesh does not read, are lost.
    """
    scene = trimesh.Scene()
    nodes: list[dict[str, Any]] = []
    pieces_of: list[list[str]] = []
    roots: list[int] = []

    def add(name: str, extras: dict[str, Any], inside: Int[np.ndarray, " n"], below: Sequence[Child]) -> int:
        node: dict[str, Any] = {"name": name, "extras": extras}
        number = len(nodes)
        nodes.append(node)
        if below:
            node["children"] = [
                add(child.name, {**extras, **child.about}, child.faces, child.children) for child in below
            ]
            return number
        pieces, matrix = _pieces(mesh, inside)
        if not np.array_equal(matrix, np.eye(4)):
            node["matrix"] = matrix.T.reshape(-1).tolist()
        node["mesh"] = len(pieces_of)
        pieces_of.append([f"{node['mesh']}.{index}" for index in range(len(pieces))])
        for title, piece in zip(pieces_of[-1], pieces, strict=True):
            scene.add_geometry(piece, geom_name=title, node_name=title)
        return number

    for index in [*range(len(parts)), -1]:
        inside = np.flatnonzero(face_part == index)
        if len(inside):
            about = {"name": UNLABELED} if index < 0 else _about(parts[index])
            below = [] if index < 0 else children(levels, (index,), about["name"], inside)
            roots.append(add(about["name"], about, inside, below))

    def one_node_per_part(tree: dict[str, Any]) -> None:
        primitives = {entry["name"]: entry["primitives"] for entry in tree["meshes"]}
        tree["meshes"] = [
            {"name": node["name"], "primitives": [item for name in names for item in primitives[name]]}
            for node, names in zip((node for node in nodes if "mesh" in node), pieces_of, strict=True)
        ]
        tree["nodes"] = nodes
        tree["scenes"] = [{"nodes": roots}]
        tree["scene"] = 0
        tree.pop("cameras", None)

    with quiet():
        return export_glb(scene, tree_postprocessor=one_node_per_part)


def _about(part: PredictedPart) -> dict[str, Any]:
    return {
        "name": part.name,
        "description": part.description,
        "confidence": round(part.confidence, 6),
        "needs_review": part.needs_review,
    }


def _pieces(mesh: InputMesh, inside: Int[np.ndarray, " n"]) -> tuple[list[trimesh.Trimesh], np.ndarray]:
    """Return some faces' piece of every geometry node, in the frame of the first of them, and that frame."""
    frame: np.ndarray = np.eye(4)
    pieces: list[trimesh.Trimesh] = []
    for node, faces in mesh.blocks.items():
        chosen = inside[(inside >= faces.start) & (inside < faces.stop)] - faces.start
        if len(chosen):
            matrix, name = mesh.scene.graph[node]
            # A mirrored or flat frame would turn or lose what comes from other nodes.
            if not pieces and np.linalg.det(matrix[:3, :3]) > 1e-12:
                frame = np.asarray(matrix, np.float64)
            pieces.append(_cut(mesh.scene.geometry[name], chosen))
            pieces[-1].apply_transform(np.linalg.inv(frame) @ matrix)
    return pieces, frame


def _cut(source: trimesh.Trimesh, chosen: Int[np.ndarray, " n"]) -> trimesh.Trimesh:
    """Cut out some faces of a mesh, with uvs, colors, normals and material."""
    visual: Any = source.visual
    corners = source.faces[chosen]
    vertices, faces = np.unique(corners, return_inverse=True)
    if visual.kind == "face":
        # glTF has no face colors: every corner becomes a separate vertex.
        vertices, faces = corners.reshape(-1), np.arange(corners.size)
    piece: Any = trimesh.Trimesh(source.vertices[vertices], faces.reshape(-1, 3), process=False)
    if "vertex_normals" in source._cache.cache:
        length = np.linalg.norm(source.vertex_normals, axis=1)
        # The glTF standard wants unit normals: none are better than zeros.
        if np.isfinite(length).all() and length.min(initial=1.0) > 1e-6:
            piece.vertex_normals = source.vertex_normals[vertices]
    if visual.kind == "texture":
        uv = None if visual.uv is None else np.nan_to_num(visual.uv[vertices])
        piece.visual = trimesh.visual.TextureVisuals(uv=uv, material=_material(visual.material))
        tint = visual.vertex_attributes.get("color")
        if tint is not None and len(tint) == len(source.vertices):
            rgba = np.round(rgba_float(np.asarray(tint)[vertices]) * 255).astype(np.uint8)
            piece.visual.vertex_attributes["color"] = rgba
    elif visual.kind == "face":
        piece.visual.vertex_colors = visual.face_colors[chosen].repeat(3, axis=0)
    elif visual.kind == "vertex":
        piece.visual.vertex_colors = visual.vertex_colors[vertices]
    return piece


def _material(material: Any) -> Any:
    if isinstance(material, trimesh.visual.material.PBRMaterial) or not hasattr(material, "to_pbr"):
        return material
    changed = material.copy()
    if getattr(material, "image", None) is not None:
        # OBJ exporters write any Kd beside map_Kd, black included.
        changed.diffuse = np.array([255, 255, 255, 255], np.uint8)
        changed.image = material.image
    return changed.to_pbr()
