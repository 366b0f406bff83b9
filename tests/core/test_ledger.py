"""The ledger: rows are whole, counters start again, cards and processors that cannot be read cost nothing."""

import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from alignparts.core import ledger


def zone(root, number, name, microjoules, limit=1_000_000):
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(name)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(str(limit))
    return folder / "energy_uj"


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine whose energy nobody can read."""
    monkeypatch.setattr(ledger, "POWERCAP", tmp_path / "none")
    monkeypatch.setattr(ledger, "ProcessorEnergy", lambda: Energy(tmp_path / "none"))
    monkeypatch.setattr(ledger, "card_joules", lambda: None)


Energy = ledger.ProcessorEnergy


def test_a_block_leaves_one_row_with_its_seconds(bare, tmp_path):
    with ledger.record("train", folder=tmp_path / "ledger"):
        time.sleep(0.05)
    (path,) = (tmp_path / "ledger").iterdir()
    assert path.name == "train.csv"
    table = ledger.collect(tmp_path / "ledger")
    (row,) = table.to_dict("records")
    assert table.columns.tolist() == ledger.COLUMNS
    assert 0.05 <= row["seconds"] < 5
    assert row["peak_mb"] > 10 and row["device"] and row["item"] == ""
    assert pd.isna(row["energy_joule"])


def test_items_have_files_of_their_own_and_a_second_run_replaces_the_first(bare, tmp_path):
    for item in ("full-0", "a/b c", "full-0"):
        with ledger.record("ablations", item, folder=tmp_path):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ablations-a_b_c.csv", "ablations-full-0.csv"]
    assert ledger.collect(tmp_path)["item"].tolist() == ["a/b c", "full-0"]


def test_a_block_that_fails_leaves_nothing(bare, tmp_path):
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


def test_packages_are_added_up_and_nothing_is_counted_twice(tmp_path):
    first = zone(tmp_path, "0", "package-0", 100)
    zone(tmp_path, "0:0", "core", 50)
    second = zone(tmp_path, "1", "package-1", 7)
    psys = zone(tmp_path, "2", "psys", 0)
    meter = Energy(tmp_path)
    first.write_text("2100")
    second.write_text("1007")
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("999999")
    psys.write_text("999999")
    assert meter.read() == pytest.approx(0.003)


def test_a_counter_that_starts_again_goes_on(tmp_path):
    counter = zone(tmp_path, "0", "package-0", 900_000, limit=1_000_000)
    meter = Energy(tmp_path)
    for now in (100_000, 600_000, 50_000):  # 0.2 J, 0.5 J, 0.45 J
        counter.write_text(str(now))
        found = meter.read()
    assert found == pytest.approx(1.15)


def test_a_counter_that_cannot_be_read_is_unknown_not_zero(tmp_path):
    assert Energy(tmp_path).read() is None
    counter = zone(tmp_path, "0", "package-0", 5)
    meter = Energy(tmp_path)
    counter.unlink()
    assert meter.read() is None
    assert Energy(tmp_path).read() is None


def test_cards_are_added_up_and_their_absence_is_unknown(monkeypatch):
    class NVMLError(Exception):
        pass

    fake = SimpleNamespace(
        NVMLError=NVMLError, nvmlInit=lambda: None, nvmlShutdown=lambda: None, nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda i: i, nvmlDeviceGetTotalEnergyConsumption=lambda i: 1500 + i * 500,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert ledger.card_joules() == pytest.approx(3.5)

    def fail():
        raise NVMLError

    monkeypatch.setattr(fake, "nvmlInit", fail)
    assert ledger.card_joules() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert ledger.card_joules() is None


def test_energy_of_both_is_added_and_said(monkeypatch, tmp_path):
    counter = zone(tmp_path / "cap", "0", "package-0", 0, limit=10**9)
    cards = iter([10.0, 14.5])
    monkeypatch.setattr(ledger, "ProcessorEnergy", lambda: Energy(tmp_path / "cap"))
    monkeypatch.setattr(ledger, "card_joules", lambda: next(cards))
    with ledger.record("train", folder=tmp_path / "ledger"):
        counter.write_text("2000000")
    table = ledger.collect(tmp_path / "ledger")
    assert table.energy_joule.tolist() == [6.5] and table.energy_of.tolist() == ["cpu+gpu"]
    assert ("energy", "0.0 kJ over 1 of 1") in ledger.totals(table)
