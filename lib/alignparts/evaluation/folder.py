"""``alignparts evaluate``: scores on any folder of labeled shapes, named from their own part names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import detect, read
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation import tables
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import LABELS
from alignparts.evaluation.ground_truth import Labeled, present_names
from alignparts.evaluation.intervals import interval, relative_gain
from alignparts.evaluation.methods import OURS, PARTFIELD, Entrant
from alignparts.evaluation.scoring import score, similarity_of
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Candidate


@dataclass(frozen=True)
class FolderReport:
    """Scores of the shapes of a folder.

    Attributes:
        shapes: one row per shape: shape_id, dataset, category, parts, predicted, miou, la_miou, rla_miou,
            label_iou, clustering_miou, error ("" where it worked).
        table: the long table over the shapes that worked.
    """

    shapes: pd.DataFrame
    table: pd.DataFrame

    @property
    def failed(self) -> pd.DataFrame:
        """Return the rows of the shapes that could not be evaluated, with the reason."""
        return self.shapes[self.shapes.error != ""]


MEASURED = ("miou", "la_miou", "rla_miou", "label_iou")
COLUMNS = [
    "shape_id", "dataset", "category", "parts", "predicted", *MEASURED, "clustering_miou", "error",
]  # fmt: skip


def evaluate_folder(
    folder: Path,
    pipeline: NamedPartsPipeline,
    *,
    points: int | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    report: Callable[[str], None] | None = None,
) -> FolderReport:
    """Evaluate every shape that the readers find under a folder.

    Args:
        folder: a corpus, or data sets in their own formats, mixed or not.
        pipeline: the trained model and its encoders.
        points: surface samples per shape; the pipeline's by default.
        resamples: number of bootstrap samples.
        confidence: confidence level of the intervals.
        seed: seed of the bootstrap and of k-means.
        report: function that is called with one line for every shape that fails.

    Raises:
        AlignPartsError: no such folder, no shape in it, or no shape of it can be evaluated.
    """
    found = detect(folder)
    if not found:
        raise AlignPartsError(f"{folder}: no labeled shape; expected a corpus or a data set's own folder")
    rows: list[dict[str, str | float | int]] = []
    for kind, locator in tqdm(found, desc="evaluate", mininterval=2.0, leave=False):
        base: dict[str, str | float | int] = {
            "shape_id": locator.shape_id,
            "dataset": kind,
            "category": locator.category,
            "error": "",
        }
        try:
            shape = read(kind, locator)
            base |= {"dataset": shape.dataset, "category": shape.category}
            rows.append({**base, **evaluate_shape(shape, pipeline, points=points, seed=seed)})
        # Files of others break in ways of their own; one of them must not end the run.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            if not isinstance(error, AlignPartsError):
                reason = f"{type(error).__name__}: {reason}"
            rows.append(base | {"error": reason})
            if report is not None:
                report(f"{locator.shape_id}: {reason}")
    shapes = pd.DataFrame(rows, columns=COLUMNS)
    good = shapes[shapes.error == ""]
    if not len(good):
        raise AlignPartsError(
            f"{folder}: none of its {len(shapes)} shapes could be evaluated; the first: {rows[0]['error']}"
        )
    return FolderReport(shapes, _table(good, resamples, confidence, seed))


def evaluate_shape(
    shape: LabeledShape, pipeline: NamedPartsPipeline, *, points: int | None = None, seed: int = 0
) -> dict[str, float | int]:
    """Score one shape with its own part names as open vocabulary, and PartField clustering beside it.

    Raises:
        AlignPartsError: it has no surface, or no sample fell on a part with a name.
    """
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
    clusters = Entrant(PartFieldClustering(seed=seed), ("parts",)).predict(labeled)
    return {
        "parts": len(present),
        "predicted": len(prediction.parts),
        **score(prediction, labeled, similarity_of(pipeline.text.encode)),
        "clustering_miou": score(clusters, labeled)["miou"],
    }


def _table(good: pd.DataFrame, resamples: int, confidence: float, seed: int) -> pd.DataFrame:
    groups = {"all": good}
    datasets = sorted(good.dataset.unique())
    if len(datasets) > 1:
        groups |= {str(name): good[good.dataset == name] for name in datasets}
    rows = []
    for test_set, group in groups.items():
        columns = [(OURS, metric, LABELS[metric]) for metric in MEASURED]
        for method, metric, label in [*columns, (PARTFIELD, "clustering_miou", "mIoU")]:
            values = group[metric].to_numpy(np.float64)
            found = interval(values, resamples=resamples, confidence=confidence, seed=seed)
            rows.append(tables.row(method, test_set, label, found))
    return tables.long_table(rows)


def summary(folder: Path, report: FolderReport) -> list[str]:
    """Return the lines that the command prints: one per metric, then the failures."""
    good = report.shapes[report.shapes.error == ""]
    lines = [f"{folder}: {len(good)} shapes evaluated, {len(report.failed)} failed"]
    for one in report.table[report.table.test_set == "all"].itertuples():
        lines.append(f"  {one.method:<12} {one.metric:<9} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")
    baseline = good.clustering_miou.to_numpy(np.float64)
    if baseline.mean() > 0:
        gain = relative_gain(good.miou.to_numpy(np.float64), baseline)
        lines.append(f"  gain in mIoU over clustering {gain.value:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]")
    return lines
