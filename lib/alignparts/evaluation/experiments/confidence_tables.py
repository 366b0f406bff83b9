"""What notebook 08 measures: ways to be sure, sets of shapes, and the promise, as tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from alignparts.evaluation import tables
from alignparts.evaluation.conformal import outcome
from alignparts.evaluation.reliability import LABELS, Named, intervals
from alignparts.evaluation.scored_parts import Judged
from alignparts.naming.confidence import PAPER, Calibration

SOFT = "softmax (Eq. 20)"
NEAR = "Mahalanobis (Eq. 18)"
NEAR_FITTED = "Mahalanobis, ridge fitted"
FUSED = "fused, paper's values (Eq. 40)"
FITTED = "fused, fitted"
CATEGORY = "fused, fitted, with the category"
EVIDENCE = "all evidence"
SEEN = "seen categories"
UNSEEN = "unseen categories"


def ways(
    judged: Judged, fitted: Calibration, with_category: Calibration, with_evidence: Calibration
) -> dict[str, Float64[np.ndarray, " parts"]]:
    """Every confidence of the same parts, by what tables call it; no Mahalanobis confidence counts as 0."""
    return {
        SOFT: judged.soft(PAPER.tau),
        NEAR: np.nan_to_num(judged.mahalanobis(PAPER.ridge)),
        NEAR_FITTED: np.nan_to_num(judged.mahalanobis(fitted.ridge)),
        FUSED: judged.confidence(PAPER),
        FITTED: judged.confidence(fitted),
        CATEGORY: judged.confidence(with_category),
        EVIDENCE: judged.confidence(with_evidence),
    }


def reliability_table(
    sets: Mapping[str, Judged], fitted: Calibration, with_category: Calibration, with_evidence: Calibration,
    *, resamples: int = 200, confidence: float = 0.95, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """:data:`reliability.LABELS` of every way on every set, as a long table; ``n`` counts shapes.

    What cannot be said (AUROC where all names are right) is left out.
    """
    rows = []
    for name, judged in sets.items():
        for way, said in ways(judged, fitted, with_category, with_evidence).items():
            found = intervals(Named.of(judged, said), resamples=resamples, confidence=confidence, seed=seed)
            rows += [
                tables.row(way, name, LABELS[figure], one)
                for figure, one in found.items()
                if not np.isnan(one.value)
            ]
    return tables.long_table(rows)


def shift_table(
    sets: Mapping[str, Judged], calibrations: Sequence[Calibration], table: pd.DataFrame
) -> pd.DataFrame:
    """What becomes of every promise on sets that it was not made for.

    Args:
        sets: judged parts.
        calibrations: with promises.
        table: of :func:`reliability_table`, whose AUROC and share of wrong names stand beside.

    Returns:
        A row a set and promise.
    """
    rows = []
    for name, judged in sets.items():
        own = table[(table.test_set == name) & (table.method == EVIDENCE)].set_index("metric").value
        for one in calibrations:
            if one.promise is None:
                continue
            found = outcome(judged, one, one.promise)
            rows.append({
                "set": name, "shapes": found["of"], "parts": len(judged.table),
                "wrong names": own[LABELS["wrong"]], "AUROC": own.get(LABELS["auroc"], np.nan),
                "promised error": one.promise.error,
                "accepted parts": round(found["accepted"], tables.DIGITS), "shapes with one": found["shapes"],
                "error among them": round(found["error"], tables.DIGITS),
            })  # fmt: skip
    return pd.DataFrame(rows)


def promise_table(checked: pd.DataFrame, calibrations: Sequence[Calibration]) -> pd.DataFrame:
    """The check over random splits beside the promises that were made, a row a promised error."""
    rows = []
    for one in calibrations:
        if one.promise is None:
            continue
        own = checked[checked.promised == one.promise.error]
        rows.append({
            "promised error": one.promise.error, "certainty": one.promise.certainty,
            "accepted above": round(one.promise.above, tables.DIGITS), "shapes": one.promise.shapes,
            "splits": len(own), "kept": int(own.kept.sum()),
            "splits that accept": int((own.shapes > 0).sum()),
            "mean error": round(float(own.error.mean()), tables.DIGITS),
            "largest error": round(float(own.error.max()), tables.DIGITS),
            "accepted parts": round(float(own.accepted.mean()), tables.DIGITS),
        })  # fmt: skip
    return pd.DataFrame(rows)
