"""Corpora that are ingested once more: folders with ``index.parquet`` and ``shapes/``."""

from collections.abc import Collection, Iterator
from pathlib import Path

from alignparts.corpus.index import Corpus, read_shape, shape_file
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.shape import LabeledShape


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is a corpus."""
    return "index.parquet" in names and "shapes" in names


def locate(root: Path) -> Iterator[Locator]:
    """Yield the shapes of a corpus, each with its model, official split and pack."""
    columns = ["shape_id", "model", "official_split", "pack"]
    index = Corpus(root).index.reindex(columns=columns, fill_value="")
    for shape_id, model, split, pack in index.itertuples(index=False):
        yield Locator(shape_file(root, shape_id), root, shape_id, model=model, split=split, pack=pack)


def read(locator: Locator) -> LabeledShape:
    """Read one shape as it was stored."""
    return read_shape(locator.path)
