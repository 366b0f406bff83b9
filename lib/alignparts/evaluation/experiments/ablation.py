"""Table 3 and the curves over settings: one setting changed, trained from scratch, scored on test shapes.

``python -m alignparts.evaluation.experiments.ablation VARIANT SEED`` is one item of the pipeline's matrix.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.config import Params, TrainParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import Entrant, Given, Method
from alignparts.evaluation.scoring import evaluate
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.dataset import ids_of_split
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary

SCORES = "scores.csv"
FULL = "full"


def train_params(params: Params, variant: str) -> TrainParams:
    """The training of a variant: the block ``train``, ``ablation.train`` over it, the variant over both.

    Raises:
        AlignPartsError: no such variant.
    """
    if variant not in params.ablations:
        known = ", ".join(params.ablations)
        raise AlignPartsError(f"params.yaml: ablations has no '{variant}'; expected one of {known}")
    return params.ablations[variant].applied(params.ablation.base(params.train))


def folder_of(models: Path, variant: str, seed: int) -> Path:
    """Where a trained variant and its scores lie."""
    return models / "ablations" / f"{variant}-{seed}"


def ablate(
    variant: str, seed: int, params: Params, *, data: Path = paths.DATA, models: Path = paths.MODELS
) -> pd.DataFrame:
    """Train a variant on the categories of ``ablation.categories`` and score it on their test shapes.

    The model goes to ``models/ablations/<variant>-<seed>``, its scores to ``scores.csv`` beside it. The
    category is found among these categories (Eq. 16); points are chosen as for Table 2.

    Returns:
        One row a shape and metric (`alignparts.evaluation.scoring.frame`); the method is the variant's label.

    Raises:
        AlignPartsError: no such variant, or what :func:`alignparts.model.train.train` raises.
    """
    settings = train_params(params, variant)
    chosen = params.ablations[variant]
    stage = Stage(params, data, models)
    store, encode = stage.store, stage.encode
    vocabulary = stage.vocabulary.only(params.ablation.categories)
    out = folder_of(models, variant, seed)
    ids = {split: shapes_of(store, split, vocabulary) for split in ("train", "validation", "test")}
    ids["train"] = share(ids["train"], chosen.share, seed)
    if chosen.baseline is None:
        trained = train(
            store, vocabulary, encode, settings, out, seed=seed, ids=ids,
            statistics=False,
        )  # fmt: skip
        method: Method = Ours(trained.model, encode, vocabulary)
    else:
        fit.fit(chosen.baseline, seed, params, store, vocabulary, encode, out, ids)
        method = fit.load(chosen.baseline, out, vocabulary, encode, params.base.seed)
    entrant = Entrant(method, name=chosen.label, finds_category=chosen.baseline is None)
    scores = evaluate(
        store, [entrant], encode, points=params.evaluate.points, seed=params.base.seed, ids=ids["test"],
        training_seed=seed,
    ).scores  # fmt: skip
    write_text(out / SCORES, scores.to_csv(index=False, lineterminator="\n", float_format="%.6f"))
    forget_progress(out)
    return scores


def collect(
    variants: Sequence[str], params: Params, *, data: Path, models: Path, train_missing: bool = False
) -> pd.DataFrame:
    """The scores of variants with all their seeds, as their items of the matrix left them.

    Args:
        variants: names of blocks of ``ablations``.
        params: all of params.yaml.
        data: with the feature store and the vocabulary.
        models: with the items' folders.
        train_missing: train an item that is not there, instead of an error.

    Raises:
        AlignPartsError: an item is not there; the message names the command that makes it.
    """
    found = []
    for variant in variants:
        of_rows = variant in params.ablation.rows
        for seed in params.ablation.seeds if of_rows else params.ablation.curve_seeds:
            path = folder_of(models, variant, seed) / SCORES
            if train_missing and not path.is_file():
                ablate(variant, seed, params, data=data, models=models)
            if not path.is_file():
                raise AlignPartsError(f"{path}: not there; run: dvc repro ablations")
            found.append(pd.read_csv(path))
    return pd.concat(found, ignore_index=True)


def segments_of(
    variant: str,
    seed: int,
    shape: Labeled,
    params: Params,
    vocabulary: Vocabulary,
    encode: Encode,
    models: Path,
) -> Prediction:
    """What a trained item makes of a shape of its categories, as when it was scored.

    Raises:
        AlignPartsError: the item is not there.
    """
    vocabulary = vocabulary.only(params.ablation.categories)
    folder, baseline = folder_of(models, variant, seed), params.ablations[variant].baseline
    if baseline is not None:
        method = fit.load(baseline, folder, vocabulary, encode, params.base.seed)
    else:
        method = Ours(AlignParts.from_pretrained(str(folder)), encode, vocabulary)
    return method.predict(shape.arrays, Given())


def claims(params: Params) -> list[Claim]:
    """Return the paper's findings: each component adds, and fusion is more than features side by side."""
    label = {name: params.ablations[name].label for name in params.ablation.rows}
    pairs = [(FULL, "no_cov_ov"), ("no_cov_ov", "no_cov_ov_txt"), (FULL, "concat"), (FULL, "geo_input"),
             (FULL, "base"), (FULL, "partfield_mpnet")]  # fmt: skip
    return [
        Claim(label[better], label[worse], metric)
        for better, worse in pairs if better in label and worse in label
        for metric in ("miou", "la_miou")
    ]  # fmt: skip


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
    """Shapes of a split whose category the vocabulary has."""
    return [one for one in ids_of_split(store, split) if vocabulary.has(store.meta(one)["category"])]


def share(ids: Sequence[str], part: float, seed: int) -> list[str]:
    """A random share of shapes, one at least; larger shares hold the smaller ones."""
    count = max(round(part * len(ids)), 1)
    kept = np.random.default_rng(seed).permutation(len(ids))[:count]
    return [ids[index] for index in sorted(kept.tolist())]


def main() -> None:
    """One item of the matrix, with params.yaml's settings."""
    variant, seed = sys.argv[1:]
    stage = Stage.start()
    with ledger.record("ablations", f"{variant}-{seed}"):
        scores = ablate(variant, int(seed), stage.params)
    mean = scores.groupby("metric").value.mean()
    print(f"{variant}, seed {seed}: mIoU {mean['miou']:.3f}, LA-mIoU {mean['la_miou']:.3f}")


if __name__ == "__main__":
    main()
