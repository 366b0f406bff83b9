"""Describe an exported data set from its own files: content, work, agreement of the annotators."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import interval
from alignparts.evaluation.tables import DIGITS
from texparts.export.export import COLUMNS, INDEX, MARK
from texparts.simulation.effort import PAPER

SCRATCH_MINUTES = PAPER["scratch_minutes"]
"""Minutes per object from scratch, least and most, of section 13's own annotators."""
AGREEMENT = ("same", "kappa", "miou", "la_miou")
LONG = ["measure", "value", "low", "high", "range", "n"]
BOOTSTRAP, QUARTILES, NONE = "95% bootstrap", "quartiles", ""
"""Meaning of ``low`` and ``high``."""


@dataclass(frozen=True)
class Dataset:
    """Export as it lies on disk.

    Attributes:
        folder: folder of the data set.
        objects: index.parquet (:data:`texparts.export.export.COLUMNS`) with :data:`AGREEMENT` per object,
            missing for one with a single opinion.
        parts: one row per part: object_id, category, name, faces, area (share of the object's surface).
        rejected: table of object_id and note.
        failed: table of object_id and reason.
    """

    folder: Path
    objects: pd.DataFrame
    parts: pd.DataFrame
    rejected: pd.DataFrame
    failed: pd.DataFrame

    @property
    def seconds(self) -> pd.Series:
        """Active seconds of one opinion on each object."""
        return self.objects["seconds"] / self.objects["opinions"]


def read_dataset(folder: Path) -> Dataset:
    """Read an export; raises AlignPartsError if the folder is none, or if a file is missing or broken."""
    if not (folder / MARK).is_file() or not (folder / INDEX).is_file():
        command = "texparts export ROOT --out FOLDER"
        raise AlignPartsError(f"{folder}: not an exported data set ({MARK} and {INDEX}); make one: {command}")
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
        labeled, agreed = _labels(folder / "objects" / str(row.object_id) / "labels.json")
        parts += [{"object_id": row.object_id, "category": row.category, **part} for part in labeled]
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
        detail = f"not the labels of a reviewed object ({type(error).__name__}: {error})"
        raise AlignPartsError(f"{path}: {detail}; export again") from None


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
    """Return the data set in figures, one row per measure (:data:`LONG`).

    Means are over objects and have a bootstrap interval over them; medians have quartiles. Seconds are those
    of one opinion: an object that two people did is not slower for it.

    Args:
        dataset: the export.
        scratch_minutes: minutes per object without a model, least and most, for "times faster".
        resamples: number of bootstrap samples.
        seed: seed of the resampling.

    Raises:
        AlignPartsError: ``scratch_minutes`` is no band.
    """
    low, high = scratch_minutes
    if not 0 < low <= high:
        raise AlignPartsError(f"scratch_minutes: expected the least before the most, got {low} and {high}")
    objects, parts, seconds = dataset.objects, dataset.parts, dataset.seconds
    several = objects[objects["same"].notna()]
    rows: list[tuple[object, ...]] = []

    def count(measure: str, value: int) -> None:
        rows.append((measure, value, np.nan, np.nan, NONE, value))

    def mean(measure: str, values: pd.Series) -> None:
        one = interval(values.to_numpy(float), resamples=resamples, seed=seed)
        rows.append((measure, one.value, one.low, one.high, BOOTSTRAP, one.n))

    def median(measure: str, values: pd.Series) -> None:
        first, middle, third = np.quantile(values.to_numpy(float), (0.25, 0.5, 0.75))
        rows.append((measure, middle, first, third, QUARTILES, len(values)))

    count("objects", len(objects))
    count("objects rejected", len(dataset.rejected))
    count("objects that could not be written", len(dataset.failed))
    count("categories", objects["category"].nunique())
    count("parts", len(parts))
    count("part names", parts["name"].nunique())
    count("annotators", len(annotator_table(dataset)))
    mean("parts an object", objects["parts"])
    mean("share of faces without a part", objects["unlabeled_faces"] / objects["faces"])
    median("edits an object", objects["edits"])
    median("seconds an opinion", seconds)
    mean("seconds an opinion, mean", seconds)
    _, *spread, _, n = rows[-1]
    count("objects with several opinions", len(several))
    for name in AGREEMENT if len(several) else ():
        mean(f"agreement: {name}", several[name])
    for minutes in dict.fromkeys(scratch_minutes) if seconds.mean() > 0 else ():
        value, most, least = (60 * minutes / max(float(str(one)), 1e-9) for one in spread)
        rows.append((f"times faster than {minutes:g} min from scratch", value, least, most, BOOTSTRAP, n))
    return pd.DataFrame(rows, columns=LONG).round({name: DIGITS for name in ("value", "low", "high")})


def category_table(dataset: Dataset) -> pd.DataFrame:
    """Count objects per category, with mean parts, median edits and seconds; the most frequent first."""
    objects = dataset.objects.assign(seconds=dataset.seconds)
    columns = {"objects": ("object_id", "size"), "parts": ("parts", "mean")}
    columns |= {name: (name, "median") for name in ("edits", "seconds")}
    return _most_first(objects.groupby("category").agg(**columns))


def part_table(dataset: Dataset) -> pd.DataFrame:
    """Count parts, objects and categories per part name, with the mean area; the most frequent first."""
    columns = {"parts": ("name", "size"), "objects": ("object_id", "nunique")}
    columns |= {"categories": ("category", "nunique"), "area": ("area", "mean")}
    return _most_first(dataset.parts.groupby("name").agg(**columns))


def annotator_table(dataset: Dataset) -> pd.DataFrame:
    """Count opinions and final opinions per annotator (a pseudonym), with the share of all."""
    lists = dataset.objects["annotators"].str.split(", ")
    opinions = lists.explode().value_counts()
    final = lists.str[0].value_counts().reindex(opinions.index, fill_value=0)
    table = pd.DataFrame({"opinions": opinions, "final": final, "share": opinions / opinions.sum()})
    return _most_first(table.rename_axis("annotator"))


def license_table(dataset: Dataset) -> pd.DataFrame:
    """Count objects per license, the most frequent first."""
    named = dataset.objects["license"].replace("", "not stated")
    return _most_first(named.value_counts().rename_axis("license").to_frame("objects"))


def rejected_table(dataset: Dataset) -> pd.DataFrame:
    """Count rejected objects per reason, the most frequent first."""
    return _most_first(dataset.rejected["note"].value_counts().rename_axis("note").to_frame("objects"))


TABLES: dict[str, Callable[[Dataset], pd.DataFrame]] = {
    "categories": category_table,
    "parts": part_table,
    "annotators": annotator_table,
    "licenses": license_table,
    "rejected": rejected_table,
}


def _most_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by the first column, the largest first, then by the index; the index becomes a column."""
    keys = [str(table.columns[0]), str(table.index.name)]
    rows = table.reset_index()
    return rows.sort_values(keys, ascending=[False, True], ignore_index=True).round(DIGITS)
