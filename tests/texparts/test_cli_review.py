"""The review's commands, as a user runs them."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pandas as pd
import pytest
from doors import listening
from review_store import entries, vocabulary, write_box
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from alignparts.core.errors import AlignPartsError
from texparts.app.opening import read_queue
from texparts.cli import app


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two objects, and a third that is in the queue alone."""
    folder = tmp_path / "texparts"
    for entry in entries(2):
        write_box(folder, entry.object_id)
    table = pd.DataFrame([entry.model_dump(exclude={"opinions"}) for entry in entries(3)])
    table.to_parquet(folder / "queue.parquet")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):  # type: ignore[no-untyped-def]
    def command(*arguments):  # type: ignore[no-untyped-def]
        monkeypatch.setattr(sys, "argv", ["texparts", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            app.main()
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return command


def test_annotators(run, root: Path) -> None:  # type: ignore[no-untyped-def]
    code, token, _ = run("annotators", "add", root, "Ann", "--admin")
    assert code == 0 and len(token.strip()) == 43
    assert run("annotators", "add", root, "Ann")[0] == 2
    assert re.fullmatch(r"Ann: since \S+, admin\n", run("annotators", "list", root)[1])
    assert run("annotators", "revoke", root, "Ann")[0] == 0
    assert "revoked" in run("annotators", "list", root)[1]
    assert run("annotators", "renew", root, "Ann")[1] != token
    code, _, error = run("annotators", "revoke", root, "Bo")
    assert code == 2 and "expected one of Ann" in error
    assert (root.parent / "review" / "texparts.db").is_file()  # a new run of ROOT's stages does not touch it


def test_the_queue(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_queue(root, 2)
    assert [(one.object_id, one.rank, one.opinions) for one in found] == [("box000", 0, 2), ("box001", 1, 2)]
    assert "left out" in capsys.readouterr().err
    for content, message in (
        (b"no parquet", "not a queue"),
        (pd.DataFrame({"object_id": ["a"]}).to_parquet(), "expected the columns"),
        (pd.DataFrame([{"object_id": "../a", "rank": 1.0, "category": "", "confidence": 0.5}]).to_parquet(),
         "object_id"),
    ):  # fmt: skip
        (root / "queue.parquet").write_bytes(content)
        with pytest.raises(AlignPartsError, match=message):
            read_queue(root)
    (root / "queue.parquet").unlink()
    with pytest.raises(AlignPartsError, match="texparts rank"):
        read_queue(root)


def test_bad_input_is_one_line(run, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, message in (
            (("review", tmp_path / "nothing"), "nothing/queue.parquet"),
            (("review", root, "--port", port), "--port"),
            (("review", root, "--database", "mysql://host/name"), "expected sqlite:///FILE"),
            (("review", root, "--vocabulary", tmp_path / "none.json"), "no such vocabulary"),
            (("annotators", "list", tmp_path / "nothing"), "no such folder"),
            (("review", root, "--public-url", "review.example.org"), "expected https://HOST"),
        ):
            code, _, error = run(*arguments)
            assert code == 2 and message in error.splitlines()[-1], error


def test_the_first_start_makes_an_annotator(root: Path) -> None:
    vocabulary().save(root / "vocabulary.json")
    command = [sys.executable, "-m", "texparts.cli.app", "review", str(root), "--port", "0"]
    command += ["--vocabulary", str(root / "vocabulary.json")]
    environment = {**os.environ, "LOGNAME": "somebody"}
    for start in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stdout is not None
                said = [process.stdout.readline() for _ in range(4 if start == 0 else 3)]
                url = re.search(r"http://127\.0\.0\.1:\d+", said[-2])
                assert url is not None and said[-1].startswith("from another machine: ssh -L")
                if start == 0:
                    assert "2 objects to review, 2 of them new" in said[0]
                    told = re.fullmatch(r"annotator somebody, an admin; the token is in (\S+), .*\n", said[1])
                    assert told is not None
                    file = Path(told[1])
                    assert file.stat().st_mode & 0o777 == 0o600
                    token = file.read_text().strip()
                    headers = {"Authorization": f"Bearer {token}"}
                    me = httpx.get(f"{url.group()}/api/me", headers=headers, timeout=30)
                    assert me.json() == {"name": "somebody", "admin": True}
                    hits = httpx.get(f"{url.group()}/api/vocabulary?q=cover", headers=headers).json()
                    assert {hit["name"] for hit in hits} == {"lid", "lamp_cover"}
                    shown = {**headers, "X-AlignParts": "1"}  # opens the 3D view
                    answer = httpx.post(
                        f"{url.group()}/api/view/mode", headers=shown, json={"mode": "parts"}, timeout=60
                    )
                    assert answer.status_code == 200
                    ((host, port),) = listening(process.pid)
                    assert f"http://{host}:{port}" == url.group()
                    assert httpx.get(f"{url.group()}/view/").status_code == 401
                    evil = httpx.post(
                        f"{url.group()}/api/next", headers={**shown, "Origin": "http://evil.example"}
                    )
                    assert evil.status_code == 403
                    for given in ({}, {**headers, "Origin": "http://evil.example"}):
                        with pytest.raises(InvalidStatus, match="403"):
                            connect(f"ws://{host}:{port}/view/", additional_headers=given)
                else:
                    assert "0 of them new" in said[0] and not any("token" in line for line in said)
            finally:
                process.terminate()
                process.wait(20)


def test_both_commands_and_a_review_start_without_what_it_does_not_need() -> None:
    """PyTorch alone takes longer to load than all the rest: annotators wait for it after every restart."""
    code = (
        "import sys, alignparts.cli.app; assert 'texparts.cli' not in sys.modules; "
        "import texparts.cli.app, texparts.app.opening, texparts.app.server; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
