"""``alignparts evaluate``: scores on any folder of labeled shapes, named from their own part names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import Locator, detect, read
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation import tables
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import LABELS
from alignparts.evaluation.ground_truth import Labeled, present_names
from alignparts.evaluation.intervals import Bootstrap, interval, relative_gain
from alignparts.evaluation.methods import OURS, PARTFIELD, Entrant
from alignparts.evaluation.scoring import score, similarity_of
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Candidate, Prediction

MEASURED = ("miou", "la_miou", "rla_miou", "label_iou")
COLUMNS = ["shape_id", "dataset", "category", "parts", "predicted", *MEASURED, "clustering_miou", "error"]


@dataclass(frozen=True)
class FolderReport:
    """Scores of a folder: a row of :data:`COLUMNS` per shape, the long table of those without an error."""

    shapes: pd.DataFrame
    table: pd.DataFrame


def evaluate_folder(
    folder: Path,
    pipeline: NamedPartsPipeline,
    *,
    points: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> FolderReport:
    """Evaluate every shape that the readers find under a folder: a corpus, or data sets in their own formats.

    Every shape is sampled at ``points`` points, by default the pipeline's; ``seed`` is that of the bootstrap
    and of k-means. ``report`` is called with one line for every shape that fails. Raises AlignPartsError if
    there is no such folder, no shape in it, or none that can be evaluated.
    """
    located = detect(folder)
    if not located:
        raise AlignPartsError(f"{folder}: no labeled shape; expected a corpus or a data set's own folder")
    return evaluate_located(located, pipeline, points=points, resamples=resamples, seed=seed, report=report)


def evaluate_located(
    located: Sequence[tuple[str, Locator]],
    pipeline: NamedPartsPipeline,
    *,
    points: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> FolderReport:
    """Evaluate shapes that readers located; see :func:`evaluate_folder`."""
    rows: list[dict[str, Any]] = []
    for kind, locator in tqdm(located, desc="evaluate", mininterval=2.0, leave=False):
        base = {"shape_id": locator.shape_id, "dataset": kind, "category": locator.category, "error": ""}
        try:
            shape = read(kind, locator)
            base |= {"dataset": shape.dataset, "category": shape.category}
            rows.append(base | evaluate_shape(shape, pipeline, points=points, seed=seed))
        # Files of others break in ways of their own; one of them must not end the run.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            if not isinstance(error, AlignPartsError):
                reason = f"{type(error).__name__}: {reason}"
            rows.append(base | {"error": reason})
            report(f"{locator.shape_id}: {reason}")
    shapes = pd.DataFrame(rows, columns=COLUMNS)
    good = shapes[shapes.error == ""]
    if not len(good):
        raise AlignPartsError(
            f"none of {len(shapes)} shapes could be evaluated; the first: {rows[0]['error']}"
        )
    return FolderReport(shapes, _table(good, resamples=resamples, seed=seed))


def evaluate_shape(
    shape: LabeledShape, pipeline: NamedPartsPipeline, *, points: int | None = None, seed: int = 0
) -> dict[str, float | int]:
    """Score a shape with its own part names, and clustering; AlignPartsError without ground truth."""
    labeled, prediction = predict_shape(shape, pipeline, points)
    clusters = Entrant(PartFieldClustering(seed=seed), ("parts",)).predict(labeled)
    return {
        "parts": len(labeled.present),
        "predicted": len(prediction.parts),
        **score(prediction, labeled, similarity_of(pipeline.text.encode)),
        "clustering_miou": score(clusters, labeled)["miou"],
    }


def predict_shape(
    shape: LabeledShape, pipeline: NamedPartsPipeline, points: int | None = None
) -> tuple[Labeled, Prediction]:
    """Return a shape's ground truth, and its parts named from its own names; raises as evaluate_shape."""
    sample, features = pipeline.features(shape.surface, shape.shape_id, points)
    names = shape.part_names
    number = {name: index for index, name in enumerate(names)}
    table = np.array([*(number.get(name, -1) for name in shape.instances), -1], np.int64)
    truth = table[sample.instance]
    present = present_names(truth, names)
    if not present:
        raise AlignPartsError(f"{shape.shape_id}: no sample fell on a part with a name")
    labeled = Labeled(shape.shape_id, shape.dataset, shape.category, features, truth, names, present)
    prediction, _ = pipeline.decode(features, candidates=[Candidate(name) for name in names])
    return labeled, prediction


def _table(good: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    groups, rows = [("all", good)], []
    if good.dataset.nunique() > 1:
        groups += [(str(name), group) for name, group in good.groupby("dataset")]
    columns = [*((OURS, name, LABELS[name]) for name in MEASURED), (PARTFIELD, "clustering_miou", "mIoU")]
    for test_set, group in groups:
        for method, metric, label in columns:
            mean = interval(group[metric].to_numpy(np.float64), **bootstrap)
            rows.append(tables.row(method, test_set, label, mean))
    return tables.long_table(rows)


def summary(folder: Path, report: FolderReport) -> list[str]:
    """Return the lines that the command prints: numbers of shapes, one line per metric, the gain in mIoU."""
    good = report.shapes[report.shapes.error == ""]
    lines = [f"{folder}: {len(good)} shapes evaluated, {len(report.shapes) - len(good)} failed"]
    for row in report.table[report.table.test_set == "all"].itertuples():
        lines.append(f"  {row.method:<12} {row.metric:<9} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}]")
    baseline = good.clustering_miou.to_numpy(np.float64)
    if baseline.mean() > 0:
        gain = relative_gain(good.miou.to_numpy(np.float64), baseline)
        lines.append(f"  gain in mIoU over clustering {gain.value:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]")
    return lines
