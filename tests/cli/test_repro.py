"""`alignparts repro` on a small pipeline: what waits on nothing runs side by side, once."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.testing

from alignparts.cli.repro import plan, run_all
from alignparts.core.errors import AlignPartsError

# A stage says when it begins and ends; "pair" has an item for each of two others.
CODE = """
import sys, time
from pathlib import Path
name, *needs = sys.argv[1:]
assert all(Path(need).is_file() for need in needs), needs
start = time.time()
time.sleep(0.5)
assert not Path("broken").is_file() or name != "right"
Path(name).write_text(f"{start} {time.time()}")
"""
STAGES = """
stages:
  first: {cmd: python stage.py first, deps: [stage.py], outs: [first]}
  pair:
    matrix: {item: [a, b]}
    cmd: python stage.py pair-${item.item} first
    deps: [stage.py, first]
    outs: ["pair-${item.item}"]
  right: {cmd: python stage.py right first, deps: [first], outs: [right]}
  last: {cmd: python stage.py last pair-a pair-b right, deps: [pair-a, pair-b, right], outs: [last]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stage.py").write_text(CODE)
    (tmp_path / "dvc.yaml").write_text(STAGES.replace("python", sys.executable))
    command = [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True, env={"DVC_NO_ANALYTICS": "1", "HOME": str(tmp_path)})
    return tmp_path


def times(root: Path, name: str) -> tuple[float, float]:
    start, end = (root / name).read_text().split()
    return float(start), float(end)


def test_a_plan_has_stages_after_what_they_need_and_items_in_pieces(root):
    jobs = plan(root, {"first": 5.0, "pair@a": 7.0})
    assert {name: job.after for name, job in jobs.items()} == {
        "first": set(), "pair 1": {"first"}, "pair 2": {"first"}, "right": {"first"},
        "last": {"pair 1", "pair 2", "right"},
    }  # fmt: skip
    assert jobs["first"].seconds == 5 and jobs["pair 1"].seconds == 7
    assert jobs["pair 1"].stages == ["pair@a"] and jobs["pair 2"].stages == ["pair@b"]


def test_stages_run_side_by_side_and_once(root, capsys):
    run_all(plan(root, {}), 3, root)
    assert times(root, "last")[0] > max(times(root, name)[1] for name in ("pair-a", "pair-b", "right"))
    assert min(times(root, name)[0] for name in ("pair-a", "pair-b", "right")) > times(root, "first")[1]
    assert "[5 of 5] last" in capsys.readouterr().out
    assert plan(root, {}) == {}
    # The same lock as that of DVC itself.
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "up to date" in status.stdout
    (root / "right").unlink()
    assert set(plan(root, {})) == {"right", "last"}


def test_stages_asked_for_run_alone_and_in_order_changed_or_not(root):
    run_all(plan(root, {}), 2, root)
    before = {name: times(root, name) for name in ("first", "right", "pair-a", "last")}
    (root / "first").unlink()
    (root / "first").touch()
    run_all(plan(root, {}, ["last", "right"]), 2, root)
    assert {name for name, at in before.items() if name != "first" and times(root, name) != at} == {
        "right",
        "last",
    }
    assert times(root, "last")[0] > times(root, "right")[1]
    with pytest.raises(AlignPartsError, match="no stage 'left'; expected first, last, pair, right"):
        plan(root, {}, ["left"])


def test_a_failed_stage_stops_what_follows_and_shows_why(root, capsys):
    (root / "broken").touch()
    with pytest.raises(AlignPartsError, match="right: failed; what is done stays"):
        run_all(plan(root, {}), 1, root)
    shown = capsys.readouterr()
    assert "AssertionError" in shown.err and not (root / "last").is_file()
    (root / "broken").unlink()
    assert "first" not in plan(root, {}) and "last" in plan(root, {})


def test_the_command_says_when_nothing_is_to_do(root, monkeypatch):
    from alignparts.cli.app import app

    run_all(plan(root, {}), 2, root)
    monkeypatch.chdir(root)
    result = typer.testing.CliRunner().invoke(app, ["repro"])
    assert result.exit_code == 0 and "everything is up to date" in result.output
