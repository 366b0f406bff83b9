"""The splits of the paper: shapes that train, validate and test (section 3.4 and its table of sizes)."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.config import load_params
from alignparts.core.config.params import CorpusParams
from alignparts.corpus.index import SPLITS

TESTED = ("partnet", "compat")


def paper_sizes() -> CorpusParams:
    """Return the paper's sizes: 3 shapes of each of 42 and 24 categories and 8 of Find3D, none held out."""
    sizes = {"test_per_category": 6, "find3d_test": 8, "heldout": (), "validation_fraction": 0.08}
    return load_params().corpus.model_copy(update=sizes)


def assign_splits(
    shapes: pd.DataFrame, params: CorpusParams, heldout: set[tuple[str, str]], seed: int
) -> list[str]:
    """Return the split of every shape: train, validation, test or heldout.

    - Held-out categories are never trained on: (data set, raw category) pairs of ``heldout``, and names in
      ``params.heldout`` for any data set.
    - PartNet and 3DCoMPaT++ each give half of ``test_per_category`` shapes of every category (paper: 3 of 24
      and 3 of 42 categories), drawn from the pool of all shapes, and never all shapes of a category. Models
      with one annotation come first, so that a test set has no more shapes than it should.
    - Find3D gives one shape of each of ``find3d_test`` categories.
    - Of the rest ``validation_fraction``, spread evenly over data sets and categories.

    Shapes of one model (two annotations of it) stay together within a data set, whatever their categories.
    The test shapes of one data set do not depend on the others. The columns of ``shapes`` are shape_id,
    dataset, raw_category and model ("" where unknown); the order of the rows does not matter.
    """
    table = shapes[["shape_id", "dataset", "raw_category", "model"]].reset_index(drop=True)
    named = {plain_name(name) for name in params.heldout}
    pairs = zip(table["dataset"], table["raw_category"], strict=True)
    is_out = [pair in heldout or plain_name(pair[1]) in named for pair in pairs]
    table["model"] = np.where(table["model"] == "", table["shape_id"], table["model"])
    # A model may be annotated under two categories; it then counts as several in both.
    table["several"] = table.duplicated(["dataset", "model"], keep=False)
    table["rank"] = [_rank(model, seed) for model in table["model"]]
    table["split"] = np.where(is_out, "heldout", "train")
    table = table.sort_values(["dataset", "raw_category", "rank", "shape_id"])
    seen = table[table["split"] == "train"]
    for (dataset, _), rows in seen.groupby(["dataset", "raw_category"], sort=True):
        if dataset in TESTED:
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
    models = rest.drop_duplicates("model")["model"]
    steps = np.floor(np.arange(len(models) + 1) * params.validation_fraction + 0.5)
    chosen = set(models[np.diff(steps) > 0])
    table.loc[rest.index[rest["model"].isin(chosen)], "split"] = "validation"
    return table["split"].sort_index().tolist()


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
