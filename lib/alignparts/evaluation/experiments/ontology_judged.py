"""Agreement of cosines and recorded verdicts with pairs of names judged by reading.

The pairs are stratified samples within categories: the first list of PartNet's raw names, 3DCoMPaT++'s fine
names and Find3D's; the second, of other pairs, also of PartNet's merged names, PartNet-Mobility's and
3DCoMPaT++'s coarse ones. Strata are the cosine of the names under MiniLM, and whether a data set itself uses
both names. A share within a stratum estimates that of all its pairs; precision and recall over a whole list
do not.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval
from alignparts.evaluation.tables import long_table, row
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.pairs import Description, Encoder, Verdict, embed
from alignparts.ontology.vocabulary import words

COLUMNS = ["category", "a", "b", "same", "reason", "dataset_a", "dataset_b", "stratum", "population",
           "list"]  # fmt: skip


def read_judged(path: Path) -> pd.DataFrame:
    """Read judged pairs of names from a CSV file with :data:`COLUMNS`.

    Returns a row per pair. ``category``: of both parts, "" for two categories; ``a`` < ``b`` in alphabetical
    order; ``same``: they mean the same; ``population``: pairs in the stratum that the pair was drawn from, 0
    if not at random; ``list``: that the pair belongs to; ``apart``: one data set uses both names. Raises
    AlignPartsError with file and line if it is missing or of another form, or a pair comes twice or in the
    wrong order.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a CSV file with {', '.join(COLUMNS)}")
    table = pd.read_csv(path, dtype=str, keep_default_na=False).apply(lambda column: column.str.strip())
    if list(table.columns) != COLUMNS:
        raise AlignPartsError(f"{path}:1: expected the columns {', '.join(COLUMNS)}")
    problems = {
        "expected a < b": table.a >= table.b,
        "expected yes or no in same": ~table.same.isin(["yes", "no"]),
        "expected a reason": table.reason == "",
        "expected the name of a list": table.list == "",
        "expected a whole number or nothing as population": ~table.population.str.fullmatch("[0-9]*"),
        "judged twice": table.duplicated(["category", "a", "b"]),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            line = int(wrong.to_numpy().argmax())
            raise AlignPartsError(f"{path}:{line + 2}: {problem}; got {', '.join(table.iloc[line])}")
    users = zip(table.dataset_a.str.split("; "), table.dataset_b.str.split("; "), strict=True)
    return table.assign(
        same=table.same == "yes",
        population=table.population.replace("", "0").astype(int),
        apart=[bool(set(first) & set(second)) for first, second in users],
    )


def candidate_table(
    judged: pd.DataFrame,
    encoder: Encoder,
    name: str,
    llm: LanguageModel,
    *,
    thresholds: Sequence[float] = (0.7, 0.8, 0.85, 0.9),
    threshold: float = 0.85,
    review_threshold: float = 0.7,
) -> pd.DataFrame:
    """Return precision and recall over each list, taking candidates of the first stage for verdicts.

    In the long table n counts pairs, ``test_set`` is the list. ``<name>, names > t`` is the cosine of the
    names alone; ``<name>, both stages`` is what :func:`ontology.merge.unify` proposes, with the descriptions
    on record.
    """
    named = list(zip(judged.a.map(words), judged.b.map(words), strict=True))
    described = _descriptions(judged, llm)
    vectors = embed(encoder, {text for texts in (*named, *described) for text in texts or ()})

    def cosines(pairs: Sequence[tuple[str, str] | None]) -> Float[np.ndarray, " n"]:
        return np.array([float(vectors[pair[0]] @ vectors[pair[1]]) if pair else 0.0 for pair in pairs])

    names = cosines(named)
    either = np.maximum(names, cosines(described))
    proposed = (either > threshold) | (~judged.apart.to_numpy() & (either > review_threshold))
    methods = {f"{name}, names > {t:g}": names > t for t in thresholds} | {f"{name}, both stages": proposed}
    rows = [_scores(*method, judged, here) for here in _lists(judged) for method in methods.items()]
    return long_table(list(chain.from_iterable(rows)))


def verdict_table(judged: pd.DataFrame, llm: LanguageModel) -> pd.DataFrame:
    """Return precision, recall and agreement of the verdicts on record per list; n are those covered."""
    verdicts = np.array([np.nan if verdict is None else verdict for verdict in recorded(judged, llm)], float)
    rows: list[dict[str, object]] = []
    for here in _lists(judged):
        covered, name = here & ~np.isnan(verdicts), judged.list[here].iloc[0]
        if covered.any():
            agree = wilson((judged.same.to_numpy() == (verdicts == 1))[covered].tolist())
            rows += _scores("recorded verdicts", verdicts == 1, judged, covered)
            rows.append(row("recorded verdicts", name, "agreement", agree))
    return long_table(rows)


def recorded(judged: pd.DataFrame, llm: LanguageModel) -> list[bool | None]:
    """Return the verdict on record per pair; None if there is none, or a name is not described."""
    verdicts: list[bool | None] = []
    described = _descriptions(judged, llm)
    for category, a, b, texts in zip(judged.category, judged.a, judged.b, described, strict=True):
        request = texts and Verdict.request(category, a, texts[0], b, texts[1])
        verdicts.append(llm.ask(request, Verdict).same if request and llm.known(request) else None)
    return verdicts


def stratum_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return per list and stratum the share of same pairs; ``expected`` is that of its population."""
    rows = []
    for (name, stratum), pairs in judged.groupby(["list", "stratum"]):
        share, population = wilson(pairs.same.tolist()), int(pairs.population.iloc[0])
        rows.append({
            "list": name, "stratum": stratum, "judged": len(pairs), "same": int(pairs.same.sum()),
            "share": round(share.value, 3), "low": round(share.low, 3), "high": round(share.high, 3),
            "population": population or None,
            "expected": round(share.value * population, 1) if population else None,
        })  # fmt: skip
    return pd.DataFrame(rows).astype({"population": "Int64"})


def wilson(hits: Sequence[bool]) -> Interval:
    """Return a share with Wilson's interval of 95 %; NaN without any."""
    if not hits:
        return Interval(np.nan, np.nan, np.nan, 0)
    bounds = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="wilson")
    return Interval(sum(hits) / len(hits), float(bounds.low), float(bounds.high), len(hits))


def _lists(judged: pd.DataFrame) -> list[Bool[np.ndarray, " n"]]:
    """Return the rows of each list, in the order of their names."""
    return [judged.list.eq(name).to_numpy() for name in sorted(set(judged.list))]


def _scores(
    method: str, positive: Bool[np.ndarray, " n"], judged: pd.DataFrame, of: Bool[np.ndarray, " n"]
) -> list[dict[str, object]]:
    """Return precision and recall over some pairs of one list."""
    truth, positive = judged.same.to_numpy()[of], positive[of]
    hits = {"precision": truth[positive], "recall": positive[truth]}
    name = judged.list[of].iloc[0]
    return [row(method, name, metric, wilson(right.tolist())) for metric, right in hits.items()]


def _descriptions(judged: pd.DataFrame, llm: LanguageModel) -> list[tuple[str, str] | None]:
    """Return the descriptions of both names per pair, if both are on record."""

    def described(category: str, a: str, b: str) -> tuple[str, str] | None:
        first, second = (Description.request(category or x, x if category else "") for x in (a, b))
        if not (llm.known(first) and llm.known(second)):
            return None
        return llm.ask(first, Description).description, llm.ask(second, Description).description

    return list(map(described, judged.category, judged.a, judged.b))
