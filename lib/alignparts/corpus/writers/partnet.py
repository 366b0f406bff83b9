"""Writing PartNet v0: trees of names, one OBJ a component, and the point samples."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.writers.common import (
    Drawing,
    fresh_folder,
    table_text,
    unit_sphere,
    write_bytes,
    write_json,
)

SAMPLES = 10_000
# Depth to which the merged tree keeps nodes; below, leaves are taken together.
_MERGED_DEPTH = 3


def write(root: Path, drawing: Drawing) -> None:
    """Write ``data/<key>/``; nothing is done where the folder is there."""
    folder = root / "data" / drawing.key
    if folder.is_dir():
        return
    surface = unit_sphere(drawing.surface)
    with fresh_folder(folder) as target:
        tree, leaf_of = _raw_tree(drawing, surface, target / "objs")
        meta = {
            "model_id": model_id(drawing.key),
            "anno_id": drawing.key,
            "user_id": "procedural",
            "time_in_sec": "0",
            "version": "1",
            "model_cat": drawing.category,
        }
        write_json(target / "meta.json", meta)
        write_json(target / "result.json", tree)
        write_json(target / "result_after_merging.json", _merged(tree))
        _write_samples(target / "point_sample", surface, np.array(leaf_of), drawing.seed)


def model_id(key: str) -> str:
    """The model an annotation is of: every generated shape has one annotation."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def finish(root: Path, shapes: list[tuple[str, str, str]]) -> None:
    """Write ``stats/`` for (key, category, split) triples; held-out shapes stand with the tested."""
    official = {"train": "train", "validation": "val", "test": "test", "heldout": "test"}
    lists: dict[tuple[str, str], list[dict[str, str]]] = {}
    for key, category, split in shapes:
        for name in ("train", "val", "test"):
            lists.setdefault((category, name), [])
        lists[category, official[split]].append({"model_id": model_id(key), "anno_id": key})
    for (category, name), entries in lists.items():
        write_json(root / "stats" / "train_val_test_split" / f"{category}.{name}.json", entries)
    lines = [f"{key} 1 {category} {model_id(key)} procedural\n" for key, category, _ in shapes]
    write_bytes(root / "stats" / "all_valid_anno_info.txt", "".join(lines).encode())


def _raw_tree(drawing: Drawing, surface: Surface, objs: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The tree of ``result.json`` with its OBJ files written; id of the leaf of every part instance."""
    objs.mkdir(parents=True)
    rng = np.random.default_rng(drawing.seed)
    paths = [(name or "other").split("/") for name in drawing.names]
    top = next(
        (path[0] for path, name in zip(paths, drawing.names, strict=True) if name), drawing.category.lower()
    )
    root: dict[str, Any] = {"id": 0, "name": top, "text": _text(top), "children": []}
    inner: dict[tuple[str, ...], dict[str, Any]] = {(): root}
    count, component = 1, 0
    leaf_of = []
    for part, path in enumerate(paths):
        way = path[1:-1] if path[0] == top else path[:-1]
        node = root
        for depth in range(len(way)):
            key = tuple(way[: depth + 1])
            if key not in inner:
                inner[key] = {"id": count, "name": way[depth], "text": _text(way[depth]), "children": []}
                count += 1
                node["children"].append(inner[key])
            node = inner[key]
        faces = np.flatnonzero(surface.face_part == part)
        pieces = [faces]
        if len(faces) > 40 and rng.random() < 0.2:
            # Annotators cut components: one leaf, several OBJ files.
            pieces = [faces[: len(faces) // 2], faces[len(faces) // 2 :]]
        names = []
        for number, piece in enumerate(pieces):
            names.append(f"{'original' if len(pieces) == 1 else 'new'}-{component + number}")
            _write_obj(objs / f"{names[-1]}.obj", surface, piece)
        component += len(pieces)
        node["children"].append({"id": count, "name": path[-1], "text": _text(path[-1]), "objs": names})
        leaf_of.append(count)
        count += 1
    return [root], leaf_of


def _merged(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cleaned tree: renumbered, ``objs`` at every node, deep leaves merged, "other" left out."""
    number = iter(range(1_000_000))

    def visit(node: dict[str, Any], depth: int) -> dict[str, Any]:
        new = {"ori_id": node["id"], "name": node["name"], "id": next(number), "text": node["text"]}
        new["objs"] = _objs(node)
        children = [child for child in node.get("children", []) if child["name"] != "other"]
        if children and depth < _MERGED_DEPTH:
            new["children"] = [visit(child, depth + 1) for child in children]
        return new

    return [visit(tree[0], 0)]


def _objs(node: dict[str, Any]) -> list[str]:
    return [*node.get("objs", []), *(name for child in node.get("children", []) for name in _objs(child))]


def _text(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _write_obj(path: Path, surface: Surface, faces: np.ndarray) -> None:
    used, index = np.unique(surface.faces[faces], return_inverse=True)
    points = surface.vertices[used]
    corners = index.reshape(-1, 3) + 1
    text = ("v %.6f %.6f %.6f\n" * len(points)) % tuple(points.reshape(-1).tolist())
    text += ("f %d %d %d\n" * len(corners)) % tuple(corners.reshape(-1).tolist())
    path.write_text(text)


def _write_samples(folder: Path, surface: Surface, leaf_of: np.ndarray, seed: int) -> None:
    folder.mkdir(parents=True)
    bare = sample_surface(surface, SAMPLES, seed)
    points = bare.points / bare.scale + bare.center
    (folder / "pts-10000.txt").write_bytes(table_text(*points.T))
    (folder / "label-10000.txt").write_bytes(table_text(leaf_of[bare.instance]))
    full = sample_surface(surface, SAMPLES, seed + 1)
    points = full.points / full.scale + full.center
    rgba = surface.color_at(full.face, full.bary)
    rgb = np.round(rgba[:, :3] * 255).astype(np.int64)
    table = table_text(
        *points.T, *np.round(full.normals.astype(np.float64), 3).T, *rgb.T, np.round(rgba[:, 3], 3)
    )
    (folder / "sample-points-all-pts-nor-rgba-10000.txt").write_bytes(table)
    (folder / "sample-points-all-label-10000.txt").write_bytes(table_text(leaf_of[full.instance]))
