"""Write PartNet v0: trees of names, one OBJ per component, and the point samples."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.writers.common import fresh_folder, table_text, unit_sphere, write_bytes, write_json

SAMPLES = 10_000


def write(folder: Path, shape: LabeledShape, seed: int) -> None:
    """Write the folder of one annotation, ``data/<key>``; the names of instances are paths in the tree."""
    surface = unit_sphere(shape.surface)
    with fresh_folder(folder) as target:
        tree, leaf_of = _raw_tree(shape, surface, target / "objs", np.random.default_rng(seed))
        meta = {"model_id": model_id(shape.shape_id), "anno_id": shape.shape_id, "user_id": "procedural"}
        meta |= {"time_in_sec": "0", "version": "1", "model_cat": shape.category}
        write_json(target / "meta.json", meta)
        write_json(target / "result.json", [tree])
        write_json(target / "result_after_merging.json", [_merged(tree, itertools.count())])
        _write_samples(target / "point_sample", surface, np.array(leaf_of), seed)


def model_id(key: str) -> str:
    """Return the model that an annotation is of: every generated shape has one annotation."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def finish(root: Path, shapes: list[tuple[str, str, str]]) -> None:
    """Write ``stats/`` for (key, category, split) triples; held-out shapes stand with the tested."""
    official = {"train": ["train"], "val": ["validation"], "test": ["test", "heldout"]}
    for category, (name, splits) in itertools.product({row[1] for row in shapes}, official.items()):
        keys = [key for key, other, split in shapes if other == category and split in splits]
        entries = [{"model_id": model_id(key), "anno_id": key} for key in keys]
        write_json(root / "stats" / "train_val_test_split" / f"{category}.{name}.json", entries)
    lines = [f"{key} 1 {category} {model_id(key)} procedural\n" for key, category, _ in shapes]
    write_bytes(root / "stats" / "all_valid_anno_info.txt", "".join(lines).encode())


def _raw_tree(
    shape: LabeledShape, surface: Surface, objs: Path, rng: np.random.Generator
) -> tuple[dict[str, Any], list[int]]:
    """Write the OBJ files; return the root of ``result.json`` and the leaf id of every part instance."""
    objs.mkdir(parents=True)
    top = next((name.split("/")[0] for name in shape.instances if name), shape.category.lower())
    number, component = itertools.count(), itertools.count()

    def node(name: str, **entries: Any) -> dict[str, Any]:
        return {"id": next(number), "name": name, "text": name.replace("_", " ").capitalize(), **entries}

    root = node(top, children=[])
    inner: dict[tuple[str, ...], dict[str, Any]] = {(): root}
    leaf_of = []
    for part, name in enumerate(shape.instances):
        path = (name or "other").split("/")
        way = path[1:-1] if path[0] == top else path[:-1]
        for depth in range(len(way)):
            key = tuple(way[: depth + 1])
            if key not in inner:
                inner[key] = node(way[depth], children=[])
                inner[key[:-1]]["children"].append(inner[key])
        faces = np.flatnonzero(surface.face_part == part)
        # Annotators cut components: one leaf, several OBJ files.
        cut = len(faces) > 40 and rng.random() < 0.2
        pieces = [faces[: len(faces) // 2], faces[len(faces) // 2 :]] if cut else [faces]
        names = [f"{'new' if cut else 'original'}-{next(component)}" for _ in pieces]
        for file, piece in zip(names, pieces, strict=True):
            _write_obj(objs / f"{file}.obj", surface, piece)
        leaf = node(path[-1], objs=names)
        inner[tuple(way)]["children"].append(leaf)
        leaf_of.append(leaf["id"])
    return root, leaf_of


def _merged(node: dict[str, Any], number: "itertools.count[int]", depth: int = 0) -> dict[str, Any]:
    """Return the cleaned tree: renumbered, ``objs`` at every node, deep leaves merged, "other" left out."""
    new = {"ori_id": node["id"], "name": node["name"], "id": next(number), "text": node["text"]}
    new["objs"] = _objs(node)
    children = [child for child in node.get("children", []) if child["name"] != "other"]
    if children and depth < 3:  # below, leaves are taken together
        new["children"] = [_merged(child, number, depth + 1) for child in children]
    return new


def _objs(node: dict[str, Any]) -> list[str]:
    return [*node.get("objs", []), *(name for child in node.get("children", []) for name in _objs(child))]


def _write_obj(path: Path, surface: Surface, faces: np.ndarray) -> None:
    used, index = np.unique(surface.faces[faces], return_inverse=True)
    text = ("v %.6f %.6f %.6f\n" * len(used)) % tuple(surface.vertices[used].reshape(-1).tolist())
    text += ("f %d %d %d\n" * len(faces)) % tuple((index.reshape(-1) + 1).tolist())
    path.write_text(text)


def _write_samples(folder: Path, surface: Surface, leaf_of: np.ndarray, seed: int) -> None:
    folder.mkdir(parents=True)
    bare, full = (sample_surface(surface, SAMPLES, number) for number in (seed, seed + 1))
    bare_points, points = (sample.points / sample.scale + sample.center for sample in (bare, full))
    (folder / "pts-10000.txt").write_bytes(table_text(*bare_points.T))
    (folder / "label-10000.txt").write_bytes(table_text(leaf_of[bare.instance]))
    rgba = surface.color_at(full.face, full.bary)
    normals, rgb = np.round(full.normals.astype(np.float64), 3), np.round(rgba[:, :3] * 255).astype(np.int64)
    table = table_text(*points.T, *normals.T, *rgb.T, np.round(rgba[:, 3], 3))
    (folder / "sample-points-all-pts-nor-rgba-10000.txt").write_bytes(table)
    (folder / "sample-points-all-label-10000.txt").write_bytes(table_text(leaf_of[full.instance]))
