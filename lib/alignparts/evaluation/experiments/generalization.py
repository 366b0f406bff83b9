"""Categories that were never trained on (section 12.2): zero-shot, then fine-tuned on a few of their shapes.

Every held-out shape is scored by models that did not see it: the shapes of each category are split into two
halves, and what is fine-tuned on shapes of one half is scored on the other.
``python -m alignparts.evaluation.experiments.generalization SHOTS HALF`` fine-tunes one item of the matrix.
"""

import sys
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core import ledger
from alignparts.core.config import Params, TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.ground_truth import HELDOUT, SEEN, ids_by_category
from alignparts.evaluation.methods import OURS, Entrant
from alignparts.evaluation.scoring import evaluate
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.naming.prediction import Encode
from alignparts.ontology.vocabulary import Vocabulary

HALVES = 2


def halves(store: FeatureStore, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """The held-out shapes in two halves, each a list a category, in a seeded order.

    Raises:
        AlignPartsError: no held-out shape, or no category with two.
    """
    ordered = [ids for _, ids in sorted(ids_by_category(store, HELDOUT, seed).items())]
    found = [[ids[half::HALVES] for ids in ordered if ids[half::HALVES]] for half in range(HALVES)]
    if not all(found):
        raise AlignPartsError(
            "generalization: every held-out category has a single shape, expected two; "
            "raise corpus.heldout_shapes"
        )
    return found[0], found[1]


def label_of(shots: int) -> str:
    """What tables call ALIGN-Parts after so many shapes of each unseen category."""
    return OURS if shots == 0 else f"{OURS}, {shots} {'shot' if shots == 1 else 'shots'}"


def folder_of(models: Path, shots: int, half: int) -> Path:
    """Where the model lies that is scored on a half."""
    return models / "generalization" / f"shots-{shots}-half-{half}"


def fine_tune(
    shots: int, half: int, params: Params, store: FeatureStore, vocabulary: Vocabulary, encode: Encode,
    models: Path,
) -> None:  # fmt: skip
    """Train the model on for some steps on shapes of the other half; it goes to :func:`folder_of`.

    Fewer shots are a subset of more. A killed run goes on after its last finished epoch.

    Args:
        shots: shapes of each category; one whose half has fewer gives what it has.
        half: to be scored on.
        params: all of params.yaml.
        store: features and parts.
        vocabulary: names and descriptions, those of the unseen categories among them.
        encode: the text encoder's ``encode``.
        models: with ``alignparts``.
    """
    other = halves(store, params.base.seed)[1 - half]
    ids = [shape_id for category in other for shape_id in category[:shots]]
    out = folder_of(models, shots, half)
    train(
        store, vocabulary, encode, settings_of(params, len(ids)), out, seed=params.base.seed,
        ids={"train": ids, "validation": []}, statistics=False,
        start=AlignParts.from_pretrained(str(models / "alignparts")).eval(),
    )  # fmt: skip
    forget_progress(out)


def load(shots: int, half: int, models: Path) -> AlignParts:
    """The model of so many shots that is scored on a half; without shots, the trained one.

    Raises:
        AlignPartsError: it is not there; the message names the command that makes it.
    """
    if shots == 0:
        return AlignParts.from_pretrained(str(models / "alignparts")).eval()
    folder = folder_of(models, shots, half)
    if not (folder / "config.json").is_file():
        raise AlignPartsError(f"{folder}: no fine-tuned model there; run: dvc repro few_shots")
    return AlignParts.from_pretrained(str(folder)).eval()


def fine_tune_missing(
    params: Params, store: FeatureStore, vocabulary: Vocabulary, encode: Encode, models: Path
) -> None:
    """:func:`fine_tune` for every item of the matrix that is not there."""
    for shots in params.generalization.shots:
        for half in range(HALVES):
            if not (folder_of(models, shots, half) / "config.json").is_file():
                fine_tune(shots, half, params, store, vocabulary, encode, models)


def settings_of(params: Params, shapes: int) -> TrainParams:
    """The block ``train``, its sizes kept, for ``generalization.steps`` steps on so many shapes."""
    chosen = params.generalization
    steps = ceil(shapes / params.train.batch_size)
    return params.train.over({"epochs": ceil(chosen.steps / steps), "lr": chosen.lr})


def shot_scores(
    params: Params, store: FeatureStore, vocabulary: Vocabulary, encode: Encode, models: Path,
    remembered: list[str],
) -> pd.DataFrame:  # fmt: skip
    """ALIGN-Parts at every number of shots, on the held-out shapes and, for what it forgets, on seen ones.

    Held-out shapes are named from their own part names (open vocabulary), seen ones from the closed
    vocabulary of the category given; a seen shape's score is the mean over the two halves.

    Args:
        params: all of params.yaml.
        store: features and ground truth.
        vocabulary: the unified vocabulary.
        encode: the text encoder's ``encode``.
        models: with ``alignparts`` and the fine-tuned ones.
        remembered: seen test shapes.

    Returns:
        :data:`comparison.COLUMNS`; methods are :func:`label_of`, test sets "heldout" and "seen".
    """
    look: dict[str, Any] = {"points": params.evaluate.points, "seed": params.base.seed}
    tables = []
    for shots in (0, *params.generalization.shots):
        seen = []
        for half, categories in enumerate(halves(store, params.base.seed)):
            method, label = Ours(load(shots, half, models), encode, vocabulary), label_of(shots)
            ids = [shape_id for category in categories for shape_id in category]
            unseen = Entrant(method, name=label)
            tables.append(evaluate(store, [unseen], encode, splits=[HELDOUT], ids=ids, **look).scores)
            if half == 0 or shots:
                known = Entrant(method, ("category",), label)
                seen.append(evaluate(store, [known], encode, ids=remembered, **look).scores)
        both = pd.concat(seen).assign(test_set=SEEN)
        key = [name for name in both.columns if name != "value"]
        tables.append(both.groupby(key, sort=False).value.mean().reset_index())
    return pd.concat(tables, ignore_index=True)


def claims(params: Params) -> list[Claim]:
    """That a few shapes of unseen categories help."""
    most = max(params.generalization.shots)
    return [Claim(label_of(most), label_of(0), metric) for metric in ("miou", "la_miou")]


def main() -> None:
    """One item of the matrix, with params.yaml's settings."""
    shots, half = (int(value) for value in sys.argv[1:])
    stage = Stage.start()
    with ledger.record("few_shots", f"{shots}-{half}"):
        fine_tune(shots, half, stage.params, stage.store, stage.vocabulary, stage.encode, stage.models)


if __name__ == "__main__":
    main()
