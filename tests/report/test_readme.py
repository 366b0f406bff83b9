"""The README is filled from tables; what the paper prints agrees with itself."""

import json

import pandas as pd
import pytest

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.report import readme


def test_fill_replaces_between_the_markers_and_nothing_else(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- t -->\nold\n<!-- /t -->\nafter\n")
    assert readme.fill(page, "t", "| a |\n")
    assert page.read_text() == "before\n<!-- t -->\n| a |\n<!-- /t -->\nafter\n"
    assert not readme.fill(page, "t", "| a |"), "filling twice changes nothing"


def test_fill_names_the_missing_marker(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("no markers")
    with pytest.raises(AlignPartsError, match="README.md.*<!-- t -->"):
        readme.fill(page, "t", "x")


def test_readme_shows_the_committed_table_and_nothing_else():
    committed = paths.REPORTS / "evaluate" / "table2.csv"
    table = readme.main_table(pd.read_csv(committed)) if committed.is_file() else ""
    assert between("table2") == table


def test_readme_says_what_the_committed_metrics_say():
    metrics = json.loads((paths.REPORTS / "metrics" / "evaluate.json").read_text())
    said = between("findings")
    assert said == readme.findings(metrics)
    assert f"{metrics['gain_over_clustering']:+.1%}" in said and str(metrics["seen_shapes"]) in said


def between(name: str) -> str:
    """What the README shows between two markers."""
    page = (paths.ROOT / "README.md").read_text()
    return page.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip()


def test_main_table_has_a_row_a_method_and_an_interval_for_the_average():
    columns = ["method", "test_set", "metric", "value", "low", "high", "n"]
    rows = [
        ("A", "compat", "mIoU", 0.5, 0.4, 0.6, 3),
        ("A", "compat", "LA-mIoU", 0.25, 0.2, 0.3, 3),
        ("A", "average", "mIoU", 0.5, 0.4, 0.6, 3),
        ("B", "compat", "mIoU", 0.125, 0.1, 0.2, 3),
    ]
    lines = readme.main_table(pd.DataFrame(rows, columns=columns)).splitlines()
    assert lines[0] == "| method | compat (3) | average (3) |"
    assert lines[2] == "| A | 0.500 / 0.250 | 0.500 [0.400, 0.600] / – |"
    assert lines[3] == "| B | 0.125 / – | – |"


@pytest.mark.parametrize("name", ["paper_table2", "paper_table3", "paper_table4"])
def test_the_paper_numbers_average_as_printed(name):
    """Each printed average is the mean of its three printed numbers, up to their third decimal."""
    paper = pd.read_csv(paths.RESOURCES / f"{name}.csv")
    wide = paper.pivot_table(index=["method", "metric"], columns="test_set", values="value")
    off = (wide[["compat", "find3d", "partnet"]].mean(axis=1) - wide["average"]).abs()
    assert len(off) and off.max() < 1.1e-3


def test_rows_that_the_paper_prints_twice_agree():
    second, third = (pd.read_csv(paths.RESOURCES / f"paper_table{n}.csv") for n in (2, 3))
    both = second.merge(third, on=["method", "test_set", "metric"])
    assert set(both.method) == {"ALIGN-Parts", "PartField+MPNet"}
    assert (both.value_x == both.value_y).all()


def test_metrics_are_json_objects():
    for path in (paths.REPORTS / "metrics").glob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict)


def test_the_texparts_table_says_what_its_tables_say():
    names = ("texparts/effort_ratios", "confidence/promise", "loop/retrain")
    ratios, promise, gain = (pd.read_csv(paths.REPORTS / f"{name}.csv") for name in names)
    text = readme.texparts_table(ratios, promise, gain)
    value = ratios[(ratios.start == "scratch") & (ratios.test_set == "seen")].value.iloc[0]
    assert f"{value:.1f} [" in text and f"promised ≤ {promise['promised error'].iloc[0]:.0%}" in text
