"""Training of the methods that Table 2 compares with ALIGN-Parts.

``python -m alignparts.evaluation.baselines.fit METHOD SEED`` is one item of the pipeline's matrix.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines.find3d.method import Find3D
from alignparts.evaluation.baselines.find3d.model import Find3DModel
from alignparts.evaluation.baselines.find3d.train import Find3DTraining
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.baselines.partfield_mpnet.method import PartFieldMPNet
from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetModel
from alignparts.evaluation.baselines.partfield_mpnet.train import PartFieldMPNetTraining
from alignparts.evaluation.baselines.training import Training
from alignparts.evaluation.methods import Method, finished, folder_of, run_item
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.ontology.vocabulary import Vocabulary

OURS = "alignparts"
"""ALIGN-Parts itself, with another seed than the stage "train" has."""
TRAININGS: dict[str, type[Training[Any, Any]]] = {
    "partfield_mpnet": PartFieldMPNetTraining, "find3d": Find3DTraining
}  # fmt: skip


def fit(
    method: str,
    seed: int,
    stage: Stage,
    *,
    out: Path | None = None,
    vocabulary: Vocabulary | None = None,
    ids: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Train a method on the split "train" and write its model folder; a killed run is resumed.

    Args:
        method: "partfield_mpnet", "find3d" or "alignparts".
        seed: seed of the training.
        stage: settings, features and text encoder.
        out: model folder; the item's by default.
        vocabulary: names and descriptions; the whole vocabulary by default.
        ids: ids of the shapes of "train" and "validation"; those of the store's splits by default.

    Raises:
        AlignPartsError: an unknown method, or its training raises.
    """
    out = out or folder_of(stage.models, "baselines", method, seed)
    given = stage.store, vocabulary or stage.vocabulary, stage.encode
    if method == OURS:
        train(*given, stage.params.train, out, seed=seed, ids=ids)
    elif method in TRAININGS:
        TRAININGS[method](*given, getattr(stage.params.baselines, method), seed=seed, ids=ids).fit(out)
    else:
        raise AlignPartsError(f"baseline '{method}': expected {', '.join((*TRAININGS, OURS))}")
    forget_progress(out)


def load(method: str, folder: Path, stage: Stage, vocabulary: Vocabulary | None = None) -> Method:
    """Load a method of :func:`fit` from its model folder.

    Raises:
        AlignPartsError: the folder holds no model.
    """
    finished(folder, "baselines")
    vocabulary, encode = vocabulary or stage.vocabulary, stage.encode
    if method == OURS:
        return Ours(AlignParts.from_pretrained(str(folder)), encode, vocabulary)
    if method == "find3d":
        return Find3D(Find3DModel.from_pretrained(folder), encode)
    model = PartFieldMPNetModel.from_pretrained(folder)
    return PartFieldMPNet(model, encode, vocabulary, seed=stage.params.base.seed)


if __name__ == "__main__":
    run_item("baselines", fit, str, int)
