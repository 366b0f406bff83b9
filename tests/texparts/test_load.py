"""The load test itself, short: nothing acknowledged is lost while the server is killed."""

from pathlib import Path

import pandas as pd
import pytest
from load_outcome import Load, lines, measures, write_measures
from review_load import run_load


def test_nothing_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    load = Load(annotators=4, seconds=4.0, kills=1, objects=30, faces=300, pause=0.1, edits=6)
    outcome = run_load(load, tmp_path, f"sqlite:///{tmp_path}/r.db")
    assert outcome.clean, lines(load, outcome)
    assert outcome.killed == 1 and outcome.edits > 10
    write_measures(tmp_path / "load.csv", measures(load, outcome))
    table = pd.read_csv(tmp_path / "load.csv").set_index("measure").value
    assert table["1 kills: edits acknowledged"] == outcome.edits and table["1 kills: lost"] == 0
    assert table["1 kills: all p95"] == pytest.approx(1e3 * outcome.percentile(95), abs=0.1)
