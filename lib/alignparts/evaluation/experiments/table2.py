"""Table 2: ALIGN-Parts and baselines trained on the same shapes, over several seeds."""

from collections.abc import Mapping
from functools import partial
from itertools import product

import pandas as pd

from alignparts.evaluation import methods
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.baselines.ours import Ours, entrants_of
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.methods import FIND3D, GIVEN, MPNET, OURS, PARTFIELD, Entrant, Told
from alignparts.evaluation.scoring import evaluate
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Prediction

TOLD: Mapping[str, tuple[Told, ...]] = {"find3d": ("category", "names"), "partfield_mpnet": ()}
"""Information that the paper gives the trained baselines: part names for Find3D, none for PartField+MPNet."""
NAMED = ((OURS, MPNET), (MPNET, FIND3D), (OURS, FIND3D), (GIVEN, FIND3D))
CLAIMS = [
    *(Claim(better, worse, "la_miou") for better, worse in NAMED),
    *(Claim(OURS, worse, "miou") for worse in (PARTFIELD, MPNET, FIND3D)),
]
"""The order of the paper's Table 2; and ours beside Find3D where both are told the category."""


def claims(scores: pd.DataFrame) -> list[Claim]:
    """Return those of `CLAIMS` about methods that were trained (``comparison.methods``)."""
    trained = set(scores.method)
    return [claim for claim in CLAIMS if {claim.better, claim.worse} <= trained]


def entrants(stage: Stage) -> list[Entrant]:
    """Return Table 2's methods under the paper's settings, ours last; AlignPartsError if untrained."""
    chosen = stage.params.comparison
    trained = {
        name: methods.folder_of(stage.models, "baselines", name, chosen.seeds[0])
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

    ``train_missing`` trains a missing method instead of raising an error. Returns scores
    (:data:`comparison.COLUMNS`); and the baselines' predictions with the first seed, by label and shape.
    Raises AlignPartsError if a method is not trained.
    """
    params = stage.params
    scores, predictions = list[pd.DataFrame](), dict[str, dict[str, Prediction]]()
    for name, seed in product(params.comparison.methods, params.comparison.seeds):
        if name == fit.OURS and seed == params.base.seed:
            continue  # the stage "train" has it
        train = partial(fit.fit, name, seed, stage) if train_missing else None
        folder = methods.folder_of(stage.models, "baselines", name, seed)
        method = fit.load(name, methods.finished(folder, "baselines", train), stage)
        chosen = entrants_of(method) if isinstance(method, Ours) else [Entrant(method, TOLD[name])]
        result = evaluate(
            stage.store, chosen, stage.encode, points=params.evaluate.points, seed=params.base.seed,
            training_seed=seed,
        )  # fmt: skip
        scores.append(result.scores)
        if name != fit.OURS:
            predictions.setdefault(method.label, result.predictions[method.label])
    return pd.concat(scores, ignore_index=True), predictions
