"""The client in foul weather: what a real server on loopback does wrong, and how fast it may be asked."""

import gzip
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_server import GOOD, Act, Answer, Seen, Server, client, prompts, server

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel, Request, UnansweredError
from alignparts.ontology.llm.endpoint import MOST_REPLY
from alignparts.ontology.llm.records import Usage, read_records

__all__ = ["prompts", "server"]

LID = Request("same", {"a": "lid", "b": "cover"})
NOTHING = Request("same", {"a": "", "b": ""})
BUSY = Act(503, "busy")
COUNTED = {"usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}}


def questions(number: int) -> list[Request]:
    return [Request("same", {"a": str(one), "b": "lid"}) for one in range(number)]


def echo(seen: Seen) -> Act:
    """Answers with the question, so that replies in the wrong order are seen."""
    return Act(content=f'{{"same": true, "reason": "{seen.text}"}}')


FAILURES = {
    "429": Act(429, "slow down"),
    "500": Act(500, ""),
    "503": BUSY,
    "408": Act(408, ""),
    "reset": Act(reset=True),
    "body cut off": Act(cut=True),
    "JSON of the completion cut off": Act(body='{"choices": [{"message": {"content": "{}'),
    "a proxy's page": Act(body="<html>Bad gateway</html>"),
    "no choices": Act(body='{"choices": []}'),
    "a list": Act(body="[]"),
    "nested too deep": Act(body="[" * 100_000),
    "an error as HTTP 200": Act(body='{"error": {"code": 429, "message": "rate limited upstream"}}'),
    "no JSON in the reply": Act(content="I think so."),
    "an empty reply": Act(content=None),
    "JSON of the reply cut off": Act(content='{"same": true, "rea', finish="length"),
    "wrong type": Act(content='{"same": "perhaps", "reason": "who knows"}'),
    "key missing": Act(content='{"same": true}'),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_tries_again(server: Server, tmp_path: Path, prompts: Path, failure: Act) -> None:
    server.acts = [failure, failure, Act()]
    assert client(server, tmp_path, prompts).ask(LID, Answer) == Answer.model_validate_json(GOOD)
    assert len(server.seen) == 3
    assert len(read_records(tmp_path / "replies")) == 1


def test_gives_up_with_one_line_and_records_nothing(server: Server, tmp_path: Path, prompts: Path) -> None:
    said = {
        "HTTP 503: busy$": BUSY,
        "HTTP 500: no memory$": Act(500, '{"error": {"message": "no\\nmemory", "type": "server_error"}}'),
        "HTTP 500: model is gone$": Act(500, '{"error": "model is gone"}'),
        "not a chat completion: .*rate limited upstream": FAILURES["an error as HTTP 200"],
        "not a chat completion": FAILURES["no choices"],
        "not a chat completion: '<html>Bad": FAILURES["a proxy's page"],
        "did not answer 'same' with a Answer in 2 attempts: no JSON object in 'I think": Act(
            content="I think so."
        ),
        "did not answer .*: cut off at the token limit": FAILURES["JSON of the reply cut off"],
        "did not answer .*: reason: Field required": FAILURES["key missing"],
        "peer closed connection": FAILURES["body cut off"],
    }
    for message, act in said.items():
        server.acts, before = [act], len(server.seen)
        with pytest.raises(AlignPartsError, match=message) as error:
            client(server, tmp_path, prompts, max_retries=1).ask(LID, Answer)
        assert "\n" not in str(error.value) and server.url in str(error.value)
        assert len(server.seen) == before + 2
    assert not (tmp_path / "replies").exists()


@pytest.mark.parametrize("act", [Act(401, "bad key"), Act(402, "no money"), Act(413, "too long")])
def test_what_no_second_attempt_would_mend(server: Server, tmp_path: Path, prompts: Path, act: Act) -> None:
    server.acts = [act]
    with pytest.raises(AlignPartsError, match=f"HTTP {act.status}: "):
        client(server, tmp_path, prompts).ask(LID, Answer)
    assert len(server.seen) == 1


def test_nobody_at_the_endpoint(tmp_path: Path, prompts: Path) -> None:
    model = LanguageModel("http://127.0.0.1:9/v1", "tiny", tmp_path, prompts=prompts, max_retries=1)
    with pytest.raises(AlignPartsError, match="127.0.0.1:9"):
        model.ask(LID, Answer)


def test_waits_as_long_as_the_server_asks(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(429, headers={"retry-after": "1"}), Act()]
    client(server, tmp_path, prompts).ask(LID, Answer)
    first, second = server.seen
    assert 0.9 < second.time - first.time < 3


def test_an_hour_is_not_waited_for_but_said(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(429, "daily limit", headers={"retry-after": "3600"})]
    with pytest.raises(AlignPartsError, match=r"HTTP 429: daily limit \(asks to wait: 3600\)"):
        client(server, tmp_path, prompts).ask(LID, Answer)
    assert len(server.seen) == 1


@pytest.mark.parametrize("slow", [Act(late=1.5), Act(drip=1.5)], ids=["late", "dripping"])
def test_a_slow_server_is_asked_again(server: Server, tmp_path: Path, prompts: Path, slow: Act) -> None:
    server.acts = [slow, Act()]
    model = client(server, tmp_path, prompts, timeout=0.4)
    start = time.monotonic()
    assert model.ask(LID, Answer).same
    assert time.monotonic() - start < 1.4
    server.acts = [slow]
    with pytest.raises(AlignPartsError, match=r"no reply within 0\.4 s, in 2 attempts"):
        client(server, tmp_path, prompts, timeout=0.4, max_retries=1).ask(NOTHING, Answer)


def test_a_wrong_reply_is_shown_to_the_model(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(content='{"same": true}'), Act(content="No."), Act()]
    client(server, tmp_path, prompts).ask(LID, Answer)
    first, second, third = (seen.body["messages"] for seen in server.seen)
    assert second[:1] == first and second[1] == {"role": "assistant", "content": '{"same": true}'}
    assert second[2]["role"] == "user" and "reason: Field required" in second[2]["content"]
    assert len(third) == 3 and third[1]["content"] == "No."  # the latest alone


def test_asks_for_a_strict_schema(server: Server, tmp_path: Path, prompts: Path) -> None:
    client(server, tmp_path, prompts).ask(LID, Answer)
    form = server.seen[0].body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "Answer" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"] == {
        "type": "object", "properties": {"same": {"type": "boolean"}, "reason": {"type": "string"}},
        "required": ["same", "reason"], "additionalProperties": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("taken", "status"), [("json_object", 400), ("json_object", 404), ("json_object", 422), ("text", 400)]
)
def test_a_server_without_schemas(
    server: Server, tmp_path: Path, prompts: Path, taken: str, status: int
) -> None:
    def form(seen: Seen) -> str:
        return seen.body.get("response_format", {"type": "text"})["type"]

    def decide(seen: Seen) -> Act:
        if form(seen) != taken:
            return Act(status, "response_format is unavailable")
        # Without a schema a wrong reply is likelier, and found all the same.
        return Act() if len(seen.body["messages"]) == 3 or "cup" in seen.text else Act(content='{"same": 3}')

    server.decide = decide
    model = client(server, tmp_path, prompts)
    with pytest.warns(UserWarning, match=f"refuses replies in the form json_schema; asking for {taken}"):
        model.ask(LID, Answer)
    refused = ["json_schema"] if taken == "json_object" else ["json_schema", "json_object"]
    assert [form(seen) for seen in server.seen] == [*refused, taken, taken]
    model.ask(Request("same", {"a": "cup", "b": "mug"}), Answer)
    assert [form(seen) for seen in server.seen[len(refused) + 2 :]] == [taken]


def test_a_model_without_temperature(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.decide = lambda seen: (
        Act(400, "'temperature' does not support 0") if "temperature" in seen.body else Act()
    )
    model = client(server, tmp_path, prompts)
    model.ask(LID, Answer)
    model.ask(Request("same", {"a": "cup", "b": "mug"}), Answer)
    assert ["temperature" in seen.body for seen in server.seen] == [True, False, False]
    assert all(seen.body["response_format"]["type"] == "json_schema" for seen in server.seen)


def test_a_bad_request_that_no_form_helps(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(400, "context too long")]
    model = client(server, tmp_path, prompts)
    with pytest.raises(AlignPartsError, match="HTTP 400: context too long"):
        model.ask(LID, Answer)
    assert [seen.body.get("response_format", {}).get("type") for seen in server.seen] == [
        "json_schema", "json_object", None,
    ]  # fmt: skip
    server.acts = [Act()]
    model.ask(LID, Answer)  # which has taught it nothing about forms
    assert server.seen[-1].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("act", [Act(content=None, message={"refusal": "Not that."}),
                                 Act(content="", finish="content_filter")])  # fmt: skip
def test_a_model_that_declines_is_not_pressed(
    server: Server, tmp_path: Path, prompts: Path, act: Act
) -> None:
    server.acts = [act]
    with pytest.raises(AlignPartsError, match="model 'tiny' declines 'same': (Not that.|its content filter)"):
        client(server, tmp_path, prompts).ask(LID, Answer)
    assert len(server.seen) == 1


def test_many_at_once_keep_their_order(server: Server, tmp_path: Path, prompts: Path) -> None:
    def decide(seen: Seen) -> Act:
        act = echo(seen)
        act.late = 0.05 + 0.01 * (len(seen.text) % 3)
        return act

    server.decide = decide
    wanted = [*questions(24), *questions(3)]  # three of them twice
    replies = client(server, tmp_path, prompts, parallel=4).ask_all(wanted, Answer)
    assert [reply.reason for reply in replies] == [
        f"Is {one.variables['a']} the same as lid?" for one in wanted
    ]
    assert len(server.seen) == 24
    assert 2 <= max(seen.at_once for seen in server.seen) <= 4


def test_the_rate_is_held_by_all_threads_together(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [BUSY, BUSY, Act()]  # attempts count as well
    client(server, tmp_path, prompts, parallel=8, per_minute=1200.0).ask_all(questions(20), Answer)
    times = sorted(seen.time for seen in server.seen)
    assert len(times) == 22
    # 1200 a minute are one every 50 ms; a thread that wakes late makes the next seem early.
    for first in range(11):
        for last in range(first + 10, 22):
            assert times[last] - times[first] >= 0.05 * (last - first) - 0.25


def test_failures_are_told_together_and_the_rest_is_kept(
    server: Server, tmp_path: Path, prompts: Path
) -> None:
    def decide(seen: Seen) -> Act:
        if seen.text.startswith("Is 3 "):
            return Act(content="never right")
        return BUSY if seen.text.startswith("Is 7 ") else echo(seen)

    server.decide = decide
    model = client(server, tmp_path, prompts, max_retries=1)
    with pytest.raises(UnansweredError, match=r"2 of 10 requests failed") as error:
        model.ask_all(questions(10), Answer)
    failed = {request.variables["a"]: reason for request, reason in error.value.failures}
    assert set(failed) == {"3", "7"} and "503" in failed["7"] and "never right" in failed["3"]
    assert all(part in str(error.value) for part in ("503", "never right", str(tmp_path / "replies")))
    assert len(read_records(tmp_path / "replies")) == 8

    server.decide, before = echo, len(server.seen)
    replies = client(server, tmp_path, prompts).ask_all(questions(10), Answer)
    assert [reply.reason for reply in replies] == [f"Is {one} the same as lid?" for one in range(10)]
    assert {seen.text for seen in server.seen[before:]} == {"Is 3 the same as lid?", "Is 7 the same as lid?"}


@pytest.mark.parametrize(
    ("status", "message"), [(401, "bad key"), (404, "no such model"), (429, '{"code": "insufficient_quota"}')]
)
def test_what_would_fail_every_request_ends_the_batch(
    server: Server, tmp_path: Path, prompts: Path, status: int, message: str
) -> None:
    server.acts = [Act(status, message, late=0.02)]
    with pytest.raises(UnansweredError, match=f"50 of 50 requests failed.*HTTP {status}: ") as error:
        client(server, tmp_path, prompts, parallel=2, max_retries=1).ask_all(questions(50), Answer)
    assert len(server.seen) <= 18
    assert "not asked" in {reason for _, reason in error.value.failures}


ASK_MANY = """
import sys
from pathlib import Path
from llm_server import Answer
from alignparts.ontology.llm.client import LanguageModel, Request

url, folder, prompts = sys.argv[1:]
model = LanguageModel(url, "tiny", Path(folder), prompts=Path(prompts), parallel=3)
model.ask_all([Request("same", {"a": str(one), "b": "lid"}) for one in range(40)], Answer)
"""


def test_a_killed_run_goes_on_where_it_was(server: Server, tmp_path: Path, prompts: Path) -> None:
    def decide(seen: Seen) -> Act:
        act = echo(seen)
        act.late = 0.1
        return act

    server.decide = decide
    folder = tmp_path / "replies"
    arguments = [sys.executable, "-c", ASK_MANY, server.url, str(folder), str(prompts)]
    process = subprocess.Popen(arguments, cwd=Path(__file__).parents[1])
    deadline = time.monotonic() + 60
    while len(server.seen) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = {f"Is {record.variables['a']} the same as lid?" for record in read_records(folder).values()}
    assert 6 <= len(kept) < 40
    before = len(server.seen)
    replies = client(server, tmp_path, prompts).ask_all(questions(40), Answer)
    assert [reply.reason for reply in replies] == [f"Is {one} the same as lid?" for one in range(40)]
    again = [seen.text for seen in server.seen[before:]]
    assert len(again) == 40 - len(kept) and not kept & set(again)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that was started in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_keeps_what_is_answered(server: Server, tmp_path: Path, prompts: Path) -> None:
    import _thread

    def decide(seen: Seen) -> Act:
        if len(server.seen) == 8:
            _thread.interrupt_main()
        act = echo(seen)
        act.late = 0.1
        return act

    server.decide = decide
    model = client(server, tmp_path, prompts, parallel=2)
    with pytest.raises(KeyboardInterrupt):
        model.ask_all(questions(60), Answer)
    asked = len(server.seen)
    assert asked < 15
    assert len(read_records(tmp_path / "replies")) == asked  # those under way included
    server.decide = echo
    assert len(model.ask_all(questions(60), Answer)) == 60
    assert len(server.seen) == 60


def test_tokens_and_cost_add_up(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(content="no", extra=COUNTED), BUSY, Act(extra=COUNTED)]
    model = client(server, tmp_path, prompts, parallel=1, price_in=2.0, price_out=8.0)
    model.ask_all(questions(3), Answer)
    # Four replies: one was wrong and paid for all the same; the refusal cost nothing.
    assert (model.spent.replies, model.spent.prompt_tokens, model.spent.completion_tokens) == (4, 400, 80)
    assert model.spent.cost == pytest.approx(400 * 2e-6 + 80 * 8e-6)
    assert str(model.spent).endswith("400 tokens in, 80 out, cost 0.0014")
    records = read_records(tmp_path / "replies").values()
    assert sum((one.usage for one in records if one.usage), Usage()) == model.spent
    assert sorted(one.usage.replies for one in records if one.usage) == [1, 1, 2]


def test_the_tokens_of_a_failed_request_count_too(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.acts = [Act(content="no", extra=COUNTED)]
    model = client(server, tmp_path, prompts, max_retries=2)
    with pytest.raises(AlignPartsError):
        model.ask(LID, Answer)
    assert model.spent.prompt_tokens == 300 and not (tmp_path / "replies").exists()


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}, (20, 603)),  # hidden thought
        ({"prompt_tokens": 5, "completion_tokens": 7}, (5, 7)),
        ({"prompt_tokens": 5, "total_tokens": 9}, (5, 4)),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": "5", "completion_tokens": 7}, None),
        ({"prompt_tokens": -1, "completion_tokens": True}, None),
        ("lots", None),
        (None, None),
    ],
)
def test_what_an_endpoint_says_of_tokens(
    server: Server, tmp_path: Path, prompts: Path, usage: object, tokens: tuple[int, int] | None
) -> None:
    server.acts = [Act(extra={"usage": usage})]
    model = client(server, tmp_path, prompts, price_in=1.0, price_out=1.0)
    model.ask(LID, Answer)
    spent = model.spent
    assert (spent.prompt_tokens, spent.completion_tokens) == (tokens or (0, 0))
    assert spent.unreported == (tokens is None)
    assert spent.cost == (None if tokens is None else pytest.approx(sum(tokens) / 1e6))
    assert ("(1 replies uncounted), cost unknown" in str(spent)) == (tokens is None)


def test_waiting_for_the_rate_is_no_time_of_the_reply(server: Server, tmp_path: Path, prompts: Path) -> None:
    model = client(server, tmp_path, prompts, per_minute=60.0)
    for one in range(2):
        model.ask(Request("same", {"a": str(one), "b": ""}), Answer)
    first, second = server.seen
    assert second.time - first.time > 0.9 and model.spent.seconds < 0.5


@pytest.mark.parametrize("packed", [False, True])
def test_a_reply_has_an_end(server: Server, tmp_path: Path, prompts: Path, packed: bool) -> None:
    data = b" " * (MOST_REPLY + 1)
    headers = {"content-encoding": "gzip"} if packed else {}
    server.acts = [Act(body=gzip.compress(data) if packed else data, headers=headers)]
    with pytest.raises(AlignPartsError, match="a reply of more than 8 MB"):
        client(server, tmp_path, prompts, max_retries=0).ask(LID, Answer)


def test_no_message_repeats_the_key_or_a_password(server: Server, tmp_path: Path, prompts: Path) -> None:
    key, password = "sk-0123456789abcdef", "a-long-password"
    server.acts = [Act(status=401, content=f'{{"error": {{"message": "wrong key {key} or {password}"}}}}')]
    url = server.url.replace("http://", f"http://me:{password}@")
    llm = LanguageModel(url, "model", tmp_path / "replies", prompts=prompts, api_key=key, max_retries=0)
    with pytest.raises(AlignPartsError, match=r"wrong key \*\*\* or \*\*\*") as error:
        llm.ask(LID, Answer)
    assert key not in str(error.value) and password not in str(error.value)
