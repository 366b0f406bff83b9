"""The lists judged by reading, and the figures drawn from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ontology_toys import Bag, Part

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.experiments.ontology_judged import (
    COLUMNS,
    candidate_table,
    read_judged,
    recorded,
    stratum_table,
    verdict_table,
    wilson,
)
from alignparts.ontology.vocabulary import spelling

HEAD = ",".join(COLUMNS) + "\n"
ROWS = (
    "chair,arm,arm rest,yes,one thing,p,c,near,10,one\n"
    "chair,arm,leg,no,two things,p,c,far,100,one\n"
    "chair,back leg,front leg,no,two places,p,p,near,10,one\n"
    ",chair,stool,no,with a back and without,p,c,far,100,one\n"
)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "judged.csv"
    path.write_text(HEAD + ROWS)
    return path


def test_candidates(listed: Path) -> None:
    judged = read_judged(listed)
    table = candidate_table(judged, Bag(), "bag", Part(set(), lambda *_: False), thresholds=(0.4, 0.9))
    found = {(one.method, one.metric): (one.value, one.n) for one in table.itertuples()}
    # "arm" and "arm rest": 1/sqrt 2; "back leg" and "front leg": 1/2; the others share no word.
    assert found["bag, names > 0.4", "precision"] == (0.5, 2)
    assert found["bag, names > 0.4", "recall"] == (1.0, 1)
    assert found["bag, names > 0.9", "recall"] == (0.0, 1)
    assert np.isnan(found["bag, names > 0.9", "precision"][0])
    # Two legs of one data set are not put forward below 0.85, names of two data sets are above 0.7.
    assert found["bag, both stages", "precision"] == (1.0, 1)


def test_recorded_verdicts(listed: Path) -> None:
    judged = read_judged(listed)
    known = Part({("arm", "arm rest"), ("arm", "leg")}, lambda prompt, v: "front leg" not in v.values())
    assert recorded(judged, known) == [True, True, None, False]
    found = {one.metric: (one.value, one.n) for one in verdict_table(judged, known).itertuples()}
    assert found == {"precision": (0.5, 2), "recall": (1.0, 1), "agreement": (0.6667, 3)}
    assert verdict_table(judged, Part(set(), lambda *_: False)).empty


def test_every_list_is_scored_on_its_own(listed: Path) -> None:
    """A second list of the same pairs, judged otherwise, changes no score of the first."""
    other = read_judged(listed)
    judged = pd.concat([other, other.assign(list="two", same=~other.same)], ignore_index=True)
    known = Part({("arm", "arm rest"), ("arm", "leg")}, lambda prompt, v: "front leg" not in v.values())
    first, both = verdict_table(other, known), verdict_table(judged, known)
    assert both[both.test_set == "one"].reset_index(drop=True).equals(first)
    found = {one.metric: (one.value, one.n) for one in both[both.test_set == "two"].itertuples()}
    assert found == {"precision": (0.5, 2), "recall": (0.5, 2), "agreement": (0.3333, 3)}
    assert len(stratum_table(judged)) == 2 * len(stratum_table(other))


def test_shares_of_strata(listed: Path) -> None:
    table = stratum_table(read_judged(listed)).set_index("stratum")
    assert table.loc["near", ["judged", "same", "population", "expected"]].tolist() == [2, 1, 10, 5.0]
    assert table.loc["far", ["judged", "same", "population", "expected"]].tolist() == [2, 0, 100, 0.0]


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (41, 310)])
def test_wilson(hits: int, n: int) -> None:
    found = wilson([True] * hits + [False] * (n - hits))
    z, p = 1.959963984540054, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert found.value == p and found.n == n
    assert np.allclose([found.low, found.high], [max(0, middle - half), min(1, middle + half)])


def test_bad_lists(tmp_path: Path) -> None:
    path = tmp_path / "judged.csv"
    bad = {
        "category,a,b\n": "judged.csv:1: expected the columns category, a, b, same",
        HEAD + "chair,leg,arm,no,two things,p,c,far,1,one\n": "judged.csv:2: expected a < b",
        HEAD + "chair,arm,leg,maybe,two things,p,c,far,1,one\n": "yes or no in same",
        HEAD + "chair,arm,leg,no,,p,c,far,1,one\n": "expected a reason",
        HEAD + "chair,arm,leg,no,two things,p,c,far,few,one\n": "a whole number or nothing as population",
        HEAD + ROWS + ROWS: "judged.csv:6: judged twice; got chair, arm, arm rest",
    }
    for text, message in bad.items():
        path.write_text(text)
        with pytest.raises(AlignPartsError, match=message):
            read_judged(path)
    with pytest.raises(AlignPartsError, match="no such file"):
        read_judged(tmp_path / "absent.csv")


def test_the_list_of_the_project() -> None:
    judged = read_judged(paths.DATA / "ontology_judged.csv")
    assert judged.list.value_counts().to_dict() == {"first": 310, "second": 180} and judged.same.sum() >= 30
    for pair in judged.itertuples():
        assert (pair.a, pair.b) == (spelling(pair.a), spelling(pair.b)) and len(pair.reason) > 10
        assert pair.dataset_a and pair.dataset_b
    for (_, stratum), pairs in judged.groupby(["list", "stratum"]):
        assert pairs.population.nunique() == 1 and len(pairs) >= 4
        # the stratum says whether a data set uses both names
        if stratum.startswith(("one", "two")):
            assert (pairs.apart == stratum.startswith("one")).all()
