"""The client in fair weather: what is sent, recorded and replayed. The foul is in test_llm_server."""

import hashlib
import json
import warnings
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, Literal

import pytest
import smoke
from hypothesis import given
from hypothesis import strategies as st
from llm_server import GOOD, PNG, Act, Answer, Server, client, prompts, server
from pydantic import BaseModel, Field

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import PROMPTS, REPLIES, LanguageModel, UnansweredError
from alignparts.ontology.llm.messages import strict_schema
from alignparts.ontology.llm.records import Record, Request, Usage, append_record, read_records

__all__ = ["prompts", "server"]

WORDS = {"a": "lid", "b": "cover"}
LID = Request("same", WORDS)
NAMES = {"category": "pot", "names": "lid; cover"}


def test_request_and_record(server: Server, tmp_path: Path, prompts: Path) -> None:
    online = client(server, tmp_path, prompts)
    assert online.ask(LID, Answer) == Answer(same=True, reason="one thing")
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.body["model"] == "tiny" and seen.body["temperature"] == 0
    assert seen.body["messages"] == [{"role": "user", "content": "Is lid the same as cover?"}]
    (line,) = (tmp_path / "replies" / "same.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert set(record) == {"hash", "prompt", "variables", "model", "reply", "usage"}
    assert record["reply"] == {"same": True, "reason": "one thing"} and record["model"] == "tiny"
    offline = client(None, tmp_path, prompts)
    assert offline.known(LID) and offline.ask(Request("same", dict(reversed(WORDS.items()))), Answer).same
    assert online.ask(LID, Answer).same and len(server.seen) == 1


def test_hash_depends_on_prompt_text_and_variables(tmp_path: Path, prompts: Path) -> None:
    first = client(None, tmp_path, prompts).request_hash(LID)
    assert first == client(None, tmp_path, prompts).request_hash(Request("same", {"b": "cover", "a": "lid"}))
    assert first != client(None, tmp_path, prompts).request_hash(Request("same", {"a": "cover", "b": "lid"}))
    (prompts / "same.txt").write_text("Are $a and $b the same?")
    assert first != client(None, tmp_path, prompts).request_hash(LID)


def test_no_reply_and_no_endpoint_names_both_ways_out(tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(AlignPartsError, match=r"\.jsonl.*ontology\.llm") as error:
        client(None, tmp_path, prompts).ask(LID, Answer)
    assert "lid" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        f"```json\n{GOOD}\n```",
        f"Sure.\n{GOOD} Anything else?",
        f'<think>Perhaps {{"same": false, "reason": "no"}}?</think>{GOOD}',
        [{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}],
    ],
)
def test_wrapped_json(server: Server, tmp_path: Path, prompts: Path, content: Any) -> None:
    server.acts = [Act(content=content)]
    assert client(server, tmp_path, prompts).ask(LID, Answer) == Answer.model_validate_json(GOOD)
    assert len(server.seen) == 1


def test_wrong_configuration(server: Server, tmp_path: Path, prompts: Path) -> None:
    for wrong in ("localhost:1234", "http://", "http://host:port/v1", "ftp://host/v1"):
        with pytest.raises(AlignPartsError, match="neither 'recorded' nor"):
            LanguageModel(wrong)
    online = client(server, tmp_path, prompts)
    with pytest.raises(AlignPartsError, match="no such prompt; there are: same, seen"):
        online.ask(Request("other", {}), Answer)
    with pytest.raises(AlignPartsError, match="'b' has no value"):
        online.ask(Request("same", {"a": "lid"}), Answer)
    with pytest.raises(AlignPartsError, match="an image of 6 bytes is neither PNG nor JPEG"):
        online.ask(Request("seen", {}, (b"GIF89a",)), Answer)
    assert not server.seen


def record(name: str, **other: Any) -> Record:
    return Record(hash=name, prompt="same", variables={}, model="m", reply={}, **other)


@pytest.mark.parametrize("damage", ['{"hash": "1", "prom\n', '{"hash": "1"}\n', '{"hash": "1"}', "[]"])
def test_a_damaged_record_is_named(tmp_path: Path, damage: str) -> None:
    append_record(tmp_path / "same.jsonl", record("0"))
    with (tmp_path / "same.jsonl").open("a") as file:
        file.write(damage)
    with pytest.raises(
        AlignPartsError, match=r"same\.jsonl:2: not a recorded reply.*mend the line or delete"
    ):
        read_records(tmp_path)


@given(cut=st.integers(1, 60))
def test_a_line_that_a_kill_cut_off_is_asked_again(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "same.jsonl"
    append_record(path, record("0"))
    whole = path.read_bytes()
    append_record(path, record("é"))  # two bytes, so that some cuts go through a character
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    with pytest.warns(UserWarning, match=r"same\.jsonl:2: breaks off"):
        assert set(read_records(path.parent)) == {"0"}
    append_record(path, record("2"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(read_records(path.parent)) == {"0", "2"}
    assert path.read_bytes().startswith(whole)


def test_a_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "same.jsonl"
    append_record(path, record("0"))
    path.write_bytes(path.read_bytes().rstrip())
    append_record(path, record("1"))
    assert set(read_records(tmp_path)) == {"0", "1"}


def test_a_full_disk_leaves_no_half_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(AlignPartsError, match="/dev/full: cannot record a reply: No space left"):
        append_record(Path("/dev/full"), record("0"))


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    reply = {"a": None, "b": [], "c": False, "d": "line\nend \u2028 \U0001f600"}
    first = Record(hash="0", prompt="p", variables={"x": ""}, model="m", reply=reply)
    other = record("1", images=("ab",), usage=Usage(replies=2, prompt_tokens=7, cost=None, seconds=0.5))
    for one in (first, other):
        append_record(tmp_path / "same.jsonl", one)
    assert read_records(tmp_path) == {"0": first, "1": other}


def test_a_recorded_reply_of_another_form(tmp_path: Path, prompts: Path) -> None:
    key = client(None, tmp_path, prompts).request_hash(LID)
    wrong = Record(hash=key, prompt="same", variables=WORDS, model="m", reply={"same": True})
    append_record(tmp_path / "replies" / "same.jsonl", wrong)
    with pytest.raises(AlignPartsError, match="is not a Answer: reason: Field required"):
        client(None, tmp_path, prompts).ask(LID, Answer)


def test_writers_in_parallel_do_not_mix_lines(tmp_path: Path) -> None:
    def write(number: int) -> None:
        long = Record(hash=str(number), prompt="same", variables={"a": "x" * 5000}, model="m", reply={})
        append_record(tmp_path / "same.jsonl", long)

    with ThreadPool(8) as pool:
        pool.map(write, range(64))
    assert set(read_records(tmp_path)) == {str(number) for number in range(64)}


def test_the_replies_that_ship_belong_to_the_prompts_that_ship() -> None:
    records, shipped = read_records(REPLIES), LanguageModel()
    assert records
    for key, one in records.items():
        text = (PROMPTS / f"{one.prompt}.txt").read_text()
        content = {"prompt": text, "variables": one.variables}
        line = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert key == hashlib.sha256(line.encode()).hexdigest()
        assert key == shipped.request_hash(Request(one.prompt, one.variables))


def test_replay_lists_every_missing_request_once(server: Server, tmp_path: Path, prompts: Path) -> None:
    client(server, tmp_path, prompts).ask(LID, Answer)
    offline = client(None, tmp_path, prompts)
    wanted = [Request("same", {"a": a, "b": "cover"}) for a in ("lid", "cap", "hood", "cap")]
    with pytest.raises(UnansweredError, match=r"2 of 4 requests have no recorded reply.*cap.*hood") as error:
        offline.ask_all(wanted, Answer)
    assert [request for request, _ in error.value.failures] == [wanted[1], wanted[2]]
    assert "\n" not in str(error.value) and str(error.value).count("cap") == 1
    assert offline.ask_all(wanted[:1] * 3, Answer) == [Answer.model_validate_json(GOOD)] * 3
    assert len(server.seen) == 1


def test_a_long_list_of_missing_requests_is_cut(tmp_path: Path, prompts: Path) -> None:
    wanted = [Request("same", {"a": str(number), "b": ""}) for number in range(500)]
    with pytest.raises(UnansweredError, match="500 of 500 .*; and 490 more;") as error:
        client(None, tmp_path, prompts).ask_all(wanted, Answer)
    assert len(error.value.failures) == 500


def test_images_go_out_as_data_urls_and_stay_out_of_the_record(
    server: Server, tmp_path: Path, prompts: Path
) -> None:
    import base64

    jpeg = b"\xff\xd8\xff\xe0 and so on"
    client(server, tmp_path, prompts).ask(
        Request(
            "seen",
            {},
            (
                PNG,
                jpeg,
            ),
        ),
        Answer,
    )
    text, first, second = server.seen[0].body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    for part, kind, image in ((first, "png", PNG), (second, "jpeg", jpeg)):
        head, data = part["image_url"]["url"].split(",")
        assert part["type"] == "image_url" and head == f"data:image/{kind};base64"
        assert base64.b64decode(data) == image
    (line,) = (tmp_path / "replies" / "seen.jsonl").read_text().splitlines()
    assert json.loads(line)["images"] == [hashlib.sha256(image).hexdigest() for image in (PNG, jpeg)]
    assert base64.b64encode(PNG).decode()[:20] not in line
    offline = client(None, tmp_path, prompts)
    assert offline.ask(
        Request(
            "seen",
            {},
            (
                PNG,
                jpeg,
            ),
        ),
        Answer,
    ).same
    others = [(jpeg, PNG), (PNG,), (), (PNG, jpeg + b".")]
    assert not any(offline.known(Request("seen", {}, images)) for images in others)


def test_the_key_is_sent_and_never_shown(
    server: Server, tmp_path: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    monkeypatch.setenv("ALIGNPARTS_LLM_KEY", "secret\n")
    client(server, tmp_path, prompts, api_key=None).ask(LID, Answer)
    assert server.seen[0].headers["authorization"] == "Bearer secret"
    server.acts = [Act(401, "bad key")]
    with pytest.raises(AlignPartsError, match="bad key") as refused:
        client(server, tmp_path, prompts, api_key=None).ask(Request("same", {"a": "", "b": ""}), Answer)
    with pytest.raises(AlignPartsError, match="ALIGNPARTS_LLM_KEY: holds characters") as wrong:
        client(server, tmp_path, prompts, api_key="sec\nret")
    shown = [caplog.text, str(refused.value), str(wrong.value), *map(str, wrong.value.__dict__.values())]
    shown += [path.read_text() for path in (tmp_path / "replies").iterdir()]
    assert not any("secret" in text or "sec\nret" in text for text in shown)


def test_what_is_meant_for_openai_stays_away_from_other_endpoints(
    server: Server, tmp_path: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALIGNPARTS_LLM_KEY", raising=False)
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer private")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    client(server, tmp_path, prompts, api_key=None).ask(LID, Answer)
    (seen,) = server.seen
    assert "authorization" not in seen.headers and "private" not in str(seen.headers)


class Piece(BaseModel):
    title: str = Field(min_length=2, max_length=9, pattern="[a-z]+", description="one word")
    kind: Literal["solid", "sheet"] = "solid"
    share: float | None = Field(None, ge=0, le=1)


class Pieces(BaseModel):
    """A docstring for programmers."""

    pieces: list[Piece] = Field(min_length=1, max_length=40)
    first: Piece


def test_strict_schema_closes_objects_and_leaves_limits_out() -> None:
    piece = {"$ref": "#/$defs/Piece"}
    title = {"type": "string", "description": "one word"}
    share = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    properties = {"title": title, "kind": {"type": "string", "enum": ["solid", "sheet"]}, "share": share}
    assert strict_schema(Pieces) == {
        "type": "object", "additionalProperties": False, "required": ["pieces", "first"],
        "properties": {"pieces": {"type": "array", "items": piece}, "first": piece},
        "$defs": {"Piece": {"type": "object", "additionalProperties": False,
                            "required": ["title", "kind", "share"], "properties": properties}},
    }  # fmt: skip


def test_settings_of_the_client(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AlignPartsError, match="no recorded reply"):
        LanguageModel.from_params(smoke.block("ontology"), tmp_path).ask(Request("name_part", NAMES), Answer)
    block = {"llm": server.url, "llm_model": "tiny", "llm_requests_per_minute": 3000, "llm_parallel": 7,
             "llm_price_in": 0.1, "llm_price_out": 0.4}  # fmt: skip
    model = LanguageModel.from_params(smoke.block("ontology", **block), tmp_path)
    server.acts = [Act(extra={"usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}})]
    model.ask(Request("name_part", NAMES), Answer)
    assert server.seen[0].body["model"] == "tiny" and model.spent.cost == pytest.approx(0.5)
    assert (model.parallel, model.folder) == (7, tmp_path)
    for wrong, said in (({"llm_price_in": 1}, "both or neither"), ({"llm_parallel": 0}, "greater than"),
                        ({"llm_requests_per_minute": 0}, "greater than")):  # fmt: skip
        with pytest.raises(AlignPartsError, match=said):
            smoke.block("ontology", **wrong)
