"""Tables of names as data sets publish them, with their traps."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import COLUMNS, write_shape
from alignparts.corpus.mesh.surface import surface_from_cloud
from alignparts.corpus.shape import Cloud, LabeledShape
from alignparts.ontology.raw import RawVocabulary, read_names

# PartNet's template: a tree with paths and kinds; the bar stands under two wholes, and "other" is both.
TREE = """dataset,class,part,parent,name,label_id,kind
PartNet,Chair,chair,,chair,1,subcomponents
PartNet,Chair,chair/chair_back,chair,chair_back,2,subcomponents
PartNet,Chair,chair/chair_back/bar,chair/chair_back,bar,3,leaf
PartNet,Chair,chair/chair_seat,chair,chair_seat,4,subtypes
PartNet,Chair,chair/chair_seat/bar,chair/chair_seat,bar,5,leaf
PartNet,Chair,chair/other,chair,other,6,subcomponents
PartNet,Chair,chair/other/other,chair/other,other,7,leaf
"""
# 3DCoMPaT's: a coarse part for every fine one, and shapes counted.
FINE = """dataset,class,part,parent,n_shapes,n_shapes_class
3DCoMPaT++,chair,chair_bar,body,20,32
3DCoMPaT++,chair,leg,leg,30,32
3DCoMPaT++,lamp,lamp_null,,4,9
"""
# One row a shape and part; a class that only has a name; a comma and a quote in a name.
SHAPES = """dataset,class,part,uid
Tiny,chair,Leg,u1
Tiny,chair,Leg,u2
Tiny,chair,Arm,u1
Tiny,chair,Leg,u2
Tiny,armor,,
Tiny,lamp,"""
SHAPES += '"shade, ""big""",u3\n'


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    paths = []
    for name, text in (("tree", TREE), ("fine", FINE), ("shapes", SHAPES)):
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
        paths.append(path)
    return paths


def test_leaves_are_parts_and_their_paths_the_hierarchy(tables: list[Path]) -> None:
    names = read_names(tables[:1])
    assert names.categories == {("PartNet", "Chair"): 0} and set(names.parts.values()) == {0}
    assert set(names.parts) == set(names.parents) and names.parents == {
        ("PartNet", "Chair", "chair/chair_back/bar"): {("chair_back",)},
        ("PartNet", "Chair", "chair/chair_seat/bar"): {("chair_seat",)},
        ("PartNet", "Chair", "chair/other/other"): {("other",)},
    }


def test_inner_nodes_on_demand(tables: list[Path]) -> None:
    parts = read_names(tables[:1], inner_nodes=True).parts
    assert len(parts) == 7 and ("PartNet", "Chair", "chair/chair_back") in parts


def test_coarse_parts_are_the_wholes_of_fine_ones(tables: list[Path]) -> None:
    names = read_names(tables[1:2])
    assert names.categories == {("3DCoMPaT++", "chair"): 32, ("3DCoMPaT++", "lamp"): 9}
    assert names.parts["3DCoMPaT++", "chair", "chair_bar"] == 20
    assert names.parents["3DCoMPaT++", "chair", "leg"] == {("leg",)}
    assert names.parents["3DCoMPaT++", "lamp", "lamp_null"] == {()}


def test_rows_of_shapes_are_counted(tables: list[Path]) -> None:
    raw = read_names(tables[2:])
    assert raw.categories == {("Tiny", "chair"): 2, ("Tiny", "armor"): 0, ("Tiny", "lamp"): 1}
    assert raw.parts == {
        ("Tiny", "chair", "Leg"): 2, ("Tiny", "chair", "Arm"): 1, ("Tiny", "lamp", 'shade, "big"'): 1,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_order_of_files_and_rows_does_not_matter(tables: list[Path], seed: int) -> None:
    expected = read_names(tables)
    rng = random.Random(seed)
    for path in tables:
        head, *rows = path.read_text().splitlines()
        rng.shuffle(rows)
        path.write_text("\n".join([head, *rows]) + "\n")
    rng.shuffle(tables)
    assert read_names([*tables, tables[0]]) == expected  # a file given twice adds nothing


def test_headers_in_capitals(tables: list[Path], tmp_path: Path) -> None:
    head, *rows = FINE.splitlines()
    capitals = head.replace("dataset,class", "Dataset, Category").replace("part,", "PART,")
    (tmp_path / "capitals.csv").write_text("\n".join([capitals, *rows]) + "\n")
    assert read_names([tmp_path / "capitals.csv"]) == read_names(tables[1:2])


def test_bad_tables(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    bad = {
        "dataset,part\nP,leg\n": "column 'class' is missing",
        "dataset,class,part\n,chair,leg\n": "names.csv:2: expected a data set and a class",
        "dataset,class,part\nP,chair,leg\nP,_,leg\n": "names.csv:3: expected a data set and a class",
        "dataset,class,part\nP,chair,/\n": "names.csv:2: part '/' has no letters",
        "dataset,class,part,n_shapes\nP,chair,leg,many\n": "names.csv:2: n_shapes is 'many'",
        "dataset,class,part,n_shapes\nP,chair,leg,-1\n": "n_shapes is '-1'",
    }
    for text, message in bad.items():
        path.write_text(text)
        with pytest.raises(AlignPartsError, match=message):
            read_names([path])
    path.write_bytes(b"dataset,class,part\nP,chair,\xff\n")
    with pytest.raises(AlignPartsError, match="not a CSV file in UTF-8"):
        read_names([path])
    with pytest.raises(AlignPartsError, match="no such file"):
        read_names([tmp_path / "absent.csv"])
    with pytest.raises(AlignPartsError, match="no names"):
        read_names([])
    with pytest.raises(AlignPartsError, match="index"):
        read_names([tmp_path])  # a folder that is no corpus


def test_a_corpus_beside_a_table(tables: list[Path], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    points = np.eye(3)
    cloud = Cloud(points, points, np.zeros((3, 3), np.uint8), np.array([0, 1, 1], np.int32))
    surface = surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance)
    for shape_id in ("a", "b"):
        shape = LabeledShape(shape_id, "ours", "Stool", "", "", ["seat", "leg"], surface, cloud)
        write_shape(corpus / "shapes", shape)
    index = pd.DataFrame({name: ["a", "b"] for name in COLUMNS})
    index.to_parquet(corpus / "index.parquet")
    names = read_names([tables[1], corpus])
    assert names.categories["ours", "Stool"] == 2 and names.categories["3DCoMPaT++", "chair"] == 32
    assert names.parts["ours", "Stool", "leg"] == 2
    assert names.parents["ours", "Stool", "leg"] == {()}


def test_the_embedded_dialects_state_a_hierarchy() -> None:
    names = RawVocabulary.of_dialects()
    assert set(names.parents) == set(names.parts)
    assert ("chair_back", "back_surface") in names.parents["partnet", "Chair", "back_soft_surface"]
