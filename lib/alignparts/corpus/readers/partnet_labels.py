"""PartNet's trees of names and its label files: which components of an annotation are which part."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers.common import BrokenLabels, ReadOptions, read_json

UNNAMED = frozenset({"other", "others", "other_leaf"})
"""Names of leaves that stand for what the annotators did not name."""
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_WAY_OUT = "leave the level out to read the leaves of the tree"

Chain = list[dict[str, Any]]
"""A leaf of a tree as the nodes on the way to it: root first, leaf last."""


class _Listed(TypedDict):
    anno_id: str | int


@dataclass(frozen=True)
class Part:
    """One part instance of an annotation.

    Attributes:
        name: its name; "" where it is unlabeled.
        path: names from the root down to it, joined by "/"; tells parts of one name apart.
        objs: names of its OBJ files.
        leaves: ids of the leaves of ``result.json`` that make it up, by which point samples are labeled.
    """

    name: str
    path: str
    objs: tuple[str, ...]
    leaves: tuple[int, ...]


def read_parts(folder: Path, root: Path, category: str, options: ReadOptions) -> list[Part]:
    """Return the part instances of an annotation, under the labels that are asked for.

    - ``tree="raw"``: the leaves of ``result.json``.
    - ``tree="merged"``: the leaves of ``result_after_merging.json``. They do not cover the shape: what the
      clean-up dropped follows as unlabeled parts.
    - ``level``, whatever the tree: the nodes that ``merging_hierarchy_mapping/<Cat>.txt`` maps to a label of
      ``after_merging_label_ids/<Cat>-level-<N>.txt``, each with all that lies below it; the rest follows as
      unlabeled parts. Paths are those of the label file. The merged tree itself will not do: it hangs a
      desk's drawers elsewhere than the label file says.

    A part's name is its node's own, so that instances of one name are one part wherever they hang, as in the
    paper. PartNet's levels tell them apart; there, a short name that stands for several labels of the level
    is replaced by the label's whole path.

    Args:
        folder: the annotation.
        root: top of the data set, with ``stats/``.
        category: class as PartNet calls it, "StorageFurniture".
        options: tree and level.

    Raises:
        AlignPartsError: a tree is missing or broken, there are no label files, or the category has no such
            level.
        BrokenLabels: a label file is broken.
    """
    source = folder / "result.json"
    chains = list(_leaves(source))
    if options.level is not None:
        return _level_parts(chains, level_labels(root, category, options.level), source)
    raw = [_part(chain, (_leaf_id(chain[-1], source),)) for chain in chains]
    return _merged_parts(folder, raw) if options.tree == "merged" else raw


def _leaves(source: Path) -> Iterator[Chain]:
    """Yield the leaves of a tree."""
    tree = read_json(source)
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], dict):
        raise AlignPartsError(f"{source}: expected a list with one root node")
    stack: list[tuple[Chain, Any]] = [([], node) for node in reversed(tree)]
    while stack:
        above, node = stack.pop()
        if not isinstance(node, dict) or "name" not in node:
            raise AlignPartsError(f"{source}: a node without 'name' under /{_path(above)}")
        children = node.get("children") or []
        stack += [([*above, node], child) for child in reversed(children)]
        if not children:
            yield [*above, node]


def _level_parts(chains: list[Chain], labels: dict[str, tuple[str, str]], source: Path) -> list[Part]:
    groups: dict[int, tuple[tuple[str, str], Chain]] = {}
    for chain in chains:
        paths = [_path(chain[:depth]) for depth in range(1, len(chain) + 1)]
        depth = next((depth for depth, path in enumerate(paths) if path in labels), -1)
        # Two nodes of one path are two instances, so that the node itself is the key.
        label = labels.get(paths[depth], ("", paths[-1]))
        groups.setdefault(id(chain[depth]), (label, []))[1].append(chain[-1])
    return [
        Part(name, path, tuple(obj for leaf in below for obj in _objs(leaf)),
             tuple(_leaf_id(leaf, source) for leaf in below))
        for (name, path), below in groups.values()
    ]  # fmt: skip


def _merged_parts(folder: Path, raw: list[Part]) -> list[Part]:
    source = folder / "result_after_merging.json"
    if not source.is_file():
        raise AlignPartsError(f"{source}: no such file; read the tree before merging (tree raw)")
    chains = list(_leaves(source))
    owner = {obj: index for index, chain in enumerate(chains) for obj in _objs(chain[-1])}
    below: list[list[int]] = [[] for _ in chains]
    dropped = []
    for part in raw:
        owners = {owner[obj] for obj in part.objs if obj in owner}
        for index in owners:
            below[index] += part.leaves
        rest = tuple(obj for obj in part.objs if obj not in owner)
        if rest:
            dropped.append(Part("", part.path, rest, () if owners else part.leaves))
    return [_part(chain, tuple(ids)) for chain, ids in zip(chains, below, strict=True)] + dropped


@functools.lru_cache(maxsize=128)
def level_labels(root: Path, category: str, level: int) -> dict[str, tuple[str, str]]:
    """Return name and path of the label of one level by path in the raw tree, by PartNet's ``stats/``.

    Raises:
        AlignPartsError: there are no label files, or the category has no such level.
        BrokenLabels: a label file is broken.
    """
    folder = _stats(root) / "after_merging_label_ids"
    if not folder.is_dir():
        raise AlignPartsError(
            f"{folder}: no such folder; levels need the folder stats/ of PartNet's repository "
            f"partnet_dataset beside data/; or {_WAY_OUT}"
        )
    table = folder / f"{category}-level-{level}.txt"
    if not table.is_file():
        others = sorted(path.stem.rpartition("-")[2] for path in folder.glob(f"{category}-level-*.txt"))
        there = f"its levels are {', '.join(others)}" if others else "it has no level at all"
        raise AlignPartsError(f"{table}: no such file: category '{category}': {there}; {_WAY_OUT}")
    paths = [path for _, path, _ in _rows(table, ("<id>", "<path>", "<kind>"))]
    mapping = _stats(root) / "merging_hierarchy_mapping" / f"{category}.txt"
    times = Counter(path.rpartition("/")[2] for path in paths)
    names = {path: short if times[short := path.rpartition("/")[2]] == 1 else path for path in paths}
    rows = _rows(mapping, ("<raw path>", "<merged path>"))
    return {raw: (names[merged], merged) for raw, merged in rows if merged in names}


@functools.lru_cache(maxsize=4)
def valid_annotations(root: Path) -> frozenset[str] | None:
    """Return the annotations in ``stats/all_valid_anno_info.txt``; None where a tree has no such file.

    Raises:
        BrokenLabels: it is broken.
    """
    path = _stats(root) / "all_valid_anno_info.txt"
    if not path.is_file():
        return None
    columns = ("<anno_id>", "<version>", "<category>", "<model_id>", "<annotator>")
    return frozenset(row[0] for row in _rows(path, columns))


@functools.lru_cache(maxsize=128)
def official_splits(root: Path, category: str) -> dict[str, str]:
    """Return the splits in ``stats/train_val_test_split/<Cat>.{train,val,test}.json`` by annotation.

    They are called "train", "validation" and "test"; the lists hold one annotation per model.

    Raises:
        BrokenLabels: a list is broken, or two of them have the same annotation.
    """
    splits: dict[str, str] = {}
    for word, split in _SPLITS.items():
        path = _stats(root) / "train_val_test_split" / f"{category}.{word}.json"
        if not path.is_file():
            continue
        expected = 'a list of {"model_id": ..., "anno_id": ...}'
        for entry in read_json(path, list[_Listed], expected, BrokenLabels):
            anno_id = str(entry["anno_id"])
            if splits.setdefault(anno_id, split) != split:
                raise BrokenLabels(
                    f"{path}: annotation {anno_id} is in the list of {splits[anno_id]}, too; expected one"
                )
    return splits


def _stats(root: Path) -> Path:
    """Return the folder ``stats``: of the root, or beside it, as where annotations lie in ``data_v0/``."""
    beside = root.parent / "stats"
    return beside if not (root / "stats").is_dir() and beside.is_dir() else root / "stats"


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Return the words of every line of a label file."""
    expected = f"expected '{' '.join(columns)}'"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenLabels(f"{path}: cannot be read ({error}); {expected} in every line") from None
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, cells in rows:
        if len(cells) != len(columns) or (columns[0] == "<id>" and not cells[0].isdecimal()):
            raise BrokenLabels(f"{path}: line {number}: {lines[number - 1].strip()[:80]!r}; {expected}")
    return [cells for _, cells in rows]


def _part(chain: Chain, leaves: tuple[int, ...]) -> Part:
    name = str(chain[-1]["name"])
    return Part("" if name.lower() in UNNAMED else name, _path(chain), _objs(chain[-1]), leaves)


def _path(chain: Chain) -> str:
    return "/".join(str(node["name"]) for node in chain)


def _objs(node: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(name) for name in node.get("objs") or ())


def _leaf_id(node: dict[str, Any], source: Path) -> int:
    try:
        return int(node.get("id", -1))
    except (TypeError, ValueError):
        raise AlignPartsError(
            f"{source}: leaf '{node['name']}': id is {node['id']!r}; expected a whole number"
        ) from None
