"""The embedded default corpus: generated shapes, written to disk in the data sets' own formats."""

import hashlib
import json
import shutil
from collections import Counter, deque
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import procparts
from alignparts.core.config.corpus import CorpusParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus.dialects import DATASETS, Dialects, load_dialects
from alignparts.corpus.mesh.glb import write_glb
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.corpus.mesh.surface import Surface, join_surfaces, make_surface
from alignparts.corpus.shape import LabeledShape, safe_id
from alignparts.corpus.splits import assign_splits
from alignparts.corpus.writers import compat, find3d, partnet
from alignparts.corpus.writers.common import write_bytes, write_json
from procparts import CATEGORIES, Piece, generate

LICENSE = "MIT"
_STAMP = "embedded.json"
_WRITERS: dict[str, Any] = {"partnet": partnet, "compat": compat, "find3d": find3d}


@dataclass(frozen=True)
class Planned:
    """A shape to generate; its seed comes from category, data set and the running number within the two."""

    category: str
    dataset: str
    number: int
    key: str

    @property
    def shape_id(self) -> str:
        """Id that the reader will give it."""
        return safe_id(self.dataset, self.key)


def plan(params: CorpusParams, seed: int) -> list[Planned]:
    """Return the shapes of which the corpus consists.

    A seen category has ``shapes_per_category`` shapes over its dialects by their shares, and its test shapes
    besides; a held-out category ``heldout_shapes``. A shape's look depends on its category, dialect, number
    and the seed only, so that other sizes keep the shapes that are there.
    """
    words = load_dialects()
    categories = sorted(CATEGORIES)
    for name in params.heldout:
        if name not in categories:
            raise AlignPartsError(f"params.yaml: corpus.heldout: '{name}' is not a category of the generator")
    named = [name for name in categories if name not in params.heldout and "find3d" in words.datasets(name)]
    order = sorted(named, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    extra = set(order[: params.find3d_test])
    classes = compat_classes(words)
    result = [
        Planned(category, dataset, number, _key(category, dataset, number, words, classes))
        for category in categories
        for dataset, count in _counts(category, words.datasets(category), params, category in extra).items()
        for number in range(count)
    ]
    for name, times in Counter(item.shape_id for item in result).most_common(1):
        if times > 1:
            raise AlignPartsError(f"embedded corpus: two shapes would be called {name}")
    return result


def write_embedded(
    root: Path, params: CorpusParams, seed: int, *, workers: int = 1, scheduler: str | None = None
) -> list[Path]:
    """Write the corpus under ``root`` as ``partnet/``, ``compat/`` and ``find3d/``; return these folders.

    Shapes that are there are kept, unless other code, dialects or another seed made them.
    """
    planned = plan(params, seed)
    _clear_if_stale(root, params, seed)
    write = partial(_write_one, root=root, params=params, seed=seed)
    name = "embedded corpus"
    deque(map_shapes(write, planned, workers=workers, scheduler=scheduler, description=name), maxlen=0)
    _finish(root, planned, params, seed)
    return [root / name for name in DATASETS if (root / name).is_dir()]


def write_open_like(root: Path, seed: int, count: int = 6) -> None:
    """Write a few shapes as the open test set lies on disk: a manifest, and files whose nodes name parts.

    Repository and license stand for none; every two shapes are a pack.
    """
    rows = []
    for number, category in enumerate(sorted(CATEGORIES)[:count]):
        pieces = generate(category, np.random.default_rng([seed, number]), free_yaw=0.0)
        parts = sorted({piece.part for piece in pieces})
        nodes = [{"name": piece.part, "extras": {}} for piece in pieces]
        path = root / f"files/generated+pack/{category}.glb"
        write_glb(path, surface_of(pieces), nodes)
        rows.append({
            "id": category, "repository": "generated/pack", "commit": "0" * 40, "path": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "license": LICENSE,
            "attribution": "generated", "category": category, "pack": f"pack_{number // 2}", "by": "node",
            "parts": "|".join(f"{part}={part}" for part in parts), "files": "",
        })  # fmt: skip
    write_bytes(root / "manifest.csv", pd.DataFrame(rows).to_csv(index=False).encode())


def surface_of(pieces: list[Piece]) -> Surface:
    """Return the surface of generated pieces; part instance i is piece i."""
    images: dict[int, np.ndarray | None] = {id(None): None}
    surfaces = []
    for piece in pieces:
        image, mesh = piece.material.image, piece.mesh
        if image is not None and id(image) not in images:
            images[id(image)] = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        color, texture = piece.material.base_color, images[id(image)]
        surfaces.append(make_surface(mesh.vertices, mesh.faces, uv=piece.uv, color=color, texture=texture))
    return join_surfaces(surfaces, part_of=range(len(surfaces)))


def compat_classes(words: Dialects) -> list[str]:
    """Return the class names in the order of their indices, as ``metadata/classes.json`` lists them."""
    return sorted({entry.compat.category for entry in words.categories.values() if entry.compat})


def _counts(category: str, present: list[str], params: CorpusParams, extra: bool) -> dict[str, int]:
    """Return the number of shapes of a category per data set that has it."""
    tested = [name for name in present if name != "find3d"] or present
    if category in params.heldout:
        base, rest = divmod(params.embedded.heldout_shapes, len(tested))
        return {name: base + (index < rest) for index, name in enumerate(tested)}
    shares = {name: params.embedded.dialects.get(name, 0.0) for name in present}  # type: ignore[call-overload]
    total = sum(shares.values()) or 1.0
    exact = {name: params.embedded.shapes_per_category * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    left = params.embedded.shapes_per_category - sum(counts.values())
    for name in sorted(exact, key=lambda name: (counts[name] - exact[name], present.index(name)))[:left]:
        counts[name] += 1
    tests = {name: params.test_per_category // 2 for name in tested} | {"find3d": int(extra)}
    return {name: count + tests.get(name, 0) for name, count in counts.items()}


def _key(category: str, dataset: str, number: int, words: Dialects, classes: list[str]) -> str:
    """Return the id that a data set would give to a shape."""
    if dataset == "partnet":
        return str(1000 * (1 + sorted(words.categories).index(category)) + number)
    name = words.category(category, dataset)
    if dataset == "compat":
        entries = sorted(words.categories.items())
        same = [c for c, entry in entries if entry.compat and entry.compat.category == name]
        return f"{classes.index(name):02x}_{number * len(same) + same.index(category):03x}"
    uid = hashlib.sha256(f"{category}/{number}".encode()).hexdigest()[:32]
    return f"{name.replace(' ', '_')}_{uid}"


def _write_one(item: Planned, root: Path, params: CorpusParams, seed: int) -> None:
    # Find3D's three groups decide nothing.
    group = "unseen" if item.category in params.heldout else find3d.FOLDERS[2 * (item.number % 2)]
    places = {"partnet": "data/{}", "compat": "models/{}.gltf", "find3d": f"{group}/{{}}"}
    target = root / item.dataset / places[item.dataset].format(item.key)
    if target.exists():
        return
    words, seed = load_dialects(), seed_of(f"{item.category}/{item.dataset}/{item.number}", seed)
    pieces = generate(item.category, np.random.default_rng(seed), params.embedded.free_yaw)
    names = [words.part(item.category, item.dataset, piece.part) or "" for piece in pieces]
    category = words.category(item.category, item.dataset)
    shape = LabeledShape(item.key, item.dataset, category, LICENSE, "", names, surface_of(pieces))
    _WRITERS[item.dataset].write(target, shape, seed)


def _finish(root: Path, planned: list[Planned], params: CorpusParams, seed: int) -> None:
    words = load_dialects()
    table = pd.DataFrame([{**asdict(item), "shape_id": item.shape_id} for item in planned])
    table["raw_category"] = [words.category(item.category, item.dataset) for item in planned]
    annotated = table["dataset"] == "partnet"
    table["model"] = table["key"].map(partnet.model_id).where(annotated, table["shape_id"])
    table["split"] = assign_splits(table, params, words.heldout(params.heldout), seed)

    def rows(dataset: str, *columns: str) -> list[tuple[Any, ...]]:
        chosen = table.loc[table["dataset"] == dataset, list(columns)]
        return list(chosen.itertuples(index=False, name=None))

    partnet.finish(root / "partnet", rows("partnet", "key", "raw_category", "split"))
    entries = [entry for entry in words.categories.values() if entry.compat]
    parts = {names.compat for entry in entries for names in entry.parts.values() if names.compat}
    compat.finish(root / "compat", compat_classes(words), sorted(parts), rows("compat", "key", "split"))
    for name in table["dataset"].unique():
        write_bytes(root / name / "license.txt", f"{LICENSE}\n".encode())


def _clear_if_stale(root: Path, params: CorpusParams, seed: int) -> None:
    """Start afresh where the folder was made otherwise; shapes stay where only the sizes changed."""
    folder = Path(__file__).parent
    generator = Path(procparts.__file__).parent.rglob("*.py")
    files = [*generator, *folder.glob("writers/*.py"), *folder.glob("dialects/*.yaml"), Path(__file__)]
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
    stamp = {"code": code, "seed": seed, "free_yaw": params.embedded.free_yaw}
    marker = root / _STAMP
    if marker.is_file():
        if json.loads(marker.read_text()) == stamp:
            return
        for name in DATASETS:
            shutil.rmtree(root / name, ignore_errors=True)
    elif root.is_dir() and any(root.iterdir()):
        raise AlignPartsError(f"{root}: not empty and not an embedded corpus; choose another folder")
    write_json(marker, stamp)
