"""The comparison of text encoders: spaces made by hand have known scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alignparts.evaluation.experiments.text_encoders import (
    at_hand,
    candidates,
    cosine_figure,
    heatmaps,
    parts_of,
    study,
    worked_examples,
)
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary

PARTS = {
    "car": ["car_wheel", "car_door", "roof"],
    "bicycle": ["bicycle_wheel", "pedal"],
    "house": ["door", "roof", "chimney"],
    "ball": ["shell"],
}


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(
        entries={
            category: CategoryEntry(
                description=category, count=1, aliases=(),
                parts={part: PartEntry(description=f"{part} of a {category}", count=1, aliases=())
                       for part in parts},
            )
            for category, parts in PARTS.items()
        }
    )  # fmt: skip


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, axis_of: dict[str, int]) -> None:
        self.axis_of = axis_of
        self.width = max(axis_of.values()) + 1

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(self.width, dtype=np.float32)[[self.axis_of[text] for text in texts]]


def texts_of(vocabulary: Vocabulary) -> dict[str, tuple[str, str]]:
    found = {}
    for category, part in parts_of(vocabulary):
        name = part.replace("_", " ")
        for text in (name, f"{category} {name}", vocabulary.description(category, part)):
            found.setdefault(text, (category, part))
    return found


def value(table: pd.DataFrame, test_set: str, metric: str) -> float:
    return float(table[(table.test_set == test_set) & (table.metric == metric)].value.item())


def count(table: pd.DataFrame, test_set: str, metric: str) -> int:
    return int(table[(table.test_set == test_set) & (table.metric == metric)].n.item())


def test_a_space_of_functions_transfers_and_keeps_apart(vocabulary: Vocabulary) -> None:
    functions = ["wheel", "door", "roof", "pedal", "chimney", "shell"]
    axes = {
        text: functions.index(part.rsplit("_", 1)[-1]) for text, (_, part) in texts_of(vocabulary).items()
    }
    table = study({"functions": Table(axes)}, vocabulary, resamples=20)
    assert value(table, "descriptions", "transfer") == 1
    assert value(table, "descriptions", "cosine, same name elsewhere") == 1
    assert value(table, "descriptions", "cosine, own category") == 0
    assert count(table, "descriptions", "transfer") == 6  # wheels, doors and roofs, two of each
    # Within a category every name finds its description; among all, wheels tie, as do doors and roofs.
    assert value(table, "names → descriptions", "top-1, own category") == 1
    assert (
        count(table, "names → descriptions", "top-1, own category") == 8
    )  # a ball has nothing to tell apart
    assert value(table, "names → descriptions", "top-1, all") == pytest.approx(3 / 9, abs=1e-3)
    assert value(table, "names → descriptions", "MRR, all") == pytest.approx((3 + 6 / 2) / 9, abs=1e-3)


def test_a_collapsed_space_finds_nothing(vocabulary: Vocabulary) -> None:
    table = study({"one point": Table(dict.fromkeys(texts_of(vocabulary), 0))}, vocabulary, resamples=20)
    assert value(table, "descriptions", "transfer") == 0.5
    assert value(table, "descriptions", "cosine, own category") == 1
    assert value(table, "names → descriptions", "top-1, all") == 0
    assert value(table, "names → descriptions", "MRR, all") == pytest.approx(1 / 9, abs=1e-3)


def test_transfer_is_the_area_under_the_curve(vocabulary: Vocabulary) -> None:
    from sklearn.metrics import roc_auc_score

    texts = texts_of(vocabulary)
    vectors = np.random.default_rng(0).normal(size=(len(texts), 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = {text: number for number, text in enumerate(texts)}

    class Random:
        def encode(self, asked: Sequence[str]) -> np.ndarray:
            return vectors[[order[text] for text in asked]]

    pairs = parts_of(vocabulary)
    points = Random().encode([vocabulary.description(*pair) for pair in pairs])
    areas = []
    for here, (category, part) in enumerate(pairs):
        away = [n for n, pair in enumerate(pairs) if pair[0] != category]
        same = [pairs[n][1].rsplit("_", 1)[-1] == part.rsplit("_", 1)[-1] for n in away]
        if any(same):
            areas.append(roc_auc_score(same, points[away] @ points[here]))
    table = study({"random": Random()}, vocabulary, resamples=20)
    assert value(table, "descriptions", "transfer") == pytest.approx(np.mean(areas), abs=1e-4)


def test_pictures_have_a_row_an_encoder(vocabulary: Vocabulary) -> None:
    encoders = {
        "a": Table(dict.fromkeys(texts_of(vocabulary), 0)),
        "b": Table({text: n for n, text in enumerate(texts_of(vocabulary))}),
    }
    wanted = [("car", "car_wheel"), ("house", "door"), ("house", "cellar"), ("ship", "mast")]
    figure = heatmaps(encoders, vocabulary, wanted)
    images = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert len(images) == 4
    assert all(image.shape == (2, 2) for image in images)  # what the vocabulary does not know is left out
    np.testing.assert_array_equal(images[1], 1)
    np.testing.assert_array_equal(images[3], np.eye(2))
    assert len(cosine_figure(encoders, vocabulary).axes) == 4


def test_only_what_lies_here_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    names = ["all-minilm-l6-v2", "google/siglip-base-patch16-224", str(tmp_path / "empty")]
    found, absent = at_hand(names)
    assert list(found) == names[:1]
    assert "hf download google/siglip-base-patch16-224 --revision" in absent[names[1]]
    assert "(813 MB)" in absent[names[1]]
    assert "modules.json" in absent[names[2]]


class Letters:
    """An encoder of letter counts: equal texts have a cosine of 1, others less."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.array(
            [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz _"] for text in texts]
        )
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


def test_worked_examples_have_the_papers_numbers_and_the_nearest_spelling() -> None:
    table = worked_examples({"letters": Letters()}, LanguageModel())
    assert len(table) == 8 and table.paper.between(0.86, 0.96).all()
    spellings = table[["underscores", "words", "with category", "descriptions"]]
    off = spellings.sub(table.paper, axis=0).abs()
    assert (off.idxmin(axis=1) == table.nearest).all()
    laptop = table[table.b == "laptop"].iloc[0]
    assert laptop["with category"] == laptop["words"]  # a category is in none


def test_candidates_of_one_threshold_are_counted_by_level() -> None:
    raw = RawVocabulary.of([("x", "laptop", ["keyboard"]), ("y", "laptops", ["keyboard", "zip"])])
    table = candidates({"letters": Letters()}, raw, LanguageModel(), 0.9).set_index("level")
    assert table.loc["categories", "proposed"] == table.loc["categories", "without a verdict"] == 1
    assert table.loc["parts", "proposed"] == 0
