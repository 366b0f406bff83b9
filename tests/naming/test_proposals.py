"""Part names for a category that nobody listed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_server import Act, Server, server
from pydantic import ValidationError

from alignparts.core.errors import AlignPartsError
from alignparts.naming.candidates import Proposal, propose_parts
from alignparts.naming.prediction import Candidate
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.messages import strict_schema
from alignparts.ontology.vocabulary import spelling

__all__ = ["server"]


def part(name: str, description: str = "the piece of a thing that does it") -> dict[str, str]:
    return {"name": name, "description": description}


def reply(*names: str) -> str:
    return json.dumps({"parts": [part(name) for name in names]})


def model(server: Server, tmp_path: Path, **options: Any) -> LanguageModel:
    return LanguageModel(server.url, "tiny", tmp_path, api_key="", **options)


def test_candidates_in_the_order_and_spelling_of_the_vocabulary(server: Server, tmp_path: Path) -> None:
    server.acts = [
        Act(
            content=json.dumps({"parts": [part("Rocker Rail", " curved, it rocks the chair "), part("seat")]})
        )
    ]
    assert propose_parts("rocking chair", model(server, tmp_path)) == [
        Candidate("rocker_rail", "curved, it rocks the chair"),
        Candidate("seat", "the piece of a thing that does it"),
    ]
    text = server.seen[0].text
    assert "Object class: rocking chair\n" in text and "At most 40 parts" in text and "$" not in text


def test_one_reply_whatever_the_spelling(server: Server, tmp_path: Path) -> None:
    server.acts = [Act(content=reply("seat"))]
    propose_parts("RockingChair", model(server, tmp_path))
    offline = LanguageModel(replies=tmp_path)
    for written in ("rocking_chair", " Rocking-Chair ", "furniture/rocking chair"):
        assert propose_parts(written, offline) == [Candidate("seat", "the piece of a thing that does it")]
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (reply(), "at least 1 item"),
        (reply(*(f"part {one}" for one in range(41))), "at most 40 items"),
        (reply("Door Handle", "hinge", "door_handle"), "listed twice: door_handle"),
        (reply("on/off switch"), "'on/off switch' is not the name of one part"),
        (reply(" _ "), "is not the name of one part"),
        (reply("x" * 61), "at most 60 characters"),
        (json.dumps({"parts": [part("seat", "sits")]}), "at least 8 characters"),
        (json.dumps({"parts": ["seat"]}), "parts.0"),
    ],
)
def test_a_senseless_list_is_sent_back(server: Server, tmp_path: Path, wrong: str, said: str) -> None:
    server.acts = [Act(content=wrong), Act(content=reply("seat"))]
    assert [one.name for one in propose_parts("chair", model(server, tmp_path))] == ["seat"]
    assert said in server.seen[1].body["messages"][2]["content"]
    server.acts = [Act(content=wrong)]
    with pytest.raises(AlignPartsError, match="did not answer 'propose_parts' with a Proposal in 2 attempts"):
        propose_parts("stool", model(server, tmp_path, max_retries=1))


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8))
def test_whatever_passes_has_unique_spelled_names(names: list[str]) -> None:
    try:
        parts = Proposal.model_validate({"parts": [part(name) for name in names]}).parts
    except ValidationError:
        spelled = [spelling(name) for name in names]
        assert len(set(spelled)) < len(spelled) or "" in spelled or any("/" in name for name in names)
        return
    spelled = [one.name for one in parts]
    assert spelled == [spelling(name) for name in names] and len(set(spelled)) == len(spelled)


def test_no_category_and_no_reply(tmp_path: Path) -> None:
    with pytest.raises(AlignPartsError, match="the category is empty"):
        propose_parts(" _", LanguageModel(replies=tmp_path))
    with pytest.raises(AlignPartsError, match="no recorded reply to 'propose_parts'.*airship"):
        propose_parts("airship", LanguageModel(replies=tmp_path))


def test_the_limits_stay_out_of_the_strict_schema() -> None:
    text = json.dumps(strict_schema(Proposal))
    assert not any(limit in text for limit in ("maxItems", "minItems", "maxLength", "minLength"))
