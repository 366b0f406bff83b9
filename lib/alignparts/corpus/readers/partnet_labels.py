"""PartNet's trees of names and its label files: which components of an annotation are which part."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Len
from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers.common import BrokenLabels, ReadOptions, read_json

UNNAMED = frozenset({"other", "others", "other_leaf"})
"""Names of leaves that the annotators gave no name."""
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_WAY_OUT = "leave the level out to read the leaves of the tree"


class _Node(BaseModel):
    """The keys of a node that are read."""

    name: str
    id: int = -1
    objs: tuple[str, ...] = ()
    children: list["_Node"] = []


class _Listed(BaseModel):
    anno_id: str | int


Chain = list[_Node]
"""A leaf of a tree as the nodes on the way to it: root first, leaf last."""


@dataclass(frozen=True)
class Part:
    """One part instance of an annotation; ``name`` is "" where it is unlabeled.

    ``path`` joins the names from the root down by "/", ``objs`` are the names of its OBJ files, ``leaves``
    the ids of the leaves of ``result.json`` that make it up: these label point samples.
    """

    name: str
    path: str
    objs: tuple[str, ...]
    leaves: tuple[int, ...]


def read_parts(folder: Path, root: Path, category: str, options: ReadOptions) -> list[Part]:
    """Return the part instances of an annotation, under the labels that are asked for.

    - ``tree="raw"``: the leaves of ``result.json``.
    - ``tree="merged"``: the leaves of ``result_after_merging.json``. They do not cover the shape: parts that
      the clean-up dropped follow unlabeled.
    - ``level``, whatever the tree: the nodes that ``merging_hierarchy_mapping/<Cat>.txt`` maps to a label of
      ``after_merging_label_ids/<Cat>-level-<N>.txt``, each with all that lies below it; the rest follows
      unlabeled. Paths are those of the label file. The merged tree itself will not do: it hangs a desk's
      drawers elsewhere than the label file says.

    A part has the name of its node, so that instances of one name are one part wherever they hang, as in the
    paper. PartNet's levels tell them apart; there, a short name that stands for several labels of the level
    is replaced by the label's whole path. ``root`` holds ``stats/``; the category is PartNet's.
    """
    chains = _chains(folder / "result.json")
    if options.level is not None:
        return _level_parts(chains, level_labels(root, category, options.level))
    raw = [_part(chain, (chain[-1].id,)) for chain in chains]
    return _merged_parts(folder / "result_after_merging.json", raw) if options.tree == "merged" else raw


def _chains(source: Path) -> list[Chain]:
    """Read the leaves of a tree."""
    expected = "a list with one root {id, name, objs or children}, ids whole numbers"
    roots = read_json(source, Annotated[list[_Node], Len(1)], expected)
    pending: list[Chain] = [[node] for node in reversed(roots)]
    chains = []
    while pending:
        chain = pending.pop()
        below = chain[-1].children
        pending += [[*chain, node] for node in reversed(below)]
        chains += [] if below else [chain]
    return chains


def _level_parts(chains: list[Chain], labels: dict[str, tuple[str, str]]) -> list[Part]:
    groups: dict[int, tuple[tuple[str, str], list[_Node]]] = {}
    for chain in chains:
        paths = [_path(chain[:depth]) for depth in range(1, len(chain) + 1)]
        depth = next((depth for depth, path in enumerate(paths) if path in labels), -1)
        # Two nodes of one path are two instances, so that the node is the key.
        label = labels.get(paths[depth], ("", paths[-1]))
        groups.setdefault(id(chain[depth]), (label, []))[1].append(chain[-1])
    return [
        Part(name, path, sum((leaf.objs for leaf in below), ()), tuple(leaf.id for leaf in below))
        for (name, path), below in groups.values()
    ]


def _merged_parts(source: Path, raw: list[Part]) -> list[Part]:
    if not source.is_file():
        raise AlignPartsError(f"{source}: no such file; read the tree before merging (tree raw)")
    chains = _chains(source)
    owner = {obj: index for index, chain in enumerate(chains) for obj in chain[-1].objs}
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
    """Return name and path of the label of one level by path in the raw tree, by PartNet's ``stats/``."""
    folder = _stats(root) / "after_merging_label_ids"
    if not folder.is_dir():
        raise AlignPartsError(
            f"{folder}: no such folder; levels need the folder stats/ of PartNet's repository "
            f"partnet_dataset beside data/; or {_WAY_OUT}"
        )
    table = folder / f"{category}-level-{level}.txt"
    if not table.is_file():
        others = sorted(path.stem.rpartition("-")[2] for path in folder.glob(f"{category}-level-*.txt"))
        levels = f"its levels are {', '.join(others)}" if others else "it has no level at all"
        raise AlignPartsError(f"{table}: no such file: category '{category}': {levels}; {_WAY_OUT}")
    paths = [path for _, path, _ in _rows(table, ("<id>", "<path>", "<kind>"))]
    times = Counter(path.rpartition("/")[2] for path in paths)
    names = {path: short if times[short := path.rpartition("/")[2]] == 1 else path for path in paths}
    mapping = _stats(root) / "merging_hierarchy_mapping" / f"{category}.txt"
    rows = _rows(mapping, ("<raw path>", "<merged path>"))
    return {raw: (names[merged], merged) for raw, merged in rows if merged in names}


@functools.lru_cache(maxsize=4)
def valid_annotations(root: Path) -> frozenset[str] | None:
    """Return the annotations in ``stats/all_valid_anno_info.txt``; None where there is no such file."""
    path = _stats(root) / "all_valid_anno_info.txt"
    if not path.is_file():
        return None
    columns = ("<anno_id>", "<version>", "<category>", "<model_id>", "<annotator>")
    return frozenset(row[0] for row in _rows(path, columns))


@functools.lru_cache(maxsize=128)
def official_splits(root: Path, category: str) -> dict[str, str]:
    """Return the splits in ``stats/train_val_test_split/<Cat>.{train,val,test}.json`` by annotation.

    They are called "train", "validation" and "test"; the lists hold one annotation per model.
    """
    splits: dict[str, str] = {}
    expected = 'a list of {"model_id": ..., "anno_id": ...}'
    for word, split in _SPLITS.items():
        path = _stats(root) / "train_val_test_split" / f"{category}.{word}.json"
        for entry in read_json(path, list[_Listed], expected, BrokenLabels) if path.is_file() else ():
            anno_id = str(entry.anno_id)
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
    rows = [line.split() for line in lines]
    for number, cells in enumerate(rows, 1):
        if cells and (len(cells) != len(columns) or (columns[0] == "<id>" and not cells[0].isdecimal())):
            raise BrokenLabels(f"{path}: line {number}: {lines[number - 1].strip()[:80]!r}; {expected}")
    return [cells for cells in rows if cells]


def _part(chain: Chain, leaves: tuple[int, ...]) -> Part:
    name = chain[-1].name
    return Part("" if name.lower() in UNNAMED else name, _path(chain), chain[-1].objs, leaves)


def _path(chain: Chain) -> str:
    return "/".join(node.name for node in chain)
