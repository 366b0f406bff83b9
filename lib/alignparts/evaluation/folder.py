"""``alignparts evaluate``: scores on any folder of labeled shapes, named from their own part names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.readers import Locator, detect, read
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation import tables
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import LABELS
from alignparts.evaluation.ground_truth import Labeled, present_names
from alignparts.evaluation.intervals import Bootstrap, interval, relative_gain
from alignparts.evaluation.methods import LEARNED, Entrant
from alignparts.evaluation.scoring import score, similarity_of
from alignparts.model.backbone.learned import LearnedAlignParts
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.ontology.vocabulary import Vocabulary

MEASURED = ("miou", "la_miou", "rla_miou", "label_iou")
PREFIXES = {
    **dict.fromkeys(("", "points_", "closed_"), MEASURED),
    **dict.fromkeys(("clustering_", "patches_clustering_"), ("miou",)),
}
"""Metrics of each of :func:`entrants`, by the beginning of their columns."""
COLUMNS = [
    *("shape_id", "dataset", "category", "parts", "predicted"),
    *(prefix + metric for prefix, metrics in PREFIXES.items() for metric in metrics),
    "error",
]


@dataclass(frozen=True)
class FolderReport:
    """Scores of a folder: a row of :data:`COLUMNS` per shape, the long table of those without an error."""

    shapes: pd.DataFrame
    table: pd.DataFrame


def entrants(pipeline: NamedPartsPipeline, seed: int = 0) -> dict[str, Entrant]:
    """Return methods by the beginning of their columns.

    ALIGN-Parts with mesh-aware labels, as ``alignparts name``, and by Eq. 22, told the names, and where the
    model has a vocabulary once more without them; k-means on PartField's field (with a learned backbone on
    its features h) and on its means over patches, told the number of parts.
    """
    vocabulary = pipeline.vocabulary or Vocabulary(entries={})  # not read where names are given
    backbone = LEARNED if isinstance(pipeline.model, LearnedAlignParts) else ""
    plain = Ours(pipeline.model, pipeline.text.encode, vocabulary, backbone=backbone)
    clusters = [PartFieldClustering(seed, patches=patches, field=backbone) for patches in (False, True)]
    aware = plain.by("patches")
    every = [Entrant(aware, ("names",)), Entrant(plain, ("names",)),
             Entrant(aware, name=f"{aware.label}, closed vocabulary"),
             *(Entrant(one, ("parts",)) for one in clusters)]  # fmt: skip
    chosen = dict(zip(PREFIXES, every, strict=True))
    if not vocabulary.categories:
        del chosen["closed_"]
    return chosen


def locate(folder: Path) -> list[tuple[str, Locator]]:
    """Return what the readers find under a folder: a corpus, or data sets in their own formats.

    Raises:
        AlignPartsError: there is no such folder, or no shape in it.
    """
    located = detect(folder)
    if not located:
        raise AlignPartsError(f"{folder}: no labeled shape; expected a corpus or a data set's own folder")
    return located


def evaluate_located(
    located: Sequence[tuple[str, Locator]],
    pipeline: NamedPartsPipeline,
    *,
    points: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    change: Callable[[Surface], Surface] | None = None,
) -> FolderReport:
    """Evaluate shapes that readers located, their surfaces after a ``change`` if there is one.

    Every shape is sampled at ``points`` points, by default the pipeline's; ``seed`` is that of the bootstrap
    and of k-means. ``report`` is called with one line for every shape that fails. Raises AlignPartsError if
    none can be evaluated.
    """
    rows: list[dict[str, Any]] = []
    methods, similarity = entrants(pipeline, seed), similarity_of(pipeline.text.encode)
    for kind, locator in tqdm(located, desc="evaluate", mininterval=2.0, leave=False):
        base = {"shape_id": locator.shape_id, "dataset": kind, "category": locator.category, "error": ""}
        try:
            source = read(kind, locator)
            base |= {"dataset": source.dataset, "category": source.category}
            if change is not None:
                source = replace(source, surface=change(source.surface), cloud=None)
            shape = label_shape(source, pipeline, points)
            predictions = {prefix: method.predict(shape) for prefix, method in methods.items()}
            row: dict[str, float] = {"parts": len(shape.present), "predicted": len(predictions[""].parts)}
            for prefix, prediction in predictions.items():
                values = score(prediction, shape, similarity)
                row |= {prefix + metric: values[metric] for metric in PREFIXES[prefix]}
            rows.append(base | row)
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
    labels = {prefix: method.label for prefix, method in methods.items()}
    return FolderReport(shapes, _table(good, labels, resamples=resamples, seed=seed))


def label_shape(shape: LabeledShape, pipeline: NamedPartsPipeline, points: int | None = None) -> Labeled:
    """Return a shape's features and ground truth at samples of its surface.

    Raises:
        AlignPartsError: no sample fell on a part with a name.
    """
    sample, features = pipeline.features(shape.surface, points)
    names = shape.part_names
    number = {name: index for index, name in enumerate(names)}
    table = np.array([*(number.get(name, -1) for name in shape.instances), -1], np.int64)
    truth = table[sample.instance]
    present = present_names(truth, names)
    if not present:
        raise AlignPartsError(f"{shape.shape_id}: no sample fell on a part with a name")
    return Labeled(shape.shape_id, shape.dataset, shape.category, features, truth, names, present)


def _table(good: pd.DataFrame, labels: dict[str, str], **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    groups, rows = [("all", good)], []
    if good.dataset.nunique() > 1:
        groups += [(str(name), group) for name, group in good.groupby("dataset")]
    for test_set, group in groups:
        for prefix, label in labels.items():
            for metric in PREFIXES[prefix]:
                mean = interval(group[prefix + metric].to_numpy(np.float64), **bootstrap)
                rows.append(tables.row(label, test_set, LABELS[metric], mean))
    return tables.long_table(rows)


def summary(folder: Path, report: FolderReport) -> list[str]:
    """Return the lines that the command prints: numbers of shapes, one line per metric, the gain in mIoU."""
    good = report.shapes[report.shapes.error == ""]
    lines = [f"{folder}: {len(good)} shapes evaluated, {len(report.shapes) - len(good)} failed"]
    for row in report.table[report.table.test_set == "all"].itertuples():
        lines.append(f"  {row.method:<30} {row.metric:<9} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}]")
    baseline = good.patches_clustering_miou.to_numpy(np.float64)
    if baseline.mean() > 0:
        gain = relative_gain(good.miou.to_numpy(np.float64), baseline)
        lines.append(
            f"  gain in mIoU over clustering on patches {gain.value:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]"
        )
    return lines
