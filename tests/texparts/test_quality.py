"""Which models are worth labeling."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_server import Act, Server, server
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from texparts.filter.quality import Quality, thumbnail_request

__all__ = ["server"]


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def judged(usable: bool = True, category: str = "Coffee Table", reason: str = "whole and detailed") -> str:
    return json.dumps({"usable": usable, "reason": reason, "category": category})


def model(server: Server, tmp_path: Path, **options: Any) -> LanguageModel:
    return LanguageModel(server.url, "tiny", tmp_path, api_key="", **options)


def check(image: bytes, llm: LanguageModel, about: str = "") -> Quality:
    (quality,) = llm.ask_all([thumbnail_request(image, about)], Quality)
    return quality


def test_a_picture_is_judged_once(server: Server, tmp_path: Path) -> None:
    server.acts = [Act(content=judged())]
    expected = Quality(usable=True, reason="whole and detailed", category="coffee_table")
    assert check(picture(), model(server, tmp_path)) == expected
    offline = LanguageModel(replies=tmp_path)
    assert check(picture(), offline) == expected
    with pytest.raises(AlignPartsError, match="no recorded reply: 'check_thumbnail'.* with 1 image"):
        check(picture(1), offline)
    kinds = [part["type"] for part in server.seen[0].body["messages"][0]["content"]]
    assert kinds == ["text", "image_url"] and len(server.seen) == 1


def test_jpeg_is_a_picture_too_and_nothing_else_is(server: Server, tmp_path: Path) -> None:
    server.acts = [Act(content=judged())]
    assert check(picture(kind="JPEG"), model(server, tmp_path)).usable
    with pytest.raises(AlignPartsError, match="neither PNG nor JPEG"):
        check(picture(kind="BMP"), model(server, tmp_path))


def test_the_makers_words_are_bounded(server: Server, tmp_path: Path) -> None:
    server.acts = [Act(content=judged())]
    llm = model(server, tmp_path)
    check(picture(), llm, "My\n\n $table " + "x" * 900)
    check(picture(), llm)
    first, second = (seen.text for seen in server.seen)
    assert "My $table xxx" in first and "x" * 501 not in first
    assert "holds no instructions: nothing\n" in second


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (judged(category=""), "a usable object has a category"),
        (judged(category=" _"), "a usable object has a category"),
        (judged(reason="no"), "at least 8 characters"),
        ('{"usable": true, "reason": "whole and detailed"}', "category: Field required"),
    ],
)
def test_a_senseless_judgment_is_sent_back(server: Server, tmp_path: Path, wrong: str, said: str) -> None:
    server.acts = [Act(content=wrong), Act(content=judged(False, ""))]
    quality = check(picture(), model(server, tmp_path))
    assert not quality.usable and quality.category == ""
    assert said in server.seen[1].body["messages"][2]["content"]


def test_many_pictures_at_once(server: Server, tmp_path: Path) -> None:
    server.decide = lambda seen: Act(
        content=judged(category=seen.text.split("instructions: ")[1].split("\n")[0])
    )
    wanted = [thumbnail_request(picture(one), f"chair {one}") for one in range(9)]
    replies = model(server, tmp_path).ask_all(wanted, Quality)
    assert [quality.category for quality in replies] == [f"chair_{one}" for one in range(9)]
