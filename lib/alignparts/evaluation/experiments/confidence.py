"""Confidence measures compared, promises checked, and shifts that no promise covers (notebook 10)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from alignparts.evaluation import tables
from alignparts.evaluation.calibration import outcome
from alignparts.evaluation.experiments.robustness import Bench, Cell, over_disturbances
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.reliability import LABELS, Confidences, intervals
from alignparts.evaluation.scored_parts import ScoredParts, concatenated
from alignparts.model.stage import Stage
from alignparts.naming.confidence import PAPER, Calibration, Promise

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
    """Return the share of wrong names by set: of all parts, and of those whose category is right or wrong."""
    rows = []
    for name, parts in sets.items():
        category, wrong = parts.table.category == parts.table.predicted_category, pd.Series(~parts.right)
        rows.append({
            "set": name, "shapes": len(parts.shapes), "parts": len(wrong), "wrong names": wrong.mean(),
            "category found": wrong[category].mean(), "category not found": wrong[~category].mean(),
        })  # fmt: skip
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
            rows += [tables.row(measure, test_set, LABELS[name], mean) for name, mean in scored.items()]
    return tables.long_table(rows).dropna(subset="value", ignore_index=True)


def shift_table(
    sets: Mapping[str, ScoredParts],
    calibration: Calibration,
    promises: Sequence[Promise],
    table: pd.DataFrame,
) -> pd.DataFrame:
    """Return the outcome of promises on other sets; ``table`` is their :func:`reliability_table`."""
    rows = []
    for name, parts in sets.items():
        metrics = table[(table.test_set == name) & (table.method == EVIDENCE)].set_index("metric").value
        for promise in promises:
            result = outcome(parts, calibration, promise)
            rows.append({
                "set": name, "shapes": result["of"], "parts": len(parts.table),
                "wrong names": metrics[LABELS["wrong"]], "AUROC": metrics.get(LABELS["auroc"], np.nan),
                "promised error": promise.error, "accepted parts": round(result["accepted"], tables.DIGITS),
                "shapes with one": result["shapes"],
                "error among them": round(result["error"], tables.DIGITS),
            })  # fmt: skip
    return pd.DataFrame(rows)


def promise_table(checked: pd.DataFrame, promises: Sequence[Promise]) -> pd.DataFrame:
    """Return :func:`calibration.check` over random splits beside the promises, a row per promise."""
    rows = []
    for promise in promises:
        splits = checked[checked.promised == promise.error]
        rows.append({
            "promised error": promise.error, "certainty": promise.certainty,
            "accepted above": round(promise.above, tables.DIGITS), "shapes": promise.shapes,
            "splits": len(splits), "kept": splits.kept.sum(), "splits that accept": (splits.shapes > 0).sum(),
            "mean error": round(float(splits.error.mean()), tables.DIGITS),
            "largest error": round(float(splits.error.max()), tables.DIGITS),
            "accepted parts": round(float(splits.accepted.mean()), tables.DIGITS),
        })  # fmt: skip
    return pd.DataFrame(rows)


def disturbed_parts(ids: Sequence[str], stage: Stage) -> dict[str, ScoredParts]:
    """Return the scored parts of shapes by disturbance: none, every noise of params.yaml, no texture."""
    noise = {f"noise {strength:g}": ("noise", strength) for strength in stage.params.confidence.noise}
    cells: dict[str, Cell] = {"undisturbed": ("", 0.0), **noise, "no texture": ("texture", 1.0)}
    columns = zip(*over_disturbances(_score, ids, list(cells.values()), stage), strict=True)
    return {label: concatenated(column) for label, column in zip(cells, columns, strict=True)}


def _score(shape: Labeled, cell: Cell, bench: Bench) -> ScoredParts | None:
    return bench.scorer.score(shape)
