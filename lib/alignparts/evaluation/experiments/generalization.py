"""Categories that were never trained on (section 12.2): zero-shot, then fine-tuned on a few of their shapes.

Every held-out shape is scored by models that did not see it: the shapes of each category are split into two
halves, and what is fine-tuned on shapes of one half is scored on the other.
``python -m alignparts.evaluation.experiments.generalization HALF`` is one item of the pipeline's matrix.
"""

from functools import partial
from itertools import chain, product
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core.config import Params, TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.comparison import COLUMNS, Claim
from alignparts.evaluation.ground_truth import HELDOUT, SEEN, ids_by_category
from alignparts.evaluation.methods import OURS, Entrant, finished, folder_of, run_item
from alignparts.evaluation.scoring import evaluate
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.model.train import train

HALVES = 2


def halves(store: FeatureStore, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Return held-out shapes in two seeded halves, a list per category; AlignPartsError if one is empty."""
    ordered = [ids for _, ids in sorted(ids_by_category(store, HELDOUT, seed).items())]
    first, second = ([ids[half::HALVES] for ids in ordered if ids[half::HALVES]] for half in range(HALVES))
    if not second:
        raise AlignPartsError(
            "generalization: every held-out category has a single shape, expected two; "
            "raise corpus.embedded.heldout_shapes"
        )
    return first, second


def label_of(shots: int) -> str:
    """Return the name of ALIGN-Parts after ``shots`` shapes of each unseen category."""
    return OURS if shots == 0 else f"{OURS}, {shots} {'shot' if shots == 1 else 'shots'}"


def model_folder(models: Path, shots: int, half: int) -> Path:
    """Return the folder of the model that is scored on a half."""
    return folder_of(models, "generalization", "half", half) / f"shots-{shots}"


def fine_tune_all(half: int, stage: Stage) -> None:
    """Fine-tune a half's models, one for every number of ``generalization.shots``; see :func:`fine_tune`."""
    for shots in stage.params.generalization.shots:
        fine_tune(shots, half, stage)


def fine_tune(shots: int, half: int, stage: Stage) -> None:
    """Fine-tune the model on shapes of the other half; it goes to :func:`model_folder`.

    Of every category ``shots`` shapes are taken, or all that the half has; fewer shots are a subset of more.
    A killed run is resumed after its last finished epoch.
    """
    params, out = stage.params, model_folder(stage.models, shots, half)
    others = halves(stage.store, params.base.seed)[1 - half]
    ids = list(chain(*(category[:shots] for category in others)))
    train(
        stage.store, stage.vocabulary, stage.encode, settings_of(params, len(ids)), out,
        seed=params.base.seed, ids={"train": ids, "validation": []}, statistics=False,
        start=load(0, half, stage.models),
    )  # fmt: skip
    forget_progress(out)


def load(shots: int, half: int, models: Path) -> AlignParts:
    """Load the model scored on a half, the trained one without shots; AlignPartsError if it is missing."""
    tuned = model_folder(models, shots, half)
    folder = finished(tuned, "few_shots") if shots else models / "alignparts"
    return AlignParts.from_pretrained(str(folder)).eval()


def fine_tune_missing(stage: Stage) -> None:
    """Fine-tune every item of the matrix that is missing."""
    for shots, half in product(stage.params.generalization.shots, range(HALVES)):
        folder = model_folder(stage.models, shots, half)
        finished(folder, "few_shots", partial(fine_tune, shots, half, stage))


def methods_of_shapes(shots: int, stage: Stage) -> dict[str, Ours]:
    """Return the fine-tuned method that scores each held-out shape, by shape id: one that did not see it."""
    methods = dict[str, Ours]()
    for half, categories in enumerate(halves(stage.store, stage.params.base.seed)):
        method = Ours(load(shots, half, stage.models), stage.encode, stage.vocabulary)
        methods |= {shape_id: method for ids in categories for shape_id in ids}
    return methods


def settings_of(params: Params, shapes: int) -> TrainParams:
    """Return the block ``train`` for ``generalization.steps`` steps on so many shapes."""
    chosen, steps_per_epoch = params.generalization, ceil(shapes / params.train.batch_size)
    return params.train.over({"epochs": ceil(chosen.steps / steps_per_epoch), "lr": chosen.lr})


def shot_scores(stage: Stage, remembered: list[str]) -> pd.DataFrame:
    """Score ALIGN-Parts at every number of shots on held-out shapes and on seen ones, to see it forget.

    Held-out shapes are named from their own part names (open vocabulary), ``remembered`` ones, ids of seen
    test shapes, from the closed vocabulary of the category given; a seen shape's score is the mean over the
    two halves. Returns scores (:data:`comparison.COLUMNS`); methods are :func:`label_of`, test sets "heldout"
    and "seen".
    """
    params, encode = stage.params, stage.encode
    look: dict[str, Any] = {"points": params.evaluate.points, "seed": params.base.seed}
    tables = []
    for shots in (0, *params.generalization.shots):
        seen = []
        for half, categories in enumerate(halves(stage.store, params.base.seed)):
            method, label = Ours(load(shots, half, stage.models), encode, stage.vocabulary), label_of(shots)
            unseen, known = Entrant(method, name=label), Entrant(method, ("category",), label)
            ids = list(chain(*categories))
            tables.append(evaluate(stage.store, [unseen], encode, splits=[HELDOUT], ids=ids, **look).scores)
            if half == 0 or shots:
                seen.append(evaluate(stage.store, [known], encode, ids=remembered, **look).scores)
        both = pd.concat(seen).assign(test_set=SEEN)
        tables.append(both.groupby(COLUMNS[:-1], sort=False).value.mean().reset_index())
    return pd.concat(tables, ignore_index=True)


def claims(params: Params) -> list[Claim]:
    """Return the claims that a few shapes of unseen categories help."""
    most = max(params.generalization.shots)
    return [Claim(label_of(most), label_of(0), metric) for metric in ("miou", "la_miou")]


if __name__ == "__main__":
    run_item("few_shots", fine_tune_all, int)
