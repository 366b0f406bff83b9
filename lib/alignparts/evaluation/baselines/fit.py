"""Training what stands beside ALIGN-Parts in Table 2.

``python -m alignparts.evaluation.baselines.fit METHOD SEED`` is one item of the pipeline's matrix.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignparts.core import ledger
from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines.find3d import train as find3d_train
from alignparts.evaluation.baselines.find3d.method import Find3D
from alignparts.evaluation.baselines.find3d.model import Find3DModel
from alignparts.evaluation.baselines.partfield_mpnet import train as partfield_mpnet_train
from alignparts.evaluation.baselines.partfield_mpnet.method import PartFieldMPNet
from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetModel
from alignparts.evaluation.methods import Method
from alignparts.features.store import FeatureStore
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.naming.prediction import Encode
from alignparts.ontology.vocabulary import Vocabulary

OURS = "alignparts"
"""ALIGN-Parts itself, with another seed than the stage "train" has."""


def folder_of(models: Path, method: str, seed: int) -> Path:
    """Where a trained method lies."""
    return models / "baselines" / f"{method}-{seed}"


def fit(
    method: str,
    seed: int,
    params: Params,
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    out: Path,
    ids: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Train a method on the split "train" and write its model folder; a killed run goes on where it was.

    Args:
        method: "partfield_mpnet", "find3d" or "alignparts".
        seed: of the training.
        params: all of params.yaml.
        store: features, parts and splits.
        vocabulary: names and descriptions.
        encode: texts to embeddings of length 1.
        out: model folder.
        ids: shapes of "train" and "validation"; those of the store's splits by default.

    Raises:
        AlignPartsError: an unknown method, or what its training raises.
    """
    common: dict[str, Any] = {"seed": seed, "ids": ids}
    if method == "partfield_mpnet":
        partfield_mpnet_train.train(
            store, vocabulary, encode, params.baselines.partfield_mpnet, out, **common
        )
    elif method == "find3d":
        find3d_train.train(store, vocabulary, encode, params.baselines.find3d, out, **common)
    elif method == OURS:
        train(store, vocabulary, encode, params.train, out, **common)
    else:
        raise AlignPartsError(f"baseline '{method}': expected partfield_mpnet, find3d or alignparts")
    forget_progress(out)


def load(method: str, folder: Path, vocabulary: Vocabulary, encode: Encode, seed: int = 0) -> Method:
    """A trained baseline behind the common interface.

    Args:
        method: "partfield_mpnet" or "find3d".
        folder: its model folder.
        vocabulary: where categories and their parts come from.
        encode: the text encoder that it was trained with.
        seed: of clustering.

    Raises:
        AlignPartsError: an unknown method, or no model in the folder.
    """
    if not (folder / "config.json").is_file():
        raise AlignPartsError(f"{folder}: no trained {method} there; run: dvc repro baselines")
    if method == "partfield_mpnet":
        return PartFieldMPNet(PartFieldMPNetModel.from_pretrained(folder), encode, vocabulary, seed=seed)
    if method == "find3d":
        return Find3D(Find3DModel.from_pretrained(folder), encode)
    raise AlignPartsError(f"baseline '{method}': expected partfield_mpnet or find3d")


def main() -> None:
    """One item of the matrix, with params.yaml's settings."""
    method, seed = sys.argv[1], int(sys.argv[2])
    stage = Stage.start()
    with ledger.record("baselines", f"{method}-{seed}"):
        out = folder_of(stage.models, method, seed)
        fit(method, seed, stage.params, stage.store, stage.vocabulary, stage.encode, out)


if __name__ == "__main__":
    main()
