"""Writers, dialects, splits and ingestion: what is written is what is read back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import smoke
import trimesh
from areas import instance_areas

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import embedded, readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.embedded import surface_of, write_embedded
from alignparts.corpus.index import Corpus, read_shape, write_shape
from alignparts.corpus.ingest import ingest
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import make_surface
from alignparts.corpus.shape import LabeledShape, tidy
from alignparts.corpus.writers import compat, find3d, partnet
from alignparts.corpus.writers.common import unit_box, unit_sphere
from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Piece


def box(part: str, size, center, material: Material) -> Piece:
    made = trimesh.creation.box(size).apply_translation(center)
    vertices = np.asarray(made.vertices)
    return Piece(part, Mesh(vertices, np.asarray(made.faces)), material, vertices[:, :2] + vertices[:, 2:])


def table(rng: np.random.Generator) -> list[Piece]:
    """A red top, two blue legs of unlike size and a nameless bolt."""
    red = Material("red", np.full((8, 8, 3), (255, 0, 0), np.uint8), (1.0, 1.0, 1.0, 1.0), 0.0, 1.0)
    blue = Material("blue", None, (0.0, 0.0, 1.0, 1.0), 0.0, 1.0)
    height = float(rng.uniform(1, 2))
    return [
        box("top", (2, 0.2, 1), (0, height, 0), red),
        box("leg", (0.2, height, 0.2), (-0.8, height / 2, 0), blue),
        box("leg", (0.4, height, 0.4), (0.8, height / 2, 0), blue),
        box("bolt", (0.1, 0.1, 0.1), (0, 0.3, 0), blue),
    ]


DIALECT = """
{name}:
  partnet: {{category: Table}}
  compat: {{category: table}}
  find3d: {{category: dining table}}
  parts:
    top: {{partnet: table/tabletop/surface, compat: table_top, find3d: top}}
    leg: {{partnet: table/base/leg, compat: leg, find3d: leg}}
    bolt: {{partnet: null, compat: null, find3d: null}}
"""


@pytest.fixture
def generator(monkeypatch, tmp_path):
    """Two categories of hand-made tables in place of the generator's."""
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "a.yaml").write_text(DIALECT.format(name="table"))
    held = DIALECT.format(name="bench").replace("Table", "Bench").replace(": table}", ": bench}")
    (folder / "b.yaml").write_text(held.replace("dining table", "garden bench"))
    words = load_dialects(folder)
    monkeypatch.setattr(embedded, "CATEGORIES", {"table": table, "bench": table})
    monkeypatch.setattr(embedded, "generate", lambda category, rng, free_yaw: table(rng))
    monkeypatch.setattr(embedded, "load_dialects", lambda: words)
    monkeypatch.setattr("alignparts.corpus.ingest.load_dialects", lambda: words)
    return words


PARAMS = smoke.block(
    "corpus", test_per_category=2, find3d_test=1, heldout=("bench",), validation_fraction=0.2,
    embedded={
        "shapes_per_category": 6, "heldout_shapes": 2,
        "dialects": {"partnet": 0.5, "compat": 0.3, "find3d": 0.2},
    },
)  # fmt: skip


def drawing(key: str, category: str, names: list[str]) -> LabeledShape:
    return LabeledShape(key, "", category, "", "", names, surface_of(table(np.random.default_rng(0))))


def only(folder: Path) -> LabeledShape:
    ((kind, locator),) = readers.detect(folder)
    return readers.read(kind, locator)


def mean_color(shape: LabeledShape, instance: int) -> np.ndarray:
    sample = sample_surface(shape.surface, 3000, 0)
    return sample.colors[sample.instance == instance].mean(axis=0)


def test_partnet_round_trip(tmp_path):
    made = drawing("7", "Table", ["table/tabletop/surface", "table/base/leg", "table/base/leg", ""])
    partnet.write(tmp_path / "data" / "7", made, 0)
    partnet.finish(tmp_path, [("7", "Table", "train")])
    shape = only(tmp_path)
    assert shape.instances == ["surface", "leg", "leg"] and shape.category == "Table"
    expected = np.bincount(made.surface.face_part, weights=unit_sphere(made.surface).areas())
    assert instance_areas(shape) == pytest.approx(expected[:3], rel=1e-4)
    assert mean_color(shape, 0) == pytest.approx([1, 0, 0], abs=0.01)
    assert mean_color(shape, 2) == pytest.approx([0, 0, 1], abs=0.01)
    tree = json.loads((tmp_path / "data/7/result_after_merging.json").read_text())
    assert sorted(tree[0]["objs"]) == sorted(path.stem for path in (tmp_path / "data/7/objs").iterdir())
    assert {child["name"] for child in tree[0]["children"]} == {"tabletop", "base"}
    labels = np.loadtxt(tmp_path / "data/7/point_sample/label-10000.txt", dtype=int)
    points = np.loadtxt(tmp_path / "data/7/point_sample/pts-10000.txt")
    assert len(labels) == len(points) == 10_000
    assert np.linalg.norm(points, axis=1).max() <= 1 + 1e-5


def test_compat_round_trip(tmp_path):
    made = drawing("00_001", "table", ["table_top", "leg", "leg", ""])
    compat.write(tmp_path / "models" / f"{made.shape_id}.gltf", made, 0)
    compat.finish(tmp_path, ["table"], ["leg", "table_top"], [("00_001", "test")])
    shape = only(tmp_path)
    assert shape.instances == ["table_top", "leg", "leg"] and shape.category == "table"
    expected = np.bincount(made.surface.face_part, weights=unit_box(made.surface).areas())
    assert instance_areas(shape) == pytest.approx(expected[:3], rel=1e-4)
    assert (shape.surface.face_part == -1).sum() == 12
    assert mean_color(shape, 0) == pytest.approx([1, 0, 0], abs=0.03)
    assert mean_color(shape, 1) == pytest.approx([0, 0, 1], abs=0.03)
    assert np.ptp(shape.surface.vertices, axis=0).max() == pytest.approx(1)


def test_find3d_round_trip(tmp_path):
    made = drawing("dining_table_ab", "dining table", ["top", "leg", "leg", ""])
    find3d.write(tmp_path / "seenclass" / made.shape_id, made, 0)
    shape = only(tmp_path)
    assert shape.instances == ["top", "leg"] and shape.category == "dining table"
    area = np.bincount(made.surface.face_part, weights=made.surface.areas())
    share = np.bincount(shape.cloud.instance + 1) / 5000
    assert share == pytest.approx(np.array([area[3], area[0], area[1] + area[2]]) / area.sum(), abs=0.02)
    legs = shape.cloud.colors[shape.cloud.instance == 1]
    assert legs.mean(axis=0) == pytest.approx([0, 0, 255])
    assert np.linalg.norm(shape.cloud.normals, axis=1) == pytest.approx(np.ones(5000), abs=1e-5)


def test_corpus_file_keeps_parts_colors_and_precision(tmp_path):
    surface = surface_of(table(np.random.default_rng(0)))
    color = surface.corner_color.copy()
    color[24:36] = np.linspace(0, 1, 12 * 12, dtype=np.float32).reshape(12, 3, 4)
    far = replace(surface, corner_color=color, vertices=surface.vertices + np.array([1e6, 0, 0]))
    shape = tidy(LabeledShape("a_1", "partnet", "Table", "MIT", "here", ["top", "leg", "leg", ""], far))
    again = read_shape(write_shape(tmp_path, shape))
    assert again.instances == ["top", "leg", "leg"]
    assert (again.shape_id, again.category, again.license, again.source) == ("a_1", "Table", "MIT", "here")
    assert instance_areas(again) == pytest.approx(instance_areas(shape), rel=1e-5)
    assert np.bincount(again.surface.face_part + 1).tolist() == [12, 12, 12, 12]
    assert again.surface.vertices[:, 0].mean() == pytest.approx(1e6, rel=1e-6)
    for part in range(3):
        assert mean_color(again, part) == pytest.approx(mean_color(shape, part), abs=0.03)


def test_empty_and_nameless_instances_go(tmp_path):
    surface = surface_of(table(np.random.default_rng(0)))
    shape = LabeledShape("a", "d", "c", "", "s", ["top", " ", "leg", "", "never"], surface)
    kept = tidy(shape)
    assert kept.instances == ["top", "leg"]
    assert np.bincount(kept.surface.face_part + 1).tolist() == [24, 12, 12]
    with pytest.raises(AlignPartsError, match="no part with a name"):
        tidy(replace(shape, instances=[""] * 5))
    with pytest.raises(AlignPartsError, match="is of instance 3; expected below 1"):
        tidy(replace(shape, instances=["top"]))


def test_embedded_corpus_from_disk_to_index(tmp_path, generator):
    raw = tmp_path / "raw"
    trees = write_embedded(raw, PARAMS, 3)
    assert [tree.name for tree in trees] == ["partnet", "compat", "find3d"]
    corpus = ingest([raw], tmp_path / "corpus", PARAMS, seed=3).corpus
    counts = corpus.index.groupby(["dataset", "split"]).size().to_dict()
    assert counts["partnet", "test"] == counts["compat", "test"] == counts["find3d", "test"] == 1
    assert counts["partnet", "heldout"] == counts["compat", "heldout"] == 1
    assert len(corpus) == 6 + 2 + 1 + 2
    held = corpus.index[corpus.index["split"] == "heldout"]
    assert set(held["raw_category"]) == {"Bench", "bench"}
    assert set(corpus.index["license"]) == {"MIT"}
    assert pd.read_csv(tmp_path / "corpus/report.csv").empty
    names = {
        row.dataset: corpus.load(row.shape_id).part_names
        for row in corpus.index.itertuples()
        if row.split == "test"
    }
    assert names == {"partnet": ["surface", "leg"], "compat": ["table_top", "leg"], "find3d": ["top", "leg"]}
    official = json.loads((raw / "partnet/stats/train_val_test_split/Table.test.json").read_text())
    tested = corpus.index.query("dataset == 'partnet' and split == 'test'")
    assert [f"partnet_{entry['anno_id']}" for entry in official] == tested["shape_id"].tolist()


def test_embedded_corpus_is_deterministic_and_resumes(tmp_path, generator):
    first, second = tmp_path / "a", tmp_path / "b"
    for root in (first, second):
        write_embedded(root, PARAMS, 3)
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in files)
    folder = next((first / "partnet/data").iterdir())
    (folder / "meta.json").unlink()
    kept = next((first / "compat/models").iterdir()).stat().st_mtime_ns
    write_embedded(first, PARAMS, 3)
    assert next((first / "compat/models").iterdir()).stat().st_mtime_ns == kept
    write_embedded(first, PARAMS, 4)
    assert (folder / "meta.json").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(AlignPartsError, match="not empty"):
        write_embedded(tmp_path / "mine", PARAMS, 3)


def test_unknown_heldout_category_is_one_clear_error(tmp_path, generator):
    params = PARAMS.model_copy(update={"heldout": ("sofa",)})
    with pytest.raises(AlignPartsError, match=r"corpus\.heldout: 'sofa' is not a category"):
        write_embedded(tmp_path / "raw", params, 3)


def test_a_corrupt_shape_is_left_out_with_its_reason_and_ingestion_resumes(tmp_path, generator):
    raw = tmp_path / "raw"
    write_embedded(raw, PARAMS, 3)
    broken = sorted((raw / "partnet/data").iterdir())[0]
    (broken / "result.json").write_text("{nonsense")
    (sorted((raw / "find3d/seenclass").iterdir())[0] / "points5000.pcd").write_bytes(b"\xff\xfe")
    corpus = ingest([raw], tmp_path / "corpus", PARAMS).corpus
    report = pd.read_csv(tmp_path / "corpus/report.csv")
    assert len(report) == 2 and len(corpus) == 9
    assert "not JSON" in report.set_index("shape_id").loc[f"partnet_{broken.name}", "reason"]
    file = next((tmp_path / "corpus/shapes").glob("*.glb"))
    before = file.stat().st_mtime_ns
    assert len(ingest([raw], tmp_path / "corpus", PARAMS).corpus) == 9
    assert file.stat().st_mtime_ns == before
    again = ingest([tmp_path / "corpus"], tmp_path / "copy", PARAMS).corpus
    assert again.ids() == corpus.ids()
    assert set(again.index["dataset"]) == {"partnet", "compat", "find3d"}


def test_nothing_readable_and_no_corpus_are_clear_errors(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/scan.ply").write_text("ply")
    with pytest.raises(AlignPartsError, match="no shape could be read"):
        ingest([tmp_path / "raw"], tmp_path / "out", PARAMS)
    assert "without part names" in (tmp_path / "out/report.csv").read_text()
    with pytest.raises(AlignPartsError, match=r"index\.parquet: no such file"):
        Corpus(tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chair: [", "not valid YAML"),
        ("chair:\n  partnet: {category: Chair}\n  part: {}", "part"),
        ("chair:\n  partnet: {category: Chair}\n  parts: {leg: {compat: leg}}", "no name for 'partnet'"),
        ("chair:\n  parts: {leg: {compat: leg}}", "no data set has it"),
        ("chair:\n  compat: {category: c}\n  parts: {leg: {compat: null}}", "names no part at all"),
    ],
)
def test_broken_dialects_are_clear_errors(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(AlignPartsError, match=message):
        load_dialects(tmp_path)


def test_dialects_of_two_files_must_not_overlap_and_parts_must_be_listed(tmp_path):
    for name in ("x", "y"):
        (tmp_path / f"{name}.yaml").write_text("c:\n  compat: {category: c}\n  parts: {leg: {compat: leg}}")
    with pytest.raises(AlignPartsError, match=r"y\.yaml: category 'c' is already in x\.yaml"):
        load_dialects(tmp_path)
    (tmp_path / "y.yaml").unlink()
    load_dialects.cache_clear()
    words = load_dialects(tmp_path)
    assert words.part("c", "compat", "leg") == "leg" and words.datasets("c") == ["compat"]
    with pytest.raises(AlignPartsError, match="part 'arm' is not listed"):
        words.part("c", "compat", "arm")


def test_the_packages_dialects_load():
    words = load_dialects()
    assert len(words.categories) >= 3
    for category in words.categories:
        assert words.datasets(category)


def test_degenerate_and_broken_geometry_survives_a_round_trip(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [np.nan, 1, 1], [0, 0, 0]])
    surface = make_surface(
        vertices, np.array([[0, 1, 2], [0, 1, 3], [0, 4, 0]]), face_part=np.array([0, 0, -1], np.int32)
    )
    shape = LabeledShape("a", "d", "c", "", "s", ["leaf"], surface)
    again = read_shape(write_shape(tmp_path, shape))
    assert instance_areas(again) == pytest.approx([0.5])
