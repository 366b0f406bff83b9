"""What is in an exported data set, how much work it was, and how far its annotators agree.

Everything is read from the export's own files; nothing but the folder is needed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval, interval
from alignparts.evaluation.tables import DIGITS
from texparts.export.export import COLUMNS, INDEX, MARK
from texparts.simulation.effort import PAPER

SCRATCH_MINUTES = PAPER["scratch_minutes"]
"""An object from scratch, least and most, as section 13 states it of its own annotators."""
AGREEMENT = ("same", "kappa", "miou", "la_miou")
LONG = ["measure", "value", "low", "high", "range", "n"]
BOOTSTRAP, QUARTILES, NONE = "95% bootstrap", "quartiles", ""
"""What ``low`` and ``high`` are."""


@dataclass(frozen=True)
class Dataset:
    """An export as it lies on disk.

    Attributes:
        folder: where.
        objects: index.parquet (:data:`texparts.export.export.COLUMNS`), and :data:`AGREEMENT` of each
            object, missing where it has one opinion.
        parts: a row a part: object_id, category, name, faces, area (a share of the object's surface).
        rejected: object_id and note.
        failed: object_id and reason.
    """

    folder: Path
    objects: pd.DataFrame
    parts: pd.DataFrame
    rejected: pd.DataFrame
    failed: pd.DataFrame


def read_dataset(folder: Path) -> Dataset:
    """Read an export.

    Raises:
        AlignPartsError: it is none, or one of its files is missing or broken.
    """
    if not (folder / MARK).is_file() or not (folder / INDEX).is_file():
        raise AlignPartsError(
            f"{folder}: not an exported data set ({MARK} and {INDEX}); it is made by: "
            "texparts export ROOT --out FOLDER"
        )
    try:
        objects = pd.read_parquet(folder / INDEX)
    except (OSError, ValueError) as error:
        raise AlignPartsError(f"{folder / INDEX}: cannot be read: {error}") from None
    missing = [name for name in COLUMNS if name not in objects]
    if missing:
        raise AlignPartsError(f"{folder / INDEX}: no column '{missing[0]}'; expected {', '.join(COLUMNS)}")
    parts: list[dict[str, object]] = []
    agreements: list[dict[str, float]] = []
    for row in objects.itertuples():
        found, agreed = _labels(folder / "objects" / str(row.object_id) / "labels.json")
        parts += [{"object_id": row.object_id, "category": row.category, **part} for part in found]
        agreements.append(agreed)
    return Dataset(
        folder,
        objects.join(pd.DataFrame(agreements, columns=list(AGREEMENT), dtype=float)),
        pd.DataFrame(parts, columns=["object_id", "category", "name", "faces", "area"]),
        _csv(folder / "rejected.csv", "note"),
        _csv(folder / "failed.csv", "reason"),
    )


def _labels(path: Path) -> tuple[list[dict[str, object]], dict[str, float]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parts = [{key: part[key] for key in ("name", "faces", "area")} for part in content["parts"]]
        agreed = content["review"]["agreement"] or {}
        return parts, {key: float(agreed.get(key, np.nan)) for key in AGREEMENT}
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot be read: {error.strerror}; export again") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise AlignPartsError(
            f"{path}: not the labels of a reviewed object ({detail}); export again"
        ) from None


def _csv(path: Path, column: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise AlignPartsError(f"{path}: cannot be read: {error}; export again") from None
    if list(table.columns) != ["object_id", column]:
        raise AlignPartsError(f"{path}: expected the columns object_id, {column}")
    return table


def summary_table(
    dataset: Dataset,
    *,
    scratch_minutes: tuple[float, float] = SCRATCH_MINUTES,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The data set in figures, one row a measure (:data:`LONG`).

    Means are over objects and have a bootstrap interval over them; medians have quartiles. Seconds are
    those of one opinion: an object that two people did is not slower for it.

    Args:
        dataset: the export.
        scratch_minutes: an object without a model, least and most; what "times faster" compares with.
        resamples: bootstrap samples.
        seed: of the resampling.

    Raises:
        AlignPartsError: ``scratch_minutes`` is no band.
    """
    low, high = scratch_minutes
    if not 0 < low <= high:
        raise AlignPartsError(f"scratch_minutes: expected the least before the most, got {low} and {high}")
    objects, parts = dataset.objects, dataset.parts
    seconds = opinion_seconds(dataset)
    several = objects[objects["same"].notna()]

    def mean(values: pd.Series) -> Interval:
        return interval(values.to_numpy(float), resamples=resamples, seed=seed)

    rows = [
        _count("objects", len(objects)),
        _count("objects rejected", len(dataset.rejected)),
        _count("objects that could not be written", len(dataset.failed)),
        _count("categories", objects["category"].nunique()),
        _count("parts", len(parts)),
        _count("part names", parts["name"].nunique()),
        _count("annotators", len(annotator_table(dataset))),
        _mean("parts an object", mean(objects["parts"])),
        _mean("share of faces without a part", mean(objects["unlabeled_faces"] / objects["faces"])),
        _median("edits an object", objects["edits"]),
        _median("seconds an opinion", seconds),
        _mean("seconds an opinion, mean", mean(seconds)),
        _count("objects with several opinions", len(several)),
        *(_mean(f"agreement: {name}", mean(several[name])) for name in AGREEMENT if len(several)),
    ]
    if seconds.mean() > 0:
        rows += [
            _faster(f"times faster than {minutes:g} min from scratch", 60 * minutes, mean(seconds))
            for minutes in dict.fromkeys(scratch_minutes)
        ]
    return pd.DataFrame(rows, columns=LONG).round({name: DIGITS for name in ("value", "low", "high")})


def opinion_seconds(dataset: Dataset) -> pd.Series:
    """Active seconds of one opinion on each object."""
    return dataset.objects["seconds"] / dataset.objects["opinions"]


def category_table(dataset: Dataset) -> pd.DataFrame:
    """A row a category, the most frequent first: objects, mean parts, median edits and seconds."""
    objects = dataset.objects.assign(seconds=opinion_seconds(dataset))
    table = objects.groupby("category").agg(
        objects=("object_id", "size"),
        parts=("parts", "mean"),
        edits=("edits", "median"),
        seconds=("seconds", "median"),
    )
    return _most_first(table, "objects")


def part_table(dataset: Dataset) -> pd.DataFrame:
    """A row a part name, the most frequent first: parts, objects and categories that have it, mean area."""
    table = dataset.parts.groupby("name").agg(
        parts=("name", "size"),
        objects=("object_id", "nunique"),
        categories=("category", "nunique"),
        area=("area", "mean"),
    )
    return _most_first(table, "parts")


def annotator_table(dataset: Dataset) -> pd.DataFrame:
    """A row an annotator (a pseudonym): opinions, how many are final, and the share of all."""
    lists = dataset.objects["annotators"].str.split(", ")
    opinions = lists.explode().value_counts()
    final = lists.str[0].value_counts().reindex(opinions.index, fill_value=0)
    table = pd.DataFrame({"opinions": opinions, "final": final, "share": opinions / opinions.sum()})
    return _most_first(table.rename_axis("annotator"), "opinions")


def license_table(dataset: Dataset) -> pd.DataFrame:
    """A row a license, the most frequent first; "" is not stated."""
    named = dataset.objects["license"].replace("", "not stated")
    return _most_first(named.value_counts().rename_axis("license").to_frame("objects"), "objects")


def rejected_table(dataset: Dataset) -> pd.DataFrame:
    """A row a reason for which objects were rejected, the most frequent first."""
    counts = dataset.rejected["note"].value_counts()
    return _most_first(counts.rename_axis("note").to_frame("objects"), "objects")


TABLES: dict[str, Callable[[Dataset], pd.DataFrame]] = {
    "categories": category_table,
    "parts": part_table,
    "annotators": annotator_table,
    "licenses": license_table,
    "rejected": rejected_table,
}


def _most_first(table: pd.DataFrame, column: str) -> pd.DataFrame:
    found = table.reset_index()
    keys: Sequence[str] = [column, str(found.columns[0])]
    return found.sort_values(list(keys), ascending=[False, True], ignore_index=True).round(DIGITS)


def _count(measure: str, value: int) -> tuple[object, ...]:
    return measure, value, np.nan, np.nan, NONE, value


def _mean(measure: str, found: Interval) -> tuple[object, ...]:
    return measure, found.value, found.low, found.high, BOOTSTRAP, found.n


def _median(measure: str, values: pd.Series) -> tuple[object, ...]:
    low, middle, high = np.quantile(values.to_numpy(float), (0.25, 0.5, 0.75))
    return measure, middle, low, high, QUARTILES, len(values)


def _faster(measure: str, scratch: float, seconds: Interval) -> tuple[object, ...]:
    value, low, high = (scratch / max(one, 1e-9) for one in (seconds.value, seconds.high, seconds.low))
    return measure, value, low, high, BOOTSTRAP, seconds.n
