"""Writing 3DCoMPaT++: glTF with placeholder images, style compositions and texture files."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.mesh.glb_write import encode_image
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.writers.common import Drawing, unit_box, write_bytes, write_json

# A node of this name is in no vocabulary: the part stays unlabeled.
_NAMELESS = "object"
_MAPS = ("diffuse", "normal", "metallic-roughness")


def write(root: Path, drawing: Drawing) -> None:
    """Write ``models/<key>.gltf``, its textures and its share of the compositions; once.

    A part has one material in this format, whatever its instances had: that of the largest.
    """
    path = root / "models" / f"{drawing.key}.gltf"
    if path.is_file():
        return
    surface = unit_box(drawing.surface)
    parts = [name or _NAMELESS for name in drawing.names]
    style, textures, alpha = {}, {}, {}
    areas = np.bincount(surface.face_part, weights=surface.areas(), minlength=len(parts))
    for number, part in enumerate(dict.fromkeys(parts)):
        largest = max((i for i, name in enumerate(parts) if name == part), key=lambda i: (areas[i], -i))
        material = f"{drawing.key}_{number:02d}"
        data, mime, alpha[part] = encode_image(_texture(surface, largest), 1024)
        file = f"textures/{material}.{'png' if mime == 'image/png' else 'jpg'}"
        write_bytes(root / file, data)
        style[part] = material
        textures[material] = {"diffuse": [file, file[-4:]]}
    share = {"style": style, "textures": textures, "category": drawing.category}
    write_json(root / "parts" / f"{drawing.key}.json", share)
    write_json(path, _gltf(surface, parts, alpha))


def finish(root: Path, classes: list[str], vocabulary: list[str], shapes: list[tuple[str, str]]) -> None:
    """Write ``metadata/``, ``styles/`` and ``textures_map.json`` for (key, split) pairs.

    The paper draws its test shapes from the official train and valid shapes, so they stand there.
    """
    official = {"train": "train", "validation": "valid", "test": "valid", "heldout": "valid"}
    split: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    styles: dict[str, dict[str, dict[str, str]]] = {"train": {}, "valid": {}, "test": {}}
    textures: dict[str, Any] = {}
    for key, name in shapes:
        share = json.loads((root / "parts" / f"{key}.json").read_text())
        split[official[name]].append(key)
        styles[official[name]][f"{key}__0"] = share["style"]
        textures.update(share["textures"])
    for name, composition in styles.items():
        write_json(root / "styles" / name / "comp_fine_0.json", composition)
    write_json(root / "textures_map.json", textures)
    write_json(root / "metadata" / "classes.json", classes)
    write_json(root / "metadata" / "parts_fine.json", vocabulary)
    write_json(root / "metadata" / "split.json", split)


def _texture(surface: Surface, part: int) -> np.ndarray:
    """The image of a part's material with its color multiplied in; one texel where it has none."""
    faces = np.flatnonzero(surface.face_part == part)
    color = surface.corner_color[faces[0], 0]
    image = surface.textures[surface.face_material[faces[0]]]
    if image is None:
        image = np.full((8, 8, 4), 255, np.uint8)
    return np.round(image * color).clip(0, 255).astype(np.uint8)


def _gltf(surface: Surface, parts: list[str], alpha: dict[str, bool]) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "alignparts"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(parts)))}],
        "nodes": [], "meshes": [], "accessors": [], "bufferViews": [],
        "materials": [], "textures": [], "images": [], "samplers": [{"wrapS": 10497, "wrapT": 10497}],
    }  # fmt: skip
    buffer = bytearray()

    def accessor(values: np.ndarray, component: int, kind: str) -> int:
        buffer.extend(b"\0" * (-len(buffer) % 4))
        data = np.ascontiguousarray(values).tobytes()
        tree["bufferViews"].append({"buffer": 0, "byteOffset": len(buffer), "byteLength": len(data)})
        buffer.extend(data)
        entry: dict[str, Any] = {
            "bufferView": len(tree["bufferViews"]) - 1,
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if kind == "VEC3":
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        tree["accessors"].append(entry)
        return len(tree["accessors"]) - 1

    material_of = {}
    for part in dict.fromkeys(parts):
        first = len(tree["textures"])
        for kind in _MAPS:
            tree["images"].append({"mimeType": "type_placeholder", "name": part, "uri": kind})
            tree["textures"].append({"sampler": 0, "source": len(tree["images"]) - 1})
        material_of[part] = len(tree["materials"])
        material = {
            "name": part,
            "doubleSided": True,
            "normalTexture": {"index": first + 1},
            "pbrMetallicRoughness": {
                "baseColorTexture": {"index": first},
                "metallicRoughnessTexture": {"index": first + 2},
            },
        }
        tree["materials"].append(material | ({"alphaMode": "BLEND"} if alpha[part] else {}))
    times: dict[str, int] = {}
    normals = surface.normals().astype(np.float32)
    for index, part in enumerate(parts):
        faces = np.flatnonzero(surface.face_part == index)
        points = surface.vertices[surface.faces[faces]].reshape(-1, 3).astype(np.float32)
        uv = surface.uv[faces].reshape(-1, 2) * np.array([1, -1]) + np.array([0, 1])
        rows = np.concatenate([points, uv, np.repeat(normals[faces], 3, axis=0)], axis=1, dtype=np.float32)
        distinct, at = np.unique(rows.view([("", np.float32)] * 8).reshape(-1), return_inverse=True)
        rows = distinct.view(np.float32).reshape(-1, 8)
        primitive = {
            "attributes": {
                "POSITION": accessor(rows[:, :3], 5126, "VEC3"),
                "TEXCOORD_0": accessor(rows[:, 3:5], 5126, "VEC2"),
                "NORMAL": accessor(rows[:, 5:], 5126, "VEC3"),
            },
            "indices": accessor(at.reshape(-1).astype(np.uint32), 5125, "SCALAR"),
            "material": material_of[part],
        }
        times[part] = times.get(part, 0) + 1
        name = f"{part}_{times[part]:02d}"
        tree["meshes"].append({"name": name, "primitives": [primitive]})
        tree["nodes"].append({"name": name, "mesh": index})
    uri = "data:application/octet-stream;base64," + base64.b64encode(bytes(buffer)).decode()
    tree["buffers"] = [{"byteLength": len(buffer), "uri": uri}]
    return tree
