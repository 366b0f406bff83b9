"""Requests that leave as a file, and replies that come back in one."""

import json
from pathlib import Path
from typing import Any

import pytest
from llm_server import GOOD, PNG, Act, Answer, Server, client, prompts, server

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel, Request
from alignparts.ontology.llm.exchange import export_requests, import_replies
from alignparts.ontology.llm.records import read_records

__all__ = ["prompts", "server"]

SCHEMAS = {"same": Answer, "seen": Answer}
LID = Request("same", {"a": "lid", "b": "cover"})
CUP = Request("same", {"a": "cup", "b": "mug"})
SEEN = Request("seen", {}, (PNG,))


def exported(tmp_path: Path, llm: LanguageModel, *requests: Request) -> list[dict[str, Any]]:
    export_requests(tmp_path / "requests.jsonl", llm, requests, SCHEMAS)
    return [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]


def answered(tmp_path: Path, lines: list[dict[str, Any]], **more: Any) -> Path:
    path = tmp_path / "replies.jsonl"
    added = {"reply": json.loads(GOOD), "model": "a person", **more}
    path.write_text("".join(json.dumps({**line, **added}) + "\n" for line in lines))
    return path


def test_what_goes_out_is_what_an_endpoint_would_get(server: Server, tmp_path: Path, prompts: Path) -> None:
    lines = exported(tmp_path, client(None, tmp_path, prompts), LID, SEEN)
    online = client(server, tmp_path, prompts)
    for request in (LID, SEEN):
        online.ask(request, Answer)
    for line, seen in zip(lines, server.seen, strict=True):
        assert line["messages"] == seen.body["messages"]
        assert line["response_format"] == seen.body["response_format"]
    assert [record.hash for record in read_records(online.folder).values()] == [
        line["hash"] for line in lines
    ]


def test_what_is_on_record_or_repeated_stays_here(server: Server, tmp_path: Path, prompts: Path) -> None:
    client(server, tmp_path, prompts).ask(LID, Answer)
    offline = client(None, tmp_path, prompts)
    assert [line["variables"]["a"] for line in exported(tmp_path, offline, LID, CUP, CUP)] == ["cup"]
    assert exported(tmp_path, offline, LID) == []


def test_there_and_back_needs_no_network(tmp_path: Path, prompts: Path) -> None:
    offline = client(None, tmp_path, prompts)
    path = answered(tmp_path, exported(tmp_path, offline, LID, CUP, SEEN))
    assert import_replies(path, offline, SCHEMAS) == 3
    for model in (offline, client(None, tmp_path, prompts)):  # this one, and the next run's
        assert model.ask(LID, Answer) == Answer.model_validate_json(GOOD)
        assert model.ask(SEEN, Answer).same
    records = read_records(offline.folder).values()
    assert {record.model for record in records} == {"a person"}
    assert import_replies(path, offline, SCHEMAS) == 0
    assert len((offline.folder / "same.jsonl").read_text().splitlines()) == 2


def test_a_second_thought_replaces_the_first(tmp_path: Path, prompts: Path) -> None:
    offline = client(None, tmp_path, prompts)
    lines = exported(tmp_path, offline, LID, CUP)
    import_replies(answered(tmp_path, lines), offline, SCHEMAS)
    changed = answered(tmp_path, lines[:1], reply={"same": False, "reason": "on reflection"})
    assert import_replies(changed, offline, SCHEMAS) == 1
    again = client(None, tmp_path, prompts)
    assert not again.ask(LID, Answer).same
    assert again.ask(CUP, Answer).same


def test_a_reply_may_be_the_models_text(tmp_path: Path, prompts: Path) -> None:
    offline = client(None, tmp_path, prompts)
    lines = exported(tmp_path, offline, LID)
    assert (
        import_replies(answered(tmp_path, lines, reply=f"Sure:\n```json\n{GOOD}\n```"), offline, SCHEMAS) == 1
    )
    assert offline.ask(LID, Answer).reason == "one thing"


def test_tokens_come_along(tmp_path: Path, prompts: Path) -> None:
    offline = client(None, tmp_path, prompts)
    usage = {"replies": 1, "prompt_tokens": 5, "completion_tokens": 2, "cost": None}
    import_replies(answered(tmp_path, exported(tmp_path, offline, LID), usage=usage), offline, SCHEMAS)
    (record,) = read_records(offline.folder).values()
    assert record.usage is not None and record.usage.prompt_tokens == 5 and record.usage.cost is None


BROKEN = {
    "cut off": ('{"hash": "0', "Invalid JSON.*expected an exported line with 'reply' and 'model' added"),
    "no reply": ({"reply": None}, "reply.*expected an exported line"),
    "nobody": ({"model": None}, "model: Input should be a valid string"),
    "wrong schema": ({"reply": {"same": True}}, "not a Answer: reason: Field required"),
    "no object": ({"reply": "yes"}, "not a Answer: no JSON object in 'yes'"),
    "other variables": ({"variables": {"a": "lid", "b": "hood"}}, "hash is not that of 'same'"),
    "other prompt": ({"prompt": "describe"}, "unknown prompt 'describe'; expected one of same, seen"),
    "other image": ({"images": ["ab"]}, "hash is not that of 'same'"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_and_nothing_recorded(
    tmp_path: Path, prompts: Path, change: str | dict, message: str
) -> None:
    offline = client(None, tmp_path, prompts)
    path = answered(tmp_path, exported(tmp_path, offline, CUP, LID))
    good, other = path.read_text().splitlines()
    broken = change if isinstance(change, str) else json.dumps({**json.loads(other), **change})
    path.write_text(f"{good}\n\n{broken}\n")
    with pytest.raises(AlignPartsError, match=rf"replies\.jsonl:3: .*{message}") as error:
        import_replies(path, offline, SCHEMAS)
    assert "\n" not in str(error.value)
    assert not offline.folder.exists() and not offline.known(CUP)


def test_the_prompt_has_changed_since(tmp_path: Path, prompts: Path) -> None:
    path = answered(tmp_path, exported(tmp_path, client(None, tmp_path, prompts), LID))
    (prompts / "same.txt").write_text("Are $a and $b the same?")
    with pytest.raises(AlignPartsError, match="text has changed since: export again"):
        import_replies(path, client(None, tmp_path, prompts), SCHEMAS)


def test_two_replies_to_one_request(tmp_path: Path, prompts: Path) -> None:
    offline = client(None, tmp_path, prompts)
    path = answered(tmp_path, exported(tmp_path, offline, LID))
    line = path.read_text()
    path.write_text(line + line)
    assert import_replies(path, offline, SCHEMAS) == 1
    path.write_text(line + line.replace("true", "false"))
    with pytest.raises(AlignPartsError, match=r"replies\.jsonl:2: answers line 1 otherwise"):
        import_replies(path, offline, SCHEMAS)


def test_no_file(tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(AlignPartsError, match=r"none\.jsonl: no such file; expected the exported requests"):
        import_replies(tmp_path / "none.jsonl", client(None, tmp_path, prompts), SCHEMAS)


def test_what_is_missing_after_a_failure_can_be_exported(
    server: Server, tmp_path: Path, prompts: Path
) -> None:
    server.decide = lambda seen: Act(413, "too long") if "cup" in seen.text else Act()
    model = client(server, tmp_path, prompts)
    with pytest.raises(AlignPartsError, match="1 of 2"):
        model.ask_all([LID, CUP], Answer)
    assert [line["variables"]["a"] for line in exported(tmp_path, model, LID, CUP)] == ["cup"]
