"""The README is filled from tables; what the paper prints agrees with itself."""

import json

import pandas as pd
import pytest

from alignparts.core import paths
from alignparts.core.atomic import write_text
from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from alignparts.core.run import Run
from alignparts.evaluation import tables
from alignparts.report import readme


def test_fill_replaces_between_the_markers_and_nothing_else(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- t -->\nold\n<!-- /t -->\nafter\n")
    for text in ("| a |\n", "| a |"):
        readme.fill(page, "t", text)
        assert page.read_text() == "before\n<!-- t -->\n| a |\n<!-- /t -->\nafter\n"


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
    ratios = pd.DataFrame(
        [("all", "brush", 4.0, 3.0, 5.0, 5), ("seen", "brush", 3.0, 2.5, 3.5, 3)],
        columns=["test_set", "start", "value", "low", "high", "n"],
    )
    promise = pd.DataFrame(
        {"promised error": [0.2], "certainty": [0.98], "mean error": [0.125], "kept": [97], "splits": [100],
         "accepted parts": [0.5]}
    )  # fmt: skip
    gain = pd.DataFrame(
        [
            (arm, test_set, metric, value, value, value, 24)
            for arm, value in (("before", 0.25), ("new shapes, reviewed", 0.5))
            for test_set, metric in (("unseen", "mIoU"), ("unseen", "LA-mIoU"), ("seen", "LA-mIoU"))
        ],
        columns=["method", "test_set", "metric", "value", "low", "high", "n"],
    )
    table = readme.texparts_table(ratios, promise, gain)
    values = table["value [95%], n"].tolist()
    assert values[0] == "3.0 [2.5, 3.5], 3"
    assert values[1] == "12.5%, kept in 97 of 100 random splits; 50% of the parts accepted"
    assert values[2:] == ["0.250 [0.250, 0.250] → 0.500 [0.500, 0.500], 24"] * 3


def test_only_the_pipeline_fills_the_readme(tmp_path, monkeypatch):
    reports, page = tmp_path / "reports", tmp_path / "README.md"
    run = Run("report", load_params(), tmp_path, tmp_path, reports)
    page.write_text("<!-- table2 -->\n<!-- /table2 -->\n")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert readme.fill_all(run) == [] and "| method |" not in page.read_text()
    monkeypatch.setattr(paths, "REPORTS", reports)
    row = {"method": "A", "test_set": "compat", "metric": "mIoU", "value": 0.5, "low": 0.4, "high": 0.6}
    tables.write_table(reports / "evaluate", "table2", pd.DataFrame([row | {"n": 3}]))
    metrics = dict.fromkeys(("gain_over_clustering", "gain_low", "gain_high", "category_accuracy"), 0.1)
    write_text(reports / "metrics" / "evaluate.json", json.dumps(metrics | {"seen_shapes": 3}))
    assert readme.fill_all(run) == ["table2"], "a part without markers is left out"
    assert "| A | 0.500 / – |" in page.read_text()
