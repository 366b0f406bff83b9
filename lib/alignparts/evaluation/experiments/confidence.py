"""Confidence measures compared, promises checked, and shifts that no promise covers (notebook 10)."""

import pickle
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64

from alignparts.core.config import Params
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus
from alignparts.evaluation import tables
from alignparts.evaluation.conformal import outcome
from alignparts.evaluation.experiments.robustness import Cell, disturbed_shape
from alignparts.evaluation.reliability import LABELS, Confidences, intervals
from alignparts.evaluation.scored_parts import PartScorer, ScoredParts, concatenated
from alignparts.features.extract import Encoders
from alignparts.naming.confidence import PAPER, Calibration, Promise
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary

SOFT = "softmax (Eq. 20)"
NEAR = "Mahalanobis (Eq. 18)"
NEAR_FITTED = "Mahalanobis, ridge fitted"
FUSED = "fused, paper's values (Eq. 40)"
FITTED = "fused, fitted"
CATEGORY = "fused, fitted, with the category"
EVIDENCE = "all evidence"
SEEN = "seen categories"
UNSEEN = "unseen categories"


def naming_table(sets: Mapping[str, ScoredParts]) -> pd.DataFrame:
    """Return the share of wrong names by set: of all parts, and by whether the category was found."""
    rows = []
    for name, parts in sets.items():
        category = parts.table.category == parts.table.predicted_category
        wrong = pd.Series(~parts.right)
        rows.append(
            {
                "set": name,
                "shapes": len(parts.shapes),
                "parts": len(wrong),
                "wrong names": wrong.mean(),
                "category found": wrong[category].mean(),
                "category not found": wrong[~category].mean(),
            }
        )
    return pd.DataFrame(rows).round(tables.DIGITS)


def measures(
    parts: ScoredParts, fitted: Calibration, with_category: Calibration, with_evidence: Calibration
) -> dict[str, Float64[np.ndarray, " parts"]]:
    """Return every confidence measure of the same parts; without Eq. 18 a label gets 0 from it."""
    return {
        SOFT: parts.evidence(PAPER).soft,
        NEAR: np.nan_to_num(parts.mahalanobis(PAPER.ridge)),
        NEAR_FITTED: np.nan_to_num(parts.mahalanobis(fitted.ridge)),
        FUSED: parts.confidence(PAPER),
        FITTED: parts.confidence(fitted),
        CATEGORY: parts.confidence(with_category),
        EVIDENCE: parts.confidence(with_evidence),
    }


def reliability_table(
    sets: Mapping[str, ScoredParts],
    *calibrations: Calibration,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return :data:`reliability.LABELS` of every measure on every set as a long table; ``n`` counts shapes.

    AUROC is left out where all names are right, or all wrong. For the calibrations see :func:`measures`.
    """
    rows = []
    for test_set, parts in sets.items():
        for measure, values in measures(parts, *calibrations).items():
            named = Confidences.of(parts, values)
            scored = intervals(named, resamples=resamples, confidence=confidence, seed=seed)
            rows += [
                tables.row(measure, test_set, LABELS[metric], interval)
                for metric, interval in scored.items()
                if not np.isnan(interval.value)
            ]
    return tables.long_table(rows)


def shift_table(
    sets: Mapping[str, ScoredParts],
    calibration: Calibration,
    promises: Sequence[Promise],
    table: pd.DataFrame,
) -> pd.DataFrame:
    """Return the outcome of promises on sets that they were not made for, a row per set and promise.

    AUROC and the share of wrong names are taken from ``table``, a :func:`reliability_table`.
    """
    rows = []
    for name, parts in sets.items():
        metrics = table[(table.test_set == name) & (table.method == EVIDENCE)].set_index("metric").value
        for promise in promises:
            result = outcome(parts, calibration, promise)
            rows.append(
                {
                    "set": name,
                    "shapes": result["of"],
                    "parts": len(parts.table),
                    "wrong names": metrics[LABELS["wrong"]],
                    "AUROC": metrics.get(LABELS["auroc"], np.nan),
                    "promised error": promise.error,
                    "accepted parts": round(result["accepted"], tables.DIGITS),
                    "shapes with one": result["shapes"],
                    "error among them": round(result["error"], tables.DIGITS),
                }
            )
    return pd.DataFrame(rows)


def promise_table(checked: pd.DataFrame, promises: Sequence[Promise]) -> pd.DataFrame:
    """Return :func:`conformal.check` over random splits beside the promises, a row per promise."""
    rows = []
    for promise in promises:
        splits = checked[checked.promised == promise.error]
        rows.append(
            {
                "promised error": promise.error,
                "certainty": promise.certainty,
                "accepted above": round(promise.above, tables.DIGITS),
                "shapes": promise.shapes,
                "splits": len(splits),
                "kept": int(splits.kept.sum()),
                "splits that accept": int((splits.shapes > 0).sum()),
                "mean error": round(float(splits.error.mean()), tables.DIGITS),
                "largest error": round(float(splits.error.max()), tables.DIGITS),
                "accepted parts": round(float(splits.accepted.mean()), tables.DIGITS),
            }
        )
    return pd.DataFrame(rows)


def disturbed_parts(
    ids: Sequence[str], params: Params, data: Path, models: Path, workers: int = 1, fill: bool = False
) -> dict[str, ScoredParts]:
    """Score the parts of shapes undisturbed, under every noise of params.yaml, and without texture.

    Args:
        ids: shapes of the corpus.
        params: all of params.yaml.
        data: folder of the corpus and the vocabulary.
        models: folder of the encoders and the model.
        workers: number of processes.
        fill: see :class:`alignparts.evaluation.scored_parts.PartScorer`.

    Returns:
        Scored parts by the label of the disturbance.
    """
    noise = {f"noise {strength:g}": ("noise", strength) for strength in params.confidence.noise}
    cells: dict[str, Cell] = {"undisturbed": ("", 0.0), **noise, "no texture": ("texture", 1.0)}
    settings = pickle.dumps(params)
    score = partial(_score, tuple(cells.values()), settings, data, models, fill)
    scored = list(map_shapes(score, ids, workers=workers, description="disturbed shapes"))
    columns = zip(*scored, strict=True)
    return {label: concatenated(column) for label, column in zip(cells, columns, strict=True)}


def _score(
    cells: Sequence[Cell], settings: bytes, data: Path, models: Path, fill: bool, shape_id: str
) -> list[ScoredParts | None]:
    params, corpus, encoders, scorer = _loaded(settings, data, models, fill)
    shape, words = corpus.load(shape_id), scorer.vocabulary
    threads = torch.get_num_threads()
    # One thread per process: the processes share the cores, and the sums do not depend on their number.
    torch.set_num_threads(1)
    try:
        return [scorer.score(disturbed_shape(shape, cell, params, words, encoders)) for cell in cells]
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _loaded(
    settings: bytes, data: Path, models: Path, fill: bool
) -> tuple[Params, Corpus, Encoders, PartScorer]:
    params = pickle.loads(settings)
    vocabulary = Vocabulary.load(data / "ontology" / "vocabulary.json")
    encode = TextEncoder.from_name(params.ontology.text_encoder).encode
    encoders = Encoders.from_params(params.features, models)
    return params, Corpus(data / "corpus"), encoders, PartScorer.load(models, encode, vocabulary, fill)
