"""Results read back for a page: every node with what the labels say of it, and what is wrong with others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from named_result import MARKUP, write_result

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.view.result import read_results


def test_rows_are_the_nodes_with_what_the_labels_say(tmp_path):
    (result,) = read_results(write_result(tmp_path))
    header, _ = split_container(result.glb, "chair")
    assert [row.name for row in result.rows] == ["leg", "leg_1", "leg_2", MARKUP, "seat", "unlabeled"]
    assert [header["nodes"][row.node]["name"] for row in result.rows] == [row.name for row in result.rows]
    assert [row.parent for row in result.rows] == [-1, 0, 0, -1, -1, -1]
    assert [row.confidence for row in result.rows] == [0.9, 0.9, 0.9, 0.7, 0.3, None]
    assert [row.needs_review for row in result.rows] == [False] * 4 + [True, False]
    assert {row.position for row in result.rows[1:3]} == {"left", "right"}
    assert sum(row.area for row in result.rows if row.parent < 0) == pytest.approx(1)
    assert [row.area for row in result.rows] == pytest.approx([0.4, 0.2, 0.2, 0.2, 0.2, 0.2])
    assert len({row.color for row in result.rows if row.name != "leg_1"}) == 5
    assert (result.name, result.input, result.category) == ("chair", "chair.glb", "chair")


def test_a_result_is_found_by_its_folder_its_files_and_the_folder_above(tmp_path):
    one = write_result(tmp_path / "b", "chair")
    write_result(tmp_path / "a", "stool", instances=False)
    (result,) = read_results(one)
    assert read_results(one / "labels.json") == read_results(one / "chair.parts.glb") == [result]
    assert [found.name for found in read_results(tmp_path)] == ["stool", "chair"]


def drop_glb(folder: Path) -> None:
    (folder / "chair.parts.glb").unlink()


def cut_glb(folder: Path) -> None:
    (folder / "chair.parts.glb").write_bytes((folder / "chair.parts.glb").read_bytes()[:-9])


def of_another_run(folder: Path) -> None:
    labels = (folder / "labels.json").read_text()
    write_result(folder, instances=False)
    (folder / "labels.json").write_text(labels)


def rename(folder: Path) -> None:
    labels = json.loads((folder / "labels.json").read_text())
    labels["parts"][2]["name"] = "lid"
    (folder / "labels.json").write_text(json.dumps(labels))


def of_another_program(folder: Path) -> None:
    (folder / "labels.json").write_text('{"0": "chair"}')


def without_confidence(folder: Path) -> None:
    labels = json.loads((folder / "labels.json").read_text())
    del labels["parts"][1]["confidence"]
    (folder / "labels.json").write_text(json.dumps(labels))


WRONG = [
    (drop_glb, "chair.parts.glb: No such file"),
    (cut_glb, "chair.parts.glb: not a glTF file"),
    (of_another_run, "chair.parts.glb: its nodes are not the parts of"),
    (rename, "chair.parts.glb: its nodes are not the parts of"),
    (of_another_program, "labels.json: schema: Field required; expected labels of alignparts name"),
    (without_confidence, "labels.json: parts.1.confidence: Field required"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG, ids=[spoil.__name__ for spoil, _ in WRONG])
def test_what_is_wrong_is_named_with_its_file(tmp_path, spoil: Callable[[Path], None], message: str):
    spoil(write_result(tmp_path))
    with pytest.raises(AlignPartsError) as raised:
        read_results(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}/{message}")


def test_no_result_and_one_that_another_mesh_took_the_place_of(tmp_path):
    with pytest.raises(AlignPartsError, match=f"{tmp_path}: no labels.json .*alignparts name MESH --out"):
        read_results(tmp_path)
    with pytest.raises(AlignPartsError, match=f"{tmp_path}/labels.json: No such file"):
        read_results(tmp_path / "chair.parts.glb")
    write_result(tmp_path, "stool")
    write_result(tmp_path, "chair")
    with pytest.raises(AlignPartsError, match="stool.parts.glb: .*labels.json is that of chair.glb"):
        read_results(tmp_path / "stool.parts.glb")
