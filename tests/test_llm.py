"""The client against a real server on loopback: what is sent, retried, recorded and refused."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from pydantic import BaseModel

from alignparts.errors import AlignPartsError
from alignparts.llm import LanguageModel, Record, append_record, read_records


class Answer(BaseModel):
    same: bool
    reason: str


GOOD = '{"same": true, "reason": "one thing"}'


class Server:
    """Gives the queued (status, content) replies one by one, then the last for ever."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = [(200, GOOD)]
        self.seen: list[tuple[str, dict[str, str], dict]] = []
        self.retry_after: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, content = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                message = {"choices": [{"message": {"role": "assistant", "content": content}}]}
                data = json.dumps(message).encode() if status == 200 else content.encode()
                self.send_response(status)
                if outer.retry_after is not None and status == 429:
                    self.send_header("retry-after", outer.retry_after)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "same.txt").write_text("Is $a the same as $b?")
    return folder


def client(server: Server | None, tmp_path: Path, prompts: Path, **options: object) -> LanguageModel:
    endpoint = server.url + "/" if server else "recorded"
    return LanguageModel(endpoint, "tiny", tmp_path / "replies", prompts=prompts, wait=0.001, **options)  # type: ignore[arg-type]


WORDS = {"a": "lid", "b": "cover"}


def test_request_and_record(server: Server, tmp_path: Path, prompts: Path) -> None:
    asked = client(server, tmp_path, prompts, api_key="secret").ask("same", WORDS, Answer)
    assert asked == Answer(same=True, reason="one thing")
    ((path, headers, body),) = server.seen
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer secret"
    assert body["model"] == "tiny"
    assert body["messages"] == [{"role": "user", "content": "Is lid the same as cover?"}]
    (line,) = (tmp_path / "replies" / "same.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert set(record) == {"hash", "prompt", "variables", "model", "reply"}
    assert record["reply"] == {"same": True, "reason": "one thing"} and record["model"] == "tiny"
    assert "secret" not in line


def test_a_recorded_reply_needs_no_endpoint(server: Server, tmp_path: Path, prompts: Path) -> None:
    online = client(server, tmp_path, prompts)
    online.ask("same", WORDS, Answer)
    online.ask("same", WORDS, Answer)
    offline = client(None, tmp_path, prompts)
    assert offline.known("same", WORDS)
    assert offline.ask("same", dict(reversed(WORDS.items())), Answer).same
    assert len(server.seen) == 1


def test_hash_depends_on_prompt_text_and_variables(tmp_path: Path, prompts: Path) -> None:
    first = client(None, tmp_path, prompts).request_hash("same", WORDS)
    assert first == client(None, tmp_path, prompts).request_hash("same", {"b": "cover", "a": "lid"})
    assert first != client(None, tmp_path, prompts).request_hash("same", {"a": "cover", "b": "lid"})
    (prompts / "same.txt").write_text("Are $a and $b the same?")
    assert first != client(None, tmp_path, prompts).request_hash("same", WORDS)


def test_no_reply_and_no_endpoint_names_both_ways_out(tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(AlignPartsError, match=r"\.jsonl.*ontology\.llm") as error:
        client(None, tmp_path, prompts).ask("same", WORDS, Answer)
    assert "lid" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("failure", [(429, "slow down"), (503, "busy"), (500, ""), (200, "I think so."),
                                     (200, '{"same": "perhaps"}')])  # fmt: skip
def test_tries_again(server: Server, tmp_path: Path, prompts: Path, failure: tuple[int, str]) -> None:
    server.replies = [failure, failure, (200, GOOD)]
    assert client(server, tmp_path, prompts).ask("same", WORDS, Answer).same
    assert len(server.seen) == 3


def test_waits_as_long_as_the_server_asks(server: Server, tmp_path: Path, prompts: Path) -> None:
    import time

    server.replies, server.retry_after = [(429, ""), (200, GOOD)], "1"
    start = time.monotonic()
    client(server, tmp_path, prompts).ask("same", WORDS, Answer)
    assert time.monotonic() - start >= 0.95


@pytest.mark.parametrize("content", [f"```json\n{GOOD}\n```", f"Sure.\n{GOOD} Anything else?"])
def test_wrapped_json(server: Server, tmp_path: Path, prompts: Path, content: str) -> None:
    server.replies = [(200, content)]
    assert client(server, tmp_path, prompts).ask("same", WORDS, Answer).same


def test_gives_up_with_one_line_and_records_nothing(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.replies = [(503, "busy")]
    with pytest.raises(AlignPartsError, match="HTTP 503: busy"):
        client(server, tmp_path, prompts, attempts=2).ask("same", WORDS, Answer)
    assert len(server.seen) == 2
    server.replies = [(200, "no idea")]
    with pytest.raises(AlignPartsError, match="did not answer 'same' with a Answer in 2 attempts"):
        client(server, tmp_path, prompts, attempts=2).ask("same", WORDS, Answer)
    assert not (tmp_path / "replies").exists()


def test_a_wrong_key_is_not_retried(server: Server, tmp_path: Path, prompts: Path) -> None:
    server.replies = [(401, "bad key")]
    with pytest.raises(AlignPartsError, match="HTTP 401: bad key"):
        client(server, tmp_path, prompts).ask("same", WORDS, Answer)
    assert len(server.seen) == 1


def test_nobody_at_the_endpoint(tmp_path: Path, prompts: Path) -> None:
    model = LanguageModel("http://127.0.0.1:9/v1", "tiny", tmp_path, prompts=prompts, attempts=2, wait=0.001)
    with pytest.raises(AlignPartsError, match="127.0.0.1:9"):
        model.ask("same", WORDS, Answer)


def test_wrong_configuration(tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(AlignPartsError, match="neither 'recorded' nor"):
        LanguageModel("localhost:1234")
    with pytest.raises(AlignPartsError, match="no such prompt; there are: same"):
        client(None, tmp_path, prompts).ask("other", {}, Answer)


def test_a_placeholder_without_a_value(server: Server, tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(AlignPartsError, match="'b' has no value"):
        client(server, tmp_path, prompts).ask("same", {"a": "lid"}, Answer)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    append_record(tmp_path / "same.jsonl", Record(hash="0", prompt="same", variables={}, model="m", reply={}))
    with (tmp_path / "same.jsonl").open("a") as file:
        file.write('{"hash": "1", "prom')
    with pytest.raises(AlignPartsError, match=r"same\.jsonl:2: not a recorded reply"):
        read_records(tmp_path)


def test_a_recorded_reply_of_another_form(tmp_path: Path, prompts: Path) -> None:
    key = client(None, tmp_path, prompts).request_hash("same", WORDS)
    record = Record(hash=key, prompt="same", variables=WORDS, model="m", reply={"same": True})
    append_record(tmp_path / "replies" / "same.jsonl", record)
    with pytest.raises(AlignPartsError, match="is not a Answer: reason: Field required"):
        client(None, tmp_path, prompts).ask("same", WORDS, Answer)


def test_writers_in_parallel_do_not_mix_lines(tmp_path: Path) -> None:
    def write(number: int) -> None:
        record = Record(hash=str(number), prompt="same", variables={"a": "x" * 5000}, model="m", reply={})
        append_record(tmp_path / "same.jsonl", record)

    with ThreadPool(8) as pool:
        pool.map(write, range(64))
    assert set(read_records(tmp_path)) == {str(number) for number in range(64)}
