"""The ledger: rows are whole, memory is that of the largest process."""

import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from alignparts.core import ledger


def test_a_block_leaves_one_row_with_its_seconds(tmp_path):
    with ledger.record("train", folder=tmp_path / "ledger"):
        time.sleep(0.05)
    (path,) = (tmp_path / "ledger").iterdir()
    assert path.name == "train.csv"
    table = ledger.collect(tmp_path / "ledger")
    (row,) = table.to_dict("records")
    assert table.columns.tolist() == ledger.COLUMNS
    assert 0.05 <= row["seconds"] < 5
    assert row["peak_mb"] > 10 and row["device"] and row["item"] == ""


def test_items_have_files_of_their_own_and_a_second_run_replaces_the_first(tmp_path):
    for item in ("full-0", "a/b c", "full-0"):
        with ledger.record("ablations", item, folder=tmp_path):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ablations-a_b_c.csv", "ablations-full-0.csv"]
    assert ledger.collect(tmp_path)["item"].tolist() == ["a/b c", "full-0"]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), ledger.record("train", folder=tmp_path):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_is_a_table_without_rows(tmp_path):
    table = ledger.collect(tmp_path / "nothing")
    assert len(table) == 0 and table.columns.tolist() == ledger.COLUMNS
    assert ledger.totals(table) == []


@pytest.mark.parametrize(("own", "child"), [(5_000, 9_000), (9_000, 5_000)])
def test_memory_is_that_of_the_largest_process(monkeypatch, own, child):
    used = {resource.RUSAGE_SELF: own, resource.RUSAGE_CHILDREN: child}
    monkeypatch.setattr(ledger.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=used[who]))
    monkeypatch.setattr(ledger.sys, "platform", "linux")
    assert ledger.peak_memory() == 9_000 * 1024


def test_a_child_process_counts():
    size = ledger.peak_memory() + 50_000_000
    code = f"b = bytearray({size}); b[::4096] = b'x' * len(b[::4096])"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert ledger.peak_memory() >= size
