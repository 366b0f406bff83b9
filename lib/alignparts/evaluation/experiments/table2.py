"""Table 2: ALIGN-Parts and baselines trained on the same shapes, over several seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core.config import Params
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.baselines.ours import Ours, entrants_of
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.methods import FIND3D, GIVEN, MPNET, OURS, PARTFIELD, Entrant, Told
from alignparts.evaluation.scoring import evaluate
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary

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
    """Those of `CLAIMS` about methods that were trained (``comparison.methods``)."""
    methods = set(scores.method)
    return [one for one in CLAIMS if {one.better, one.worse} <= methods]


def entrants(params: Params, models: Path, vocabulary: Vocabulary, encode: Encode) -> list[Entrant]:
    """One method a row of the paper's Table 2, each told what the paper tells it, ALIGN-Parts last.

    Raises:
        AlignPartsError: a method is not trained.
    """
    seed = params.base.seed
    found = [Entrant(PartFieldClustering(seed=seed), ("parts",))]
    for name in params.comparison.methods:
        if name != fit.OURS:
            folder = fit.folder_of(models, name, params.comparison.seeds[0])
            found.append(Entrant(fit.load(name, folder, vocabulary, encode, seed), TOLD[name]))
    model = AlignParts.from_pretrained(str(models / "alignparts"))
    return [*found, Entrant(Ours(model, encode, vocabulary))]


def trained_scores(
    params: Params,
    store: FeatureStore,
    vocabulary: Vocabulary,
    encode: Encode,
    models: Path,
    *,
    train_missing: bool = False,
) -> tuple[pd.DataFrame, dict[str, dict[str, Prediction]]]:
    """Every method of ``comparison.methods`` with every seed of ``comparison.seeds`` on the test shapes.

    Args:
        params: all of params.yaml.
        store: features and ground truth.
        vocabulary: the unified vocabulary.
        encode: the text encoder's ``encode``.
        models: where the trained methods lie (:func:`alignparts.evaluation.baselines.fit.folder_of`).
        train_missing: train what is not there, instead of an error.

    Returns:
        Scores (:func:`scoring.frame`); and the segments with the first seed, by method and shape.

    Raises:
        AlignPartsError: a method is not trained.
    """
    look: dict[str, Any] = {"points": params.evaluate.points, "seed": params.base.seed}
    scores, segments = list[pd.DataFrame](), dict[str, dict[str, Prediction]]()
    for name in params.comparison.methods:
        for seed in params.comparison.seeds:
            if name == fit.OURS and seed == params.base.seed:
                continue  # the stage "train" has it
            folder = fit.folder_of(models, name, seed)
            if train_missing and not (folder / "config.json").is_file():
                fit.fit(name, seed, params, store, vocabulary, encode, folder)
            if name == fit.OURS:
                chosen = entrants_of(AlignParts.from_pretrained(str(folder)), encode, vocabulary)
            else:
                method = fit.load(name, folder, vocabulary, encode, params.base.seed)
                chosen = [Entrant(method, TOLD[name])]
            result = evaluate(store, chosen, encode, **look, training_seed=seed)
            scores.append(result.scores)
            if name != fit.OURS:
                segments.setdefault(method.label, result.predictions[method.label])
    return pd.concat(scores, ignore_index=True), segments
