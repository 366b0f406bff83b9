"""README and site are filled from tables, whole and escaped."""

import json

import pandas as pd
import pytest

from alignparts import paths, report
from alignparts.errors import AlignPartsError


def test_fill_replaces_between_the_markers_and_nothing_else(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- t -->\nold\n<!-- /t -->\nafter\n")
    assert report.fill(page, "t", "| a |\n")
    assert page.read_text() == "before\n<!-- t -->\n| a |\n<!-- /t -->\nafter\n"
    assert not report.fill(page, "t", "| a |"), "filling twice changes nothing"


def test_fill_names_the_missing_marker(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("no markers")
    with pytest.raises(AlignPartsError, match="README.md.*<!-- t -->"):
        report.fill(page, "t", "x")


def test_a_name_with_markup_stays_text():
    table = report.table_html(pd.DataFrame({"part": ["<script>alert(1)</script>"]}))
    page = report.page("<b>title</b>", [("<i>", table)])
    assert "<script>" not in page
    assert "<b>" not in page and "<i>" not in page


def test_readme_shows_the_committed_table_and_nothing_else():
    committed = paths.TABLES / "table2.csv"
    table = report.main_table(pd.read_csv(committed)) if committed.is_file() else ""
    shown = (paths.ROOT / "README.md").read_text().split("<!-- table2 -->")[1].split("<!-- /table2 -->")[0]
    assert shown.strip() == table


def test_main_table_has_a_row_a_method_and_an_interval_for_the_average():
    columns = ["method", "test_set", "metric", "value", "low", "high", "n"]
    rows = [
        ("A", "compat", "mIoU", 0.5, 0.4, 0.6, 3),
        ("A", "compat", "LA-mIoU", 0.25, 0.2, 0.3, 3),
        ("A", "average", "mIoU", 0.5, 0.4, 0.6, 3),
        ("B", "compat", "mIoU", 0.125, 0.1, 0.2, 3),
    ]
    lines = report.main_table(pd.DataFrame(rows, columns=columns)).splitlines()
    assert lines[0] == "| method | compat (3) | average (3) |"
    assert lines[2] == "| A | 0.500 / 0.250 | 0.500 [0.400, 0.600] / – |"
    assert lines[3] == "| B | 0.125 / – | – |"


def test_the_paper_numbers_average_as_printed():
    paper = pd.read_csv(paths.RESOURCES / "paper_table2.csv")
    wide = paper.pivot_table(index=["method", "metric"], columns="test_set", values="value")
    means = wide[["compat", "find3d", "partnet"]].mean(axis=1)
    assert (means - wide["average"]).abs().max() < 1.1e-3


def test_metrics_are_json_objects():
    for path in paths.METRICS.glob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict)
