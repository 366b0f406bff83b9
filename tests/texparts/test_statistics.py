"""Statistics of an export with known counts, and what is said of a folder that is none."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from review_store import replay, write_box
from typer.testing import CliRunner

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Add, Category, Delete, Edit, Rename
from texparts.cli.app import app
from texparts.export.export import export_dataset
from texparts.export.statistics import (
    BOOTSTRAP,
    QUARTILES,
    Dataset,
    annotator_table,
    category_table,
    license_table,
    part_table,
    read_dataset,
    rejected_table,
    summary_table,
)
from texparts.export.statistics_report import draw_categories, draw_parts, draw_seconds, write_statistics
from texparts.review.models import Agreement, Opinion, Submitted

ODD = "<script>alert(1)</script> | $x"


def handed_in(root: Path, object_id: str, people: tuple[str, ...], seconds: float, *edits: Edit) -> Submitted:
    annotation = replay(write_box(root, object_id).prediction(), edits)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    each = seconds / len(people)
    opinions = tuple(Opinion(name, "done", "", each, len(edits), False, at) for name in people)
    agreed = Agreement(0.9, 0.8, 0.7, 0.6) if len(people) > 1 else None
    category = annotation.category
    return Submitted(object_id, category, annotation, people, seconds, "done", "", agreed, opinions)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four objects, of which one is rejected and one has two opinions; the lid is 2 faces, the body 8."""
    objects = [
        handed_in(tmp_path, "a", ("Ann",), 60.0),
        handed_in(
            tmp_path, "b", ("Ann", "Bo"), 240.0, Rename(part=0, name=ODD), Add(name="lid", faces=(10, 2))
        ),
        handed_in(tmp_path, "c", ("Bo",), 180.0, Category(category="lamp"), Delete(part=1)),
    ]
    bad = handed_in(tmp_path, "d", ("Ann",), 5.0)
    objects.append(replace(bad, status="rejected", note="two objects in one"))
    about = tmp_path / "objects" / "b" / "about.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"license": "CC0"}))
    return read_dataset(export_dataset(objects, tmp_path, tmp_path / "out").folder)


def test_known_counts(dataset: Dataset) -> None:
    table = summary_table(dataset).set_index("measure")
    expected = {
        "objects": 3, "objects rejected": 1, "objects that could not be written": 0, "categories": 2,
        "parts": 6, "part names": 3, "annotators": 2, "parts an object": 2,
        "share of faces without a part": (2 + 0 + 10) / 36,
        "edits an object": 2, "seconds an opinion": 120, "seconds an opinion, mean": 120,
        "objects with several opinions": 1, "agreement: same": 0.9, "agreement: la_miou": 0.6,
        "times faster than 15 min from scratch": 7.5, "times faster than 25 min from scratch": 12.5,
    }  # fmt: skip
    for measure, value in expected.items():
        assert table.value[measure] == pytest.approx(value, abs=1e-4), measure
    assert table.n["agreement: kappa"] == 1
    assert (table.low["seconds an opinion"], table.high["seconds an opinion"]) == (90, 150)
    spread = table[table.range != ""]
    assert (spread.low <= spread.value).all() and (spread.value <= spread.high).all()
    assert set(spread.range) == {BOOTSTRAP, QUARTILES}
    mean = table.loc["seconds an opinion, mean"]
    faster = table.loc["times faster than 15 min from scratch"]
    assert faster.low == pytest.approx(900 / mean.high, abs=1e-3) and mean.low < 120 < mean.high


def test_tables(dataset: Dataset) -> None:
    assert category_table(dataset).values.tolist() == [
        ["box", 2, 2.5, 1.0, 90.0],
        ["lamp", 1, 1.0, 2.0, 180.0],
    ]
    parts = part_table(dataset).set_index("name")
    assert parts.loc["lid", ["parts", "objects", "categories"]].tolist() == [3, 3, 2]
    assert parts.area["lid"] == pytest.approx(2 / 12, abs=1e-4)
    assert parts.parts.to_dict() == {"lid": 3, "body": 2, ODD: 1}
    who = annotator_table(dataset)
    assert who[["annotator", "opinions", "final"]].values.tolist() == [
        ["annotator-1", 2, 2],
        ["annotator-2", 2, 1],
    ]
    assert who.share.sum() == pytest.approx(1)
    assert license_table(dataset).values.tolist() == [["not stated", 2], ["CC0", 1]]
    assert rejected_table(dataset).values.tolist() == [["two objects in one", 1]]


def test_parts_add_up_to_the_index(dataset: Dataset) -> None:
    per_object = dataset.parts.groupby("object_id")
    objects = dataset.objects.set_index("object_id")
    assert per_object.size().to_dict() == objects.parts.to_dict()
    labeled = objects.faces - objects.unlabeled_faces
    assert per_object.faces.sum().to_dict() == labeled.to_dict()


def test_one_object_and_nothing_to_compare(tmp_path: Path) -> None:
    one = handed_in(tmp_path, "a", ("Ann",), 0.0, Delete(part=0), Delete(part=1))
    found = read_dataset(export_dataset([one], tmp_path, tmp_path / "out").folder)
    table = summary_table(found).set_index("measure")
    assert table.value["objects with several opinions"] == 0 and table.value["parts"] == 0
    assert not any("agreement" in name or "faster" in name for name in table.index)
    for draw in (draw_categories, draw_parts, draw_seconds):
        draw(found).savefig(tmp_path / "any.png")


def test_files_are_the_same_each_time_and_names_stay_text(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_statistics(dataset, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"summary.csv", "parts.md", "categories.png", "parts.png", "seconds.png"} <= set(files)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    shown = (tmp_path / "one" / "parts.md").read_text()
    assert "<script" not in shown and r"&lt;script&gt;alert(1)&lt;/script&gt; \| $x" in shown
    kept = pd.read_csv(tmp_path / "one" / "parts.csv")
    assert ODD in kept.name.tolist()


def test_what_is_no_export_is_named(dataset: Dataset, tmp_path: Path) -> None:
    out = dataset.folder
    with pytest.raises(AlignPartsError, match="not an exported data set"):
        read_dataset(tmp_path)
    with pytest.raises(AlignPartsError, match="scratch_minutes"):
        summary_table(dataset, scratch_minutes=(5.0, 2.0))
    (out / "rejected.csv").write_text("a,b\n")
    with pytest.raises(AlignPartsError, match=r"rejected\.csv: expected the columns object_id, note"):
        read_dataset(out)
    labels = out / "objects" / "a" / "labels.json"
    for content in ("{", "[]", '{"parts": [{}], "review": {"agreement": null}}'):
        labels.write_text(content)
        with pytest.raises(AlignPartsError, match=r"labels\.json: not the labels"):
            read_dataset(out)
    labels.unlink()
    with pytest.raises(AlignPartsError, match="cannot be read"):
        read_dataset(out)
    pd.read_parquet(out / "index.parquet").drop(columns="edits").to_parquet(out / "index.parquet")
    with pytest.raises(AlignPartsError, match="no column 'edits'"):
        read_dataset(out)
    (out / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(AlignPartsError, match=r"index\.parquet: cannot be read"):
        read_dataset(out)


def test_the_command(dataset: Dataset, tmp_path: Path) -> None:
    command = ["statistics", str(dataset.folder), "--out", str(tmp_path / "statistics")]
    result = CliRunner().invoke(app, [*command, "--scratch-minutes", "4", "4"])
    assert result.exit_code == 0, result.output
    assert "objects: 3\n" in result.output and "times faster than 4 min from scratch: 2 [" in result.output
    assert np.isclose(pd.read_csv(tmp_path / "statistics" / "summary.csv").value[0], 3)
