"""Table 2: ALIGN-Parts and baselines trained on the same shapes, over several seeds."""

from collections.abc import Mapping
from functools import partial
from itertools import product

import pandas as pd

from alignparts.evaluation.baselines import fit
from alignparts.evaluation.baselines.ours import Ours, entrants_of
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.methods import (
    FIND3D,
    GIVEN,
    MPNET,
    OURS,
    PARTFIELD,
    Entrant,
    Told,
    finished,
    folder_of,
)
from alignparts.evaluation.scoring import evaluate
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Prediction

TOLD: Mapping[str, tuple[Told, ...]] = {"find3d": ("category", "names"), "partfield_mpnet": ()}
"""What the paper tells the trained baselines: Find3D the names of the parts, PartField+MPNet nothing."""
CLAIMS = [
    Claim(OURS, MPNET, "la_miou"),
    Claim(MPNET, FIND3D, "la_miou"),
    Claim(OURS, FIND3D, "la_miou"),
    Claim(GIVEN, FIND3D, "la_miou"),
    Claim(OURS, PARTFIELD, "miou"),
    Claim(OURS, MPNET, "miou"),
    Claim(OURS, FIND3D, "miou"),
]
"""The order of the paper's Table 2; and ours beside Find3D where both are told the category."""


def claims(scores: pd.DataFrame) -> list[Claim]:
    """Return those of `CLAIMS` about methods that were trained (``comparison.methods``)."""
    methods = set(scores.method)
    return [claim for claim in CLAIMS if {claim.better, claim.worse} <= methods]


def entrants(stage: Stage) -> list[Entrant]:
    """Return the methods of the paper's Table 2 under the paper's settings, ALIGN-Parts last.

    Raises:
        AlignPartsError: a method is not trained.
    """
    chosen = stage.params.comparison
    trained = {
        name: folder_of(stage.models, "baselines", name, chosen.seeds[0])
        for name in chosen.methods if name != fit.OURS
    }  # fmt: skip
    model = AlignParts.from_pretrained(str(stage.models / "alignparts"))
    return [
        Entrant(PartFieldClustering(seed=stage.params.base.seed), ("parts",)),
        *(Entrant(fit.load(name, folder, stage), TOLD[name]) for name, folder in trained.items()),
        Entrant(Ours(model, stage.encode, stage.vocabulary)),
    ]


def trained_scores(
    stage: Stage, *, train_missing: bool = False
) -> tuple[pd.DataFrame, dict[str, dict[str, Prediction]]]:
    """Score every method of ``comparison.methods`` with every seed of ``comparison.seeds``.

    Args:
        stage: settings, features and trained methods.
        train_missing: train a missing method instead of raising an error.

    Returns:
        Scores (:data:`comparison.COLUMNS`); and the baselines' predictions with the first seed, by label and
        shape.

    Raises:
        AlignPartsError: a method is not trained.
    """
    params = stage.params
    scores, predictions = list[pd.DataFrame](), dict[str, dict[str, Prediction]]()
    for name, seed in product(params.comparison.methods, params.comparison.seeds):
        if name == fit.OURS and seed == params.base.seed:
            continue  # the stage "train" has it
        train = partial(fit.fit, name, seed, stage) if train_missing else None
        folder = finished(folder_of(stage.models, "baselines", name, seed), "baselines", train)
        method = fit.load(name, folder, stage)
        chosen = entrants_of(method) if isinstance(method, Ours) else [Entrant(method, TOLD[name])]
        result = evaluate(
            stage.store, chosen, stage.encode, points=params.evaluate.points, seed=params.base.seed,
            training_seed=seed,
        )  # fmt: skip
        scores.append(result.scores)
        if name != fit.OURS:
            predictions.setdefault(method.label, result.predictions[method.label])
    return pd.concat(scores, ignore_index=True), predictions
