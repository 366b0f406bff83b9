"""Predictions beside the truth of embedded objects, and the pictures of the stages."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from review_store import write_box

from alignparts.core.errors import AlignPartsError
from texparts.annotation.geometry import Shapes
from texparts.queue import pictures
from texparts.simulation import checks
from texparts.simulation.truth import Truth


def truth(category: str, lid: str) -> Truth:
    """Of a box whose predicted parts are faces 0-1 (lid), 2-9 (body) and 10-11 (none)."""
    faces = np.array([0] * 2 + [1] * 5 + [-1] * 3 + [0] * 2, np.int32)
    return Truth(category, (lid, "body"), faces)


def test_parts_are_judged_by_the_true_part_that_they_cover_most(tmp_path: Path) -> None:
    for object_id in ("a", "b"):
        write_box(tmp_path, object_id)
    truths = {"a": truth("box", "lid"), "b": truth("crate", "cover")}
    parts = checks.judged_parts(Shapes(tmp_path), truths)
    assert parts.right.tolist() == [True, True, False, True]
    assert parts.truth.tolist() == ["lid", "body", "cover", "body"]
    assert parts.confidence.tolist() == [0.9, 0.3] * 2
    table = checks.acceptance_table(parts.assign(accepted=parts.name == "lid"), ["crate"])
    seen, unseen = table.to_dict("records")
    assert (seen["objects"], seen["parts"], seen["category right"], seen["names right"]) == (1, 2, 1, 1)
    assert (unseen["category right"], unseen["names right"]) == (0, 0.5)
    assert (seen["accepted and wrong"], unseen["accepted and wrong"]) == ("0 of 1", "1 of 1")


def test_a_part_without_labeled_area_is_not_judged(tmp_path: Path) -> None:
    write_box(tmp_path, "a")
    nothing = Truth("box", ("lid",), np.array([0] * 2 + [-1] * 10, np.int32))
    assert checks.judged_parts(Shapes(tmp_path), {"a": nothing}).name.tolist() == ["lid"]
    none = checks.acceptance_table(checks.judged_parts(Shapes(tmp_path), {}), [])
    assert none.objects.tolist() == [0, 0] and none["accepted and wrong"].tolist() == ["0 of 0"] * 2


def test_what_the_filter_missed_shows(tmp_path: Path) -> None:
    filtered = pd.DataFrame({"object_id": ["x", "y"], "reason": ["no_faces", ""], "detail": ["", ""]})
    table = checks.malformed_table(filtered, {"x": "no_faces", "y": "bomb"})
    assert (table.expected == table.found).tolist() == [False, True]
    assert table["what is broken"].tolist() == ["bomb", "no faces"]


def test_pictures_of_the_stages(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").mkdir()
    for place, object_id in enumerate("abc"):
        write_box(tmp_path, object_id)
        shade = Image.new("RGB", (16, 16), (80 * place, 0, 0))
        shade.save(tmp_path / "thumbnails" / f"{object_id}.png")
        shade.save(tmp_path / "objects" / object_id / "thumbnail.png")
    queue = pd.DataFrame({"object_id": list("abc"), "category": "box", "parts": 2, "confidence": 0.5})
    figure = pictures.draw_queue(tmp_path, queue, shown=2)
    shown = [int(axis.images[0].get_array()[0, 0, 0]) for axis in figure.get_axes()]
    assert sorted(shown) == [0, 0, 80, 80, 80, 80, 160, 160]  # a and b first, b and c last, twice each
    with pytest.raises(AlignPartsError, match="empty"):
        pictures.draw_queue(tmp_path, queue.head(0))
    filtered = pd.DataFrame({"kept": [True, True, False], "reason": ["", "", "no_faces"]})
    (axis,) = pictures.draw_reasons(filtered).get_axes()
    assert [bar.get_width() for bar in axis.patches] == [2, 1]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["kept", "no faces"]
