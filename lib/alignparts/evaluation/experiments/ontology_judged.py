"""How well cosines and recorded verdicts agree with a list of pairs of names that was judged by reading.

The list is a stratified sample of the pairs within one category of PartNet's raw names, 3DCoMPaT++'s fine
names and Find3D's: by the cosine of the names under MiniLM, and by whether a data set itself uses both. So a
share within one stratum is an estimate for all pairs of it; precision and recall over the whole list are not.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval
from alignparts.evaluation.tables import long_table, row
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.pairs import Encoder, embed
from alignparts.ontology.requests import Description, Verdict, description_request, verdict_request
from alignparts.ontology.vocabulary import words

COLUMNS = ("category", "a", "b", "same", "reason", "dataset_a", "dataset_b", "stratum", "population")
THRESHOLDS = (0.7, 0.8, 0.85, 0.9)


@dataclass(frozen=True)
class Judged:
    """Two names and whether they were judged to mean the same.

    ``a < b`` in alphabetical order, spelled as the vocabulary spells them; an empty ``category``: they are
    categories. ``population``: pairs in the stratum that this one was drawn from, 0 where it was not drawn
    at random.
    """

    category: str
    a: str
    b: str
    same: bool
    reason: str
    dataset_a: str
    dataset_b: str
    stratum: str
    population: int

    @property
    def apart(self) -> bool:
        """Whether a data set uses both names, and so keeps them apart itself."""
        return bool(set(self.dataset_a.split("; ")) & set(self.dataset_b.split("; ")))


def read_judged(path: Path) -> list[Judged]:
    """Read a list of judged pairs: a CSV file of :data:`COLUMNS`, ``same`` is yes or no.

    Raises:
        AlignPartsError: missing, another form, a pair twice or in the wrong order (file and line).
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a CSV file with {', '.join(COLUMNS)}")
    judged: dict[tuple[str, str, str], Judged] = {}
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise AlignPartsError(f"{path}:1: expected the columns {', '.join(COLUMNS)}")
        for cells in table:
            where = f"{path}:{table.line_num}"
            category, a, b, same, reason, first, second, stratum, population = (
                (cells[name] or "").strip() for name in COLUMNS
            )
            if same not in ("yes", "no") or not reason or not a < b:
                raise AlignPartsError(f"{where}: expected a < b, same yes or no, and a reason; "
                                      f"got '{a}', '{b}', '{same}', '{reason}'")  # fmt: skip
            if population and not population.isdecimal():
                raise AlignPartsError(f"{where}: population is '{population}'; expected a whole number")
            if (category, a, b) in judged:
                raise AlignPartsError(f"{where}: '{a}' and '{b}' of '{category}' are judged twice")
            judged[category, a, b] = Judged(
                category, a, b, same == "yes", reason, first, second, stratum, int(population or 0)
            )
    return list(judged.values())


def candidate_table(
    judged: Sequence[Judged], encoder: Encoder, name: str, llm: LanguageModel, *,
    thresholds: Sequence[float] = THRESHOLDS, threshold: float = 0.85, review_threshold: float = 0.7,
) -> pd.DataFrame:  # fmt: skip
    """Precision and recall of the candidate stage, were a candidate a verdict, over the whole list.

    Returns:
        A long table (`evaluation.tables`), n counts pairs. Methods: ``<name>, names > t`` is the cosine of
        the names alone; ``<name>, both stages`` is what `alignparts.ontology.merge.unify` proposes, with the
        descriptions on record.
    """
    truth = np.array([pair.same for pair in judged])
    ends = [(pair.a, pair.b) for pair in judged]
    described = [_descriptions(pair, llm) for pair in judged]
    vectors = embed(
        encoder,
        {words(end) for pair in ends for end in pair} | {text for pair in described for text in pair or ()},
    )
    names = np.array([float(vectors[words(a)] @ vectors[words(b)]) for a, b in ends])
    meanings = np.array([float(vectors[pair[0]] @ vectors[pair[1]]) if pair else 0.0 for pair in described])
    rows = []
    for at in thresholds:
        rows += _scores(f"{name}, names > {at:g}", truth, names > at)
    either = np.maximum(names, meanings)
    apart = np.array([pair.apart for pair in judged])
    proposed = (either > threshold) | (~apart & (either > review_threshold))
    return long_table([*rows, *_scores(f"{name}, both stages", truth, proposed)])


def verdict_table(judged: Sequence[Judged], llm: LanguageModel) -> pd.DataFrame:
    """Precision, recall and agreement of the verdicts on record, over the pairs that they cover."""
    verdicts = recorded(judged, llm)
    covered = [(pair.same, verdict) for pair, verdict in zip(judged, verdicts, strict=True)
               if verdict is not None]  # fmt: skip
    if not covered:
        return long_table([])
    truth, said = (np.array(column) for column in zip(*covered, strict=True))
    agreement = row("recorded verdicts", "judged pairs", "agreement", wilson((truth == said).tolist()))
    return long_table([*_scores("recorded verdicts", truth, said), agreement])


def recorded(judged: Sequence[Judged], llm: LanguageModel) -> list[bool | None]:
    """The verdict on record about every pair; None: there is none, or a name is not described."""
    verdicts: list[bool | None] = []
    for pair in judged:
        described = _descriptions(pair, llm)
        request = described and verdict_request(pair.category, pair.a, described[0], pair.b, described[1])
        verdicts.append(llm.ask(*request, Verdict).same if request and llm.known(*request) else None)
    return verdicts


def stratum_table(judged: Sequence[Judged]) -> pd.DataFrame:
    """By stratum: pairs judged, how many are the same, their share with Wilson's interval, pairs there are.

    ``expected`` is the share times the population: how many pairs of the stratum mean the same.
    """
    body = []
    for stratum in sorted({pair.stratum for pair in judged}):
        pairs = [pair for pair in judged if pair.stratum == stratum]
        share = wilson([pair.same for pair in pairs])
        population = pairs[0].population
        body.append({
            "stratum": stratum, "judged": len(pairs), "same": sum(pair.same for pair in pairs),
            "share": round(share.value, 3), "low": round(share.low, 3), "high": round(share.high, 3),
            "population": population or None,
            "expected": round(share.value * population, 1) if population else None,
        })  # fmt: skip
    return pd.DataFrame(body).astype({"population": "Int64"})


def wilson(hits: Sequence[bool]) -> Interval:
    """A share with Wilson's interval of 95 %; not a number without any."""
    from scipy.stats import binomtest

    if not hits:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    found = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="wilson")
    return Interval(sum(hits) / len(hits), float(found.low), float(found.high), len(hits))


def _scores(
    method: str, truth: Bool[np.ndarray, " n"], said: Bool[np.ndarray, " n"]
) -> list[dict[str, object]]:
    return [
        row(method, "judged pairs", "precision", wilson(truth[said].tolist())),
        row(method, "judged pairs", "recall", wilson(said[truth].tolist())),
    ]


def _descriptions(pair: Judged, llm: LanguageModel) -> tuple[str, str] | None:
    """What both names mean, if both are on record."""
    first, second = (
        description_request(pair.category, name) if pair.category else description_request(name)
        for name in (pair.a, pair.b)
    )
    if not llm.known(*first) or not llm.known(*second):
        return None
    return llm.ask(*first, Description).description, llm.ask(*second, Description).description
