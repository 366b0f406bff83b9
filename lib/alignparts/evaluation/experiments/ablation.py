"""Table 3 and the curves over settings: one setting changed, trained from scratch, scored on test shapes.

``python -m alignparts.evaluation.experiments.ablation rows|curves SEED`` is an item of the pipeline's matrix.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.config import Params, TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.methods import Entrant, Method, finished, folder_of, run_item
from alignparts.evaluation.scoring import evaluate
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import ids_of_split
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.ontology.vocabulary import Vocabulary

Group = Literal["rows", "curves"]
"""Variants that one process trains, by their key in ``ablation``: rows of Table 3, points of curves."""
STAGES: dict[Group, str] = {"rows": "ablations", "curves": "curves"}
SCORES = "scores.csv"
FULL = "full"
SETTINGS = {"K": "partlets K", "k": "neighbors k", "shapes": "share of the training shapes"}
"""Settings of the curves, by their names on an axis."""


def train_params(params: Params, variant: str) -> TrainParams:
    """Return ``train``, overridden by ``ablation.train``, then by the variant; AlignPartsError if unknown."""
    if variant not in params.ablations:
        known = ", ".join(params.ablations)
        raise AlignPartsError(f"params.yaml: ablations has no '{variant}'; expected one of {known}")
    return params.ablations[variant].applied(params.ablation.base(params.train))


def ablate_all(group: Group, seed: int, stage: Stage) -> None:
    """Train and score all variants of a group with a seed; a killed run goes on where it was."""
    variants = _variants(group, stage.params)
    for variant in variants:
        ablate(variant, seed, stage)
    forget_progress(*(folder_of_variant(variant, seed, stage) for variant in variants))


def ablate(variant: str, seed: int, stage: Stage) -> pd.DataFrame:
    """Train a variant on the categories of ``ablation.categories`` and score it on their test shapes.

    The model goes to :func:`folder_of_variant`, its scores to ``scores.csv`` beside it. The category is
    predicted among these categories (Eq. 16); points are chosen as for Table 2. Returns scores
    (:data:`comparison.COLUMNS`); the method is the variant's label. Raises AlignPartsError if there is no
    such variant.
    """
    params, store = stage.params, stage.store
    settings, chosen = train_params(params, variant), params.ablations[variant]
    vocabulary = stage.vocabulary.only(params.ablation.categories)
    out = folder_of_variant(variant, seed, stage)
    ids = {split: shapes_of(store, split, vocabulary) for split in ("train", "validation", "test")}
    ids["train"] = share(ids["train"], chosen.share, seed)
    if chosen.baseline is None:
        train(store, vocabulary, stage.encode, settings, out, seed=seed, ids=ids, statistics=False)
    else:
        fit.fit(chosen.baseline, seed, stage, out=out, vocabulary=vocabulary, ids=ids)
    method = method_of(variant, seed, stage)
    entrant = Entrant(method, name=chosen.label, finds_category=chosen.baseline is None)
    scores = evaluate(
        store, [entrant], stage.encode, points=params.evaluate.points, seed=params.base.seed, ids=ids["test"],
        training_seed=seed,
    ).scores  # fmt: skip
    write_text(out / SCORES, scores.to_csv(index=False, lineterminator="\n", float_format="%.6f"))
    return scores


def collect(group: Group, stage: Stage, *, train_missing: bool = False) -> pd.DataFrame:
    """Read the scores of a group; AlignPartsError names the command that trains a missing variant."""
    settings, tables = stage.params.ablation, []
    for variant in _variants(group, stage.params):
        for seed in settings.seeds if group == "rows" else settings.curve_seeds:
            folder = folder_of_variant(variant, seed, stage)
            train = partial(ablate_all, group, seed, stage) if train_missing else None
            tables.append(pd.read_csv(finished(folder, STAGES[group], train, SCORES) / SCORES))
    return pd.concat(tables, ignore_index=True)


def folder_of_variant(variant: str, seed: int, stage: Stage) -> Path:
    """Return a variant's folder in ``models/ablations/rows-<seed>`` or ``models/ablations/curves-<seed>``."""
    group = "rows" if variant in stage.params.ablation.rows else "curves"
    return folder_of(stage.models, "ablations", group, seed) / variant


def _variants(group: Group, params: Params) -> Sequence[str]:
    return params.ablation.rows if group == "rows" else params.ablation.curves


def method_of(variant: str, seed: int, stage: Stage) -> Method:
    """Load a variant, which names parts of its own categories; AlignPartsError if it is not trained."""
    folder = finished(folder_of_variant(variant, seed, stage), "ablations")
    vocabulary = stage.vocabulary.only(stage.params.ablation.categories)
    return fit.load(stage.params.ablations[variant].baseline or fit.OURS, folder, stage, vocabulary)


def claims(params: Params) -> list[Claim]:
    """Return the paper's findings: each component adds, and fusion is more than features side by side."""
    label = {name: params.ablations[name].label for name in params.ablation.rows}
    pairs = [(FULL, "no_cov_ov"), ("no_cov_ov", "no_cov_ov_txt"), (FULL, "concat"), (FULL, "geo_input"),
             (FULL, "base"), (FULL, "partfield_mpnet")]  # fmt: skip
    trained = [pair for pair in pairs if label.keys() >= set(pair)]
    return [Claim(label[a], label[b], metric) for a, b in trained for metric in ("miou", "la_miou")]


def curves(params: Params) -> dict[str, Mapping[str, float]]:
    """Return every setting that a curve goes over: its value by method, the full model included."""
    model, full = train_params(params, FULL).model, params.ablations[FULL].label
    start = {"K": float(model.K), "k": float(model.k), "shapes": 1.0}
    points: dict[str, dict[str, float]] = {}
    for variant in (params.ablations[name] for name in params.ablation.curves):
        values = points.setdefault(variant.setting, {full: start[variant.setting]})
        values[variant.label] = variant.value
    return {name: dict(sorted(values.items(), key=lambda item: item[1])) for name, values in points.items()}


def shapes_of(store: FeatureStore, split: str, vocabulary: Vocabulary) -> list[str]:
    """Return the ids of the shapes of a split whose category the vocabulary has."""
    return [name for name in ids_of_split(store, split) if vocabulary.has(store.meta(name)["category"])]


def share(ids: Sequence[str], part: float, seed: int) -> list[str]:
    """Return a random share of shapes, at least one; larger shares hold the smaller ones."""
    count = max(round(part * len(ids)), 1)
    chosen = np.random.default_rng(seed).permutation(len(ids))[:count]
    return [ids[index] for index in sorted(chosen.tolist())]


if __name__ == "__main__":
    chosen: Group = "curves" if sys.argv.pop(1) == "curves" else "rows"
    run_item(STAGES[chosen], partial(ablate_all, chosen), int)
