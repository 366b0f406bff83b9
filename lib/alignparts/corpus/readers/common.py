"""What the readers share: where a shape lies, and small file formats."""

import functools
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError


class BrokenLabels(AlignPartsError):
    """A file that concerns all shapes of a data set is broken: what is read with it would be wrong.

    Ingestion stops on it, where any other error leaves out one shape.
    """


@dataclass(frozen=True)
class ReadOptions:
    """Which of the labels and shapes that a data set offers are read.

    Attributes:
        tree: of PartNet and PartNet-Mobility: the annotators' own ``result.json`` ("raw") or
            ``result_after_merging.json`` ("merged").
        level: of both: parts of this level of PartNet's benchmark (1 to 3); None: the leaves of the tree.
        geometry: the parts' meshes, or the data set's own point samples.
        granularity: of 3DCoMPaT++: fine or coarse part names.
    """

    tree: Literal["raw", "merged"] = "raw"
    level: int | None = None
    geometry: Literal["mesh", "points"] = "mesh"
    granularity: Literal["fine", "coarse"] = "fine"


@dataclass(frozen=True)
class Locator:
    """One shape of a raw data set on disk.

    Attributes:
        path: the folder or file of the shape; of a zip, ``<zip>/<entry>``.
        root: the top of its data set, where lists and styles are.
        shape_id: unique within what was detected.
        category: where the data set's files give none themselves, from a manifest.
        license: its terms, from a manifest or ``license.txt``.
        reason: why it cannot be read, for kind "unknown".
        split: the data set's own split, where it states one: "train", "validation" or "test".
        options: which labels and shapes are wanted.
        model: what it shows, where that is known before it is read; shapes of one model stay together.
    """

    path: Path
    root: Path
    shape_id: str
    category: str = ""
    license: str = ""
    reason: str = ""
    split: str = ""
    options: ReadOptions = ReadOptions()
    model: str = ""


def read_json(path: Path | zipfile.Path) -> Any:
    """JSON of a file.

    Raises:
        AlignPartsError: it is missing or not JSON.
    """
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, KeyError):
        raise AlignPartsError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise AlignPartsError(f"{path}: not JSON: {error}") from None


def leaves(tree: Any, source: Path) -> Iterator[list[dict[str, Any]]]:
    """Leaves of a PartNet tree, each as the nodes on the way to it: root first, leaf last.

    Raises:
        AlignPartsError: not a list of one root, or a node lacks its name.
    """
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], dict):
        raise AlignPartsError(f"{source}: expected a list with one root node")
    stack: list[tuple[list[dict[str, Any]], Any]] = [([], node) for node in reversed(tree)]
    while stack:
        above, node = stack.pop()
        if not isinstance(node, dict) or "name" not in node:
            path = "/".join(str(step["name"]) for step in above)
            raise AlignPartsError(f"{source}: a node without 'name' under /{path}")
        children = node.get("children") or []
        if children:
            stack += [([*above, node], child) for child in reversed(children)]
        else:
            yield [*above, node]


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """A text table of numbers separated by blanks, (rows, columns) float64.

    Raises:
        AlignPartsError: it is missing, or has other columns.
    """
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, engine="c", dtype=np.float64).to_numpy()
    except (OSError, ValueError) as error:
        raise AlignPartsError(f"{path}: not a table of numbers: {error}") from None
    if table.shape[1] != columns:
        raise AlignPartsError(f"{path}: {table.shape[1]} columns; expected {columns}")
    return table


@functools.lru_cache(maxsize=64)
def license_of(root: Path, default: str = "") -> str:
    """The license a tree states in ``license.txt``, else ``default``."""
    path = root / "license.txt"
    return path.read_text().strip() if path.is_file() else default
