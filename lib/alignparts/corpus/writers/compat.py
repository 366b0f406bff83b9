"""Write 3DCoMPaT++: glTF with placeholder images, style compositions and texture files."""

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.mesh.glb import GltfBuffer, encode_image
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.writers.common import unit_box, write_bytes, write_json

_MAPS = ("diffuse", "normal", "metallic-roughness")


def write(path: Path, shape: LabeledShape, seed: int) -> None:
    """Write ``models/<key>.gltf``, its textures and its share of the compositions; nothing is drawn by seed.

    A part has one material in this format, whatever its instances had: that of the largest.
    """
    root, key, surface = path.parents[1], shape.shape_id, unit_box(shape.surface)
    parts = [name or "object" for name in shape.instances]  # unlabeled: a name in no vocabulary
    style, textures, alpha = {}, {}, {}
    areas = np.bincount(surface.face_part, weights=surface.areas(), minlength=len(parts))
    for number, part in enumerate(dict.fromkeys(parts)):
        largest = max((i for i, name in enumerate(parts) if name == part), key=lambda i: (areas[i], -i))
        material = f"{key}_{number:02d}"
        data, mime, alpha[part] = encode_image(_texture(surface, largest), 1024)
        file = f"textures/{material}.{'png' if mime == 'image/png' else 'jpg'}"
        write_bytes(root / file, data)
        style[part] = material
        textures[material] = {"diffuse": [file, file[-4:]]}
    share = {"style": style, "textures": textures, "category": shape.category}
    write_json(root / "parts" / f"{key}.json", share)
    write_json(path, _gltf(surface, parts, alpha))


def finish(root: Path, classes: list[str], vocabulary: list[str], shapes: list[tuple[str, str]]) -> None:
    """Write ``metadata/``, ``styles/`` and ``textures_map.json`` for (key, split) pairs.

    The paper draws its test shapes from the official train and valid shapes, so they stand there.
    """
    split: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    styles: dict[str, dict[str, dict[str, str]]] = {name: {} for name in split}
    textures: dict[str, Any] = {}
    for key, name in shapes:
        official = "train" if name == "train" else "valid"
        share = json.loads((root / "parts" / f"{key}.json").read_text())
        split[official].append(key)
        styles[official][f"{key}__0"] = share["style"]
        textures.update(share["textures"])
    for name, composition in styles.items():
        write_json(root / "styles" / name / "comp_fine_0.json", composition)
    write_json(root / "textures_map.json", textures)
    write_json(root / "metadata" / "classes.json", classes)
    write_json(root / "metadata" / "parts_fine.json", vocabulary)
    write_json(root / "metadata" / "split.json", split)


def _texture(surface: Surface, part: int) -> np.ndarray:
    """Return the image of a part's material times its color; an image of that color where it has none."""
    face = np.flatnonzero(surface.face_part == part)[0]
    image = surface.textures[surface.face_material[face]]
    if image is None:
        image = np.full((8, 8, 4), 255, np.uint8)
    return np.round(image * surface.corner_color[face, 0]).clip(0, 255).astype(np.uint8)


def _gltf(surface: Surface, parts: list[str], alpha: dict[str, bool]) -> dict[str, Any]:
    buffer = GltfBuffer()
    tree = buffer.header({"nodes": list(range(len(parts)))}, [], [])
    tree |= {"materials": [], "textures": [], "images": [], "samplers": [{"wrapS": 10497, "wrapT": 10497}]}
    materials = list(dict.fromkeys(parts))
    for part in materials:
        first = len(tree["textures"])
        for kind in _MAPS:
            tree["images"].append({"mimeType": "type_placeholder", "name": part, "uri": kind})
            tree["textures"].append({"sampler": 0, "source": len(tree["images"]) - 1})
        color, normal, rough = ({"index": first + offset} for offset in range(3))
        pbr = {"baseColorTexture": color, "metallicRoughnessTexture": rough}
        material = {"name": part, "doubleSided": True, "normalTexture": normal, "pbrMetallicRoughness": pbr}
        tree["materials"].append(material | ({"alphaMode": "BLEND"} if alpha[part] else {}))
    times: Counter[str] = Counter()
    normals = surface.normals().astype(np.float32)
    for index, part in enumerate(parts):
        times[part] += 1
        name = f"{part}_{times[part]:02d}"
        primitive = _primitive(buffer, surface, normals, np.flatnonzero(surface.face_part == index))
        primitive["material"] = materials.index(part)
        tree["meshes"].append({"name": name, "primitives": [primitive]})
        tree["nodes"].append({"name": name, "mesh": index})
    uri = "data:application/octet-stream;base64," + base64.b64encode(bytes(buffer.data)).decode()
    tree["buffers"] = [{"byteLength": len(buffer.data), "uri": uri}]
    return tree


def _primitive(
    buffer: GltfBuffer, surface: Surface, normals: np.ndarray, faces: np.ndarray
) -> dict[str, Any]:
    points = surface.vertices[surface.faces[faces]].reshape(-1, 3).astype(np.float32)
    uv = surface.uv[faces].reshape(-1, 2) * np.array([1, -1]) + np.array([0, 1])
    rows = np.concatenate([points, uv, np.repeat(normals[faces], 3, axis=0)], axis=1, dtype=np.float32)
    distinct, at = np.unique(rows.view([("", np.float32)] * 8).reshape(-1), return_inverse=True)
    rows = distinct.view(np.float32).reshape(-1, 8)
    attributes = {
        "POSITION": buffer.accessor(rows[:, :3], bounds=True),
        "TEXCOORD_0": buffer.accessor(rows[:, 3:5]),
        "NORMAL": buffer.accessor(rows[:, 5:], bounds=True),
    }
    return {"attributes": attributes, "indices": buffer.accessor(at.reshape(-1).astype(np.uint32))}
