"""Splits: which shapes train, validate and test: the paper's rule (section 3.4), official lists, or packs."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.config import load_params
from alignparts.core.config.corpus import CorpusParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import SPLITS


def paper_sizes() -> CorpusParams:
    """Return the paper's sizes: 3 shapes of each of 42 and 24 categories and 8 of Find3D, none held out."""
    sizes = {"split": "paper", "test_per_category": 6, "find3d_test": 8}
    sizes |= {"heldout": (), "validation_fraction": 0.08}
    return load_params().corpus.model_copy(update=sizes)


def draw_splits(
    shapes: pd.DataFrame, params: CorpusParams, heldout: set[tuple[str, str]], seed: int
) -> list[str]:
    """Return the split of every shape by ``params.split``: train, validation, test, heldout, duplicate.

    ``paper``: :func:`assign_splits`, one tested shape per model. ``official``: the data sets' own lists;
    a shape without one trains, or validates where its data set lists no such shape. ``by_source``:
    :func:`by_source`. Held-out categories are never trained on under any rule. Columns of ``shapes``: those
    of :func:`assign_splits`, official_split and pack.
    """
    if params.split == "paper":
        return one_per_model(shapes, assign_splits(shapes, params, heldout, seed))
    is_out = _is_heldout(shapes, params, heldout)
    if params.split == "by_source":
        sizes = {"test_fraction": params.test_fraction, "validation_fraction": params.validation_fraction}
        drawn = pd.Series(by_source(shapes, **sizes, seed=seed), index=shapes.index)
    else:
        drawn = shapes["official_split"].replace("", "train")
        if not drawn.eq("test").any():
            raise AlignPartsError("corpus.split: official, but no data set lists test shapes; expected paper")
        validated = shapes["dataset"].isin(set(shapes.loc[drawn == "validation", "dataset"]))
        rest = shapes[drawn.eq("train") & ~validated]
        rest = rest.sort_values(["dataset", "raw_category", "shape_id"])
        drawn[_spread(rest, params)] = "validation"
    return ["heldout" if out else split for out, split in zip(is_out, drawn, strict=True)]


def by_source(
    shapes: pd.DataFrame, *, test_fraction: float, validation_fraction: float, seed: int
) -> list[str]:
    """Return the split of every shape (shape_id, pack), all of a pack in one: train, validation or test.

    Packs come in an order that the seed draws; one is tested where that brings the number of test shapes
    nearer to its share, else validated likewise, else trained on. Raises AlignPartsError for fewer packs than
    three, and where no pack is small enough.
    """
    sizes = shapes["pack"].value_counts()
    if len(sizes) < 3:
        raise AlignPartsError(
            f"corpus.split: by_source needs three packs or more; there is {', '.join(sizes.index)} "
            "(a manifest.csv beside the meshes may state the column pack)"
        )
    of_pack = dict.fromkeys(sizes.index, "train")
    for split, share in (("test", test_fraction), ("validation", validation_fraction)):
        wanted, count = share * len(shapes), 0
        for pack in sorted(sizes.index, key=lambda name: _rank(name, seed)):
            size = int(sizes[pack])
            if of_pack[pack] == "train" and abs(count + size - wanted) < abs(count - wanted):
                of_pack[pack], count = split, count + size
        if not count and share:
            raise AlignPartsError(
                f"corpus.split: by_source: no pack is small enough for {share:.0%} of the shapes; expected "
                "smaller packs or a larger share"
            )
    return shapes["pack"].map(of_pack).tolist()


def assign_splits(
    shapes: pd.DataFrame, params: CorpusParams, heldout: set[tuple[str, str]], seed: int
) -> list[str]:
    """Return the split of every shape by the paper's rule: train, validation, test or heldout.

    - Held-out categories are never trained on: (data set, raw category) pairs of ``heldout``, and names in
      ``params.heldout`` for any data set.
    - Every data set gives half of ``test_per_category`` shapes of every category (paper: 3 of PartNet's 24
      and 3 of 3DCoMPaT++'s 42 categories), drawn from the pool of all shapes, and never all shapes of a
      category. Models with one annotation come first, so that a test set has no more shapes than it should.
    - Find3D alone gives one shape of each of ``find3d_test`` categories.
    - Of the rest ``validation_fraction``, spread evenly over data sets and categories.

    Shapes of one model (two annotations of it) stay together within a data set, whatever their categories.
    The test shapes of one data set do not depend on the others. The columns of ``shapes`` are shape_id,
    dataset, raw_category and model ("" where unknown); the order of the rows does not matter.
    """
    table = shapes[["shape_id", "dataset", "raw_category", "model"]].reset_index(drop=True)
    is_out = _is_heldout(table, params, heldout)
    table["model"] = np.where(table["model"] == "", table["shape_id"], table["model"])
    # A model may be annotated under two categories; it then counts as several in both.
    table["several"] = table.duplicated(["dataset", "model"], keep=False)
    table["rank"] = [_rank(model, seed) for model in table["model"]]
    table["split"] = np.where(is_out, "heldout", "train")
    table = table.sort_values(["dataset", "raw_category", "rank", "shape_id"])
    seen = table[table["split"] == "train"]
    for (dataset, _), rows in seen.groupby(["dataset", "raw_category"], sort=True):
        if dataset != "find3d":
            table.loc[_first_models(rows, params.test_per_category // 2), "split"] = "test"
    first = seen[seen["dataset"] == "find3d"].drop_duplicates("raw_category")
    turn = first["raw_category"].map(lambda name: _rank(name, seed)).sort_values()
    table.loc[turn.index[: params.find3d_test], "split"] = "test"
    # A model that is tested or held out under one annotation is not trained on under another.
    owner = pd.MultiIndex.from_frame(table[["dataset", "model"]])
    for split in ("test", "heldout"):
        taken = owner[table["split"] == split]
        table.loc[owner.isin(taken) & (table["split"] == "train"), "split"] = split
    rest = table[table["split"] == "train"]
    table.loc[_spread(rest, params), "split"] = "validation"
    return table["split"].sort_index().tolist()


def _is_heldout(shapes: pd.DataFrame, params: CorpusParams, heldout: set[tuple[str, str]]) -> list[bool]:
    named = {plain_name(name) for name in params.heldout}
    pairs = zip(shapes["dataset"], shapes["raw_category"], strict=True)
    return [pair in heldout or plain_name(pair[1]) in named for pair in pairs]


def _spread(rest: pd.DataFrame, params: CorpusParams) -> pd.Index:
    """Return ``validation_fraction`` of sorted shapes, evenly over them, all those of a model together."""
    models = rest["model"].where(rest["model"] != "", rest["shape_id"])
    distinct = models.drop_duplicates()
    steps = np.floor(np.arange(len(distinct) + 1) * params.validation_fraction + 0.5)
    return rest.index[models.isin(set(distinct[np.diff(steps) > 0]))]


def one_per_model(shapes: pd.DataFrame, splits: list[str]) -> list[str]:
    """Return the splits with one tested shape per model, the first by id; others become "duplicate"."""
    table = shapes[["shape_id", "dataset", "model"]].assign(split=splits).reset_index(drop=True)
    again = table.sort_values("shape_id").duplicated(["dataset", "model", "split"])
    further = again & (table["split"] == "test") & (table["model"] != "")
    return table["split"].mask(further, "duplicate").tolist()


def write_lists(folder: Path, index: pd.DataFrame) -> None:
    """Write ``splits/<split>.txt`` under a corpus: the sorted ids of a split, one per line."""
    for split in SPLITS:
        ids = sorted(index.loc[index["split"] == split, "shape_id"])
        write_text(folder / "splits" / f"{split}.txt", "".join(f"{shape_id}\n" for shape_id in ids))


def plain_name(name: str) -> str:
    """Return a category in lower case with underscores: "StorageFurniture" gives "storage_furniture"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", words).strip("_").lower()


def _first_models(rows: pd.DataFrame, quota: int) -> pd.Index:
    """Return the first shapes by rank, those whose model has one annotation before the others."""
    order = rows.sort_values(["several", "rank", "shape_id"])
    models = order["model"].drop_duplicates()
    chosen = models.iloc[: min(quota, max(len(models) - 1, 0))]
    return order.index[order["model"].isin(set(chosen))]


def _rank(key: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
