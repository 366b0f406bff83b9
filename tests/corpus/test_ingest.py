"""The command `alignparts ingest`: what it makes, what it leaves out, what it refuses, and how it goes on."""

import csv
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import trimesh
from load import bench_ingest

from alignparts.cli import app
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import ingest as module
from alignparts.corpus import readers
from alignparts.corpus.index import Corpus
from alignparts.corpus.ingest import Source, ingest
from alignparts.corpus.mesh.surface import make_surface
from alignparts.corpus.readers import BrokenLabels, detect, kinds, scan
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.readers.kinds import DATA_SETS
from alignparts.corpus.shape import LabeledShape
from alignparts.corpus.splits import paper_sizes

PAPER = paper_sizes()
UID = "0123456789abcdef" * 2


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; returns exit code, stdout, the last line of stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["alignparts", "ingest", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            app.main()
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err.rpartition("\r")[2]

    return command


def annotation(root: Path, key: int, size: float = 1.0, model: str = "", category: str = "Chair") -> Path:
    """A PartNet annotation of a seat and a leg; its shape depends on ``size``."""
    folder = root / "data" / str(key)
    (folder / "objs").mkdir(parents=True)
    meta = {"model_id": model or f"model{key}", "anno_id": str(key), "model_cat": category}
    (folder / "meta.json").write_text(json.dumps(meta))
    leaves = [{"id": i, "name": name, "objs": [name]} for i, name in enumerate(("seat", "leg"))]
    (folder / "result.json").write_text(json.dumps([{"id": 9, "name": "chair", "children": leaves}]))
    for part, extents in (("seat", (1, 0.1, size)), ("leg", (0.1, size, 0.1))):
        box = trimesh.creation.box(extents).apply_translation([0, -size if part == "leg" else 0, 0])
        (folder / "objs" / f"{part}.obj").write_text(box.export(file_type="obj", include_normals=False))
    return folder


def partnet(root: Path, count: int = 6) -> Path:
    for key in range(count):
        annotation(root, key, 1 + key / 5)
    return root


def cloud(root: Path, uid: str = "0123abcd") -> Path:
    folder = root / "seenclass" / f"tea_pot_{uid}"
    folder.mkdir(parents=True)
    points = np.random.default_rng(0).random((20, 3)).astype("<f4")
    head = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 20\nPOINTS 20\nDATA binary\n"
    (folder / "points5000.pcd").write_bytes(head.encode() + points.tobytes())
    np.save(folder / "labels.npy", np.arange(20) % 3)
    (folder / "label_map.json").write_text('{"1": "lid", "2": "body"}')
    return root


def named(path: Path, names: tuple[str, ...] = ("lid", "pot"), size: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = trimesh.Scene()
    for number, name in enumerate(names):
        box = trimesh.creation.box((1, size, 1)).apply_translation([0, 2 * number, 0])
        scene.add_geometry(box, node_name=name, geom_name=name)
    scene.export(path)
    return path


def styled_clouds(root: Path) -> Path:
    """3DCoMPaT++'s clouds: two shapes, one of them in two styles."""
    root.mkdir(parents=True)
    keys = ["00_001", "00_001", "00_002"]
    with h5py.File(root / "train_fine.hdf5", "w") as file:
        file["points"] = np.random.default_rng(0).random((3, 40, 6), dtype=np.float32)
        file["points_part_labels"] = np.arange(120, dtype=np.uint16).reshape(3, 40) % 2
        file["shape_id"] = np.array(keys, "S6")
        file["style_id"] = np.array(["s1", "s2", "s1"], "S6")
        file["shape_label"] = np.zeros(3, np.uint8)
    (root / "metadata").mkdir()
    (root / "metadata/parts_fine.json").write_text('["leg", "top"]')
    (root / "metadata/classes.json").write_text('["table"]')
    return root


def objaverse_tiny(root: Path) -> Path:
    named(root / f"PartObjaverse-Tiny_mesh/{UID}.glb")
    (root / "PartObjaverse-Tiny_semantic.json").write_text(json.dumps({"Food": {UID: ["crust", "top"]}}))
    (root / "PartObjaverse-Tiny_semantic_gt").mkdir()
    np.save(root / f"PartObjaverse-Tiny_semantic_gt/{UID}.npy", np.arange(24) % 2)
    return root


def texverse(root: Path) -> Path:
    named(root / f"glbs/glbs_1k/000-000/{UID}_1024.glb", size=3.0)
    return root


def labeled(root: Path) -> Path:
    named(root / "pot.glb", size=5.0)
    np.save(root / "pot.face_labels.npy", np.arange(24) // 12)
    (root / "pot.names.json").write_text('["lid", "pot"]')
    return root


OTHERS = {
    "compat_hdf5": (styled_clouds, "compat", 3),
    "partobjaverse": (objaverse_tiny, "partobjaverse", 1),
    "texverse": (texverse, "texverse", 1),
    "labeled_mesh": (labeled, "labeled_mesh", 1),
}


def report_of(out: Path) -> dict[str, str]:
    return pd.read_csv(out / "report.csv").set_index("shape_id")["reason"].to_dict()


def files_of(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


# --- what it makes ---------------------------------------------------------------------------------------


def test_a_folder_becomes_a_corpus_and_the_run_one_line(run, tmp_path):
    code, out, _ = run("partnet", partnet(tmp_path / "pn"), "--out", tmp_path / "out")
    assert code == 0
    assert out.startswith("6 shapes read, 0 left out, 1 categories, 12 parts in ")
    assert out.count("\n") == 1
    corpus = Corpus(tmp_path / "out")
    assert corpus.load("partnet_3").instances == ["seat", "leg"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "duplicates.csv", "geometry.parquet", "index.parquet", "ingest.json", "leakage.csv", "report.csv",
        "shapes", "splits",
    ]  # fmt: skip
    tested = (tmp_path / "out/splits/test.txt").read_text().split()
    assert tested == sorted(corpus.ids("test")) and len(tested) == 3
    assert pd.read_parquet(tmp_path / "out/geometry.parquet")["shape_id"].tolist() == corpus.ids()


def test_processes_and_seed_change_nothing_but_the_split(tmp_path):
    source = partnet(tmp_path / "pn", 12)
    one = ingest([Source(source, "partnet")], tmp_path / "a", PAPER)
    two = ingest([source], tmp_path / "b", PAPER, workers=2)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    other = ingest([source], tmp_path / "c", PAPER, seed=1)
    assert one.corpus.ids("test") == two.corpus.ids("test") != other.corpus.ids("test")


def test_several_folders_and_a_mixture(run, tmp_path):
    partnet(tmp_path / "pn", 4)
    cloud(tmp_path / "f3")
    named(tmp_path / "mine/pot.glb")
    code, out, _ = run("auto", tmp_path / "pn", tmp_path / "f3", tmp_path / "mine", "--out", tmp_path / "out")
    assert code == 0 and out.startswith("6 shapes read")
    counts = Corpus(tmp_path / "out").index["dataset"].value_counts().to_dict()
    assert counts == {"partnet": 4, "find3d": 1, "named_glb": 1}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_is_found_by_itself_and_refused_as_another(run, tmp_path, kind):
    make, dataset, count = OTHERS[kind]
    source = make(tmp_path / "source")
    for given in (kind, "auto"):
        code, _, err = run(given, source, "--out", tmp_path / given)
        assert code == 0, err
        assert Corpus(tmp_path / given).index["dataset"].tolist() == [dataset] * count
    code, _, err = run("partnet", source, "--out", tmp_path / "none")
    assert code == 2 and f"no shape of kind partnet; it looks like {kind}" in err


def test_styles_of_one_shape_stay_together_and_one_asset_is_known_in_two_data_sets(tmp_path):
    styled_clouds(tmp_path / "all/a")
    objaverse_tiny(tmp_path / "all/b")
    texverse(tmp_path / "all/c")
    done = ingest([tmp_path / "all"], tmp_path / "out", PAPER)
    index = done.corpus.index.set_index("shape_id")
    assert index.loc[f"texverse_{UID}", "split"] == "unlabeled"
    assert index.loc[f"texverse_{UID}", "parts"] == 0
    tested = index[index["split"] == "test"]
    assert len(tested) == 1
    groups = [sorted(rows["shape_id"]) for _, rows in done.groups.groupby("group")]
    assert groups == [
        ["compat_points_00_001__s1", "compat_points_00_001__s2"],
        [f"partobjaverse_{UID}", f"texverse_{UID}"],
    ]
    styles = set(index.loc[["compat_points_00_001__s1", "compat_points_00_001__s2"], "split"])
    assert styles == {"test", "duplicate"} or len(styles - {"test"}) == 1 == len(styles)


def test_options_reach_the_reader(run, tmp_path, monkeypatch):
    seen = []
    real = readers.KINDS["partnet"]
    monkeypatch.setitem(
        readers.KINDS, "partnet", lambda locator: seen.append(locator.options) or real(locator)
    )
    source = partnet(tmp_path / "pn", 2)
    run("partnet", source, "--out", tmp_path / "out", "--tree", "merged", "--level", 2, "--geometry",
        "points", "--granularity", "coarse")  # fmt: skip
    assert seen[0] == readers.ReadOptions("merged", 2, "points", "coarse")


def test_shapes_are_found_one_by_one(tmp_path, monkeypatch):
    """Asking for the first of many shapes opens the folders on the way to it only."""
    partnet(tmp_path / "pn", 30)
    opened = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: opened.append(path) or real(path))
    found = scan(tmp_path)
    assert next(found)[1].shape_id == "partnet_0"
    assert len(opened) == 4
    assert 1 + sum(1 for _ in found) == 30


class Own:
    """A data set whose top folder holds a file "own.txt" with a line a shape: id, split, names."""

    def is_root(self, folder: Path, names: Collection[str]) -> bool:
        return (folder / "own.txt").is_file()

    def locate(self, root: Path):
        for line in (root / "own.txt").read_text().splitlines():
            key, split, _ = line.split(";")
            if not key:
                raise BrokenLabels(f"{root / 'own.txt'}: line 2: no id; expected id;split;names")
            yield Locator(root / key, root, f"own_{key}", split=split, reason="unused" if key == "z" else "")

    def read(self, locator: Locator) -> LabeledShape:
        lines = (locator.root / "own.txt").read_text().splitlines()
        names = next(line.split(";")[2] for line in lines if line.startswith(locator.path.name)).split(",")
        if names == ["broken"]:
            raise BrokenLabels(f"{locator.root / 'names.json'}: line 3: expected a list of names")
        box = trimesh.creation.box((1, 1, 1 + ord(locator.path.name) % 7))
        names = [name for name in names if name]
        surface = make_surface(box.vertices, box.faces, face_part=np.full(12, 0 if names else -1))
        return LabeledShape(locator.shape_id, "own", "cup", "", str(locator.path), names, surface)


@pytest.fixture
def own(monkeypatch, tmp_path):
    made = Own()
    monkeypatch.setitem(DATA_SETS, "own", made)
    monkeypatch.setitem(readers.KINDS, "own", made.read)
    root = tmp_path / "own"
    root.mkdir()
    return root


def test_official_splits_are_kept_beside_the_drawn_ones(own, tmp_path):
    (own / "own.txt").write_text("a;train;cup\nb;test;cup\nc;;cup\nz;test;cup\n")
    done = ingest([own], tmp_path / "out", PAPER)
    official = done.corpus.index.set_index("shape_id")["official_split"].to_dict()
    assert official == {"own_a": "train", "own_b": "test", "own_c": ""}
    assert report_of(tmp_path / "out")["own_z"].endswith("own/z: unused")
    again = ingest([tmp_path / "out"], tmp_path / "copy", PAPER)
    assert again.corpus.index.set_index("shape_id")["official_split"].to_dict() == official


def test_shapes_without_labels_are_in_no_split_that_is_used(own, tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "UNLABELED", frozenset({"own"}))
    (own / "own.txt").write_text("a;;cup\nb;;\n")
    done = ingest([own], tmp_path / "out", PAPER)
    split = done.corpus.index.set_index("shape_id")["split"].to_dict()
    assert split["own_b"] == "unlabeled" and split["own_a"] in ("train", "validation")
    bare = done.corpus.load("own_b")
    assert bare.instances == [] and (bare.surface.face_part == -1).all()
    monkeypatch.setattr(kinds, "UNLABELED", frozenset())
    ingest([own], tmp_path / "strict", PAPER)
    assert "no part with a name" in report_of(tmp_path / "strict")["own_b"]


# --- copies ----------------------------------------------------------------------------------------------


def key_of_a_tested_one(source: Path, out: Path) -> str:
    """Number of a tested annotation."""
    return ingest([source], out, PAPER).corpus.ids("test")[0].rpartition("_")[2]


def test_a_copy_of_a_tested_shape_leaves_training(run, tmp_path):
    source = partnet(tmp_path / "pn", 12)
    key = key_of_a_tested_one(source, tmp_path / "first")
    named(tmp_path / "glb/other.glb", size=7.0)
    mesh = trimesh.util.concatenate(
        [trimesh.load(p) for p in sorted((source / f"data/{key}/objs").iterdir())]
    )
    mesh.apply_scale(10)
    trimesh.Scene({"everything": mesh}).export(tmp_path / "glb/copy.glb")
    code, out, _ = run("auto", source, tmp_path / "glb", "--out", tmp_path / "out")
    assert code == 0
    assert "duplicates: 2 shapes in 1 group, 1 across data sets" in out
    assert "leakage: 1 groups lay in several splits, 1 shapes taken out of training" in out
    corpus = Corpus(tmp_path / "out")
    split = corpus.index.set_index("shape_id")["split"]
    assert split[f"partnet_{key}"] == "test" and split["named_glb_copy"] == "duplicate"
    assert (tmp_path / "out/splits/duplicate.txt").read_text() == "named_glb_copy\n"
    rows = list(csv.DictReader((tmp_path / "out/leakage.csv").open()))
    assert [
        (row["shape_id"], row["drawn"], row["split"]) for row in rows if row["dataset"] == "named_glb"
    ] in [[("named_glb_copy", drawn, "duplicate")] for drawn in ("train", "validation")]
    why = pd.read_csv(tmp_path / "out/duplicates.csv").set_index("shape_id")
    assert why["why"].tolist() == ["geometry"] * 2 and why.loc["named_glb_copy", "split"] == "duplicate"
    run("auto", source, tmp_path / "glb", "--out", tmp_path / "kept", "--keep-duplicates")
    kept = Corpus(tmp_path / "kept").index.set_index("shape_id")["split"]
    assert kept["named_glb_copy"] in ("train", "validation")
    assert len(pd.read_csv(tmp_path / "kept/leakage.csv")) == 2


def test_the_partnet_mobility_twin_of_a_tested_annotation_leaves_training(tmp_path):
    source = partnet(tmp_path / "pn", 12)
    key = key_of_a_tested_one(source, tmp_path / "first")
    twin = tmp_path / "pm" / key
    shutil.copytree(source / "data" / key, twin)
    (twin / "objs").rename(twin / "textured_objs")
    (twin / "meta.json").write_text(json.dumps({"model_id": "other", "anno_id": key, "model_cat": "Chair"}))
    (twin / "textured_objs/leg.obj").write_text((source / "data/1/objs/seat.obj").read_text())
    stranger = tmp_path / "pm" / f"{100_000 + int(key)}"
    shutil.copytree(source / "data/0", stranger)
    (stranger / "objs").rename(stranger / "textured_objs")
    (stranger / "meta.json").write_text(json.dumps({"model_id": "new", "anno_id": key, "model_cat": "Chair"}))
    (stranger / "textured_objs/leg.obj").write_text((source / "data/5/objs/seat.obj").read_text())
    done = ingest([source, tmp_path / "pm"], tmp_path / "out", PAPER)
    split = done.corpus.index.set_index("shape_id")["split"]
    assert split[f"partnet_{key}"] == "test" and split[f"partnet_mobility_{key}"] == "duplicate"
    assert split[f"partnet_mobility_{100_000 + int(key)}"] != "duplicate"
    assert set(done.leaks["shape_id"]) == {f"partnet_{key}", f"partnet_mobility_{key}"}


# --- what it leaves out ----------------------------------------------------------------------------------


def test_corrupt_shapes_are_left_out_with_their_reason(run, tmp_path):
    source = partnet(tmp_path / "all/pn")
    (source / "data/2/objs/leg.obj").write_text("v 0 0 0\nf 1 2 3\n")
    (source / "data/3/result.json").write_text('[{"id": 0, "name": "chair"')
    (source / "data/4/meta.json").unlink()
    whole = named(tmp_path / "all/glb/pot.glb")
    (tmp_path / "all/glb/cut.glb").write_bytes(whole.read_bytes()[:-40])
    (tmp_path / "all/glb/head.glb").write_bytes(whole.read_bytes()[:100])
    code, out, _ = run("auto", tmp_path / "all", "--out", tmp_path / "out")
    assert code == 0 and out.startswith("4 shapes read, 5 left out")
    reasons = report_of(tmp_path / "out")
    assert set(Corpus(tmp_path / "out").ids()) == {"partnet_0", "partnet_1", "partnet_5", "named_glb_glb_pot"}
    assert "leg.obj: a face refers to a vertex that is not there" in reasons["partnet_2"]
    assert "result.json: not JSON" in reasons["partnet_3"]
    assert "meta.json: no such file" in reasons["partnet_4"]
    assert "cut.glb: not a glTF file: it is cut off" in reasons["named_glb_glb_cut"]
    assert "head.glb: not a glTF file" in reasons["named_glb_glb_head"]


def test_a_reader_that_fails_in_its_own_way_ends_nothing(tmp_path, monkeypatch):
    real = readers.KINDS["partnet"]

    def sometimes(locator):
        if locator.path.name == "1":
            raise ZeroDivisionError("division by zero")
        return real(locator)

    monkeypatch.setitem(readers.KINDS, "partnet", sometimes)
    done = ingest([partnet(tmp_path / "pn", 3)], tmp_path / "out", PAPER)
    assert len(done.corpus) == 2
    assert "ZeroDivisionError: division by zero" in report_of(tmp_path / "out")["partnet_1"]


# --- what it refuses -------------------------------------------------------------------------------------


def test_a_missing_or_empty_folder_is_one_clear_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = run("partnet", tmp_path / "none", "--out", tmp_path / "out")
    assert (code, err) == (2, f"error: {tmp_path / 'none'}: no such folder\n")
    code, _, err = run("auto", tmp_path / "empty", "--out", tmp_path / "out")
    assert code == 2 and f"{tmp_path / 'empty'}: no shape in it; expected a folder of one of" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "make", "likely"),
    [
        ("find3d", partnet, "partnet"),
        ("partnet", cloud, "find3d"),
        ("compat", lambda root: named(root / "pot.glb").parent, "named_glb"),
        ("named_glb", partnet, "partnet"),
    ],
)
def test_a_folder_of_another_kind_names_what_it_looks_like(run, tmp_path, kind, make, likely):
    source = make(tmp_path / "source")
    code, _, err = run(kind, source, "--out", tmp_path / "out")
    assert code == 2
    assert f"no shape of kind {kind}; it looks like {likely}" in err
    assert f"alignparts ingest {likely} {source}" in err
    assert not (tmp_path / "out").exists()


def test_strangers_in_a_folder_of_the_right_kind_are_listed(run, tmp_path):
    source = partnet(tmp_path / "pn", 3)
    named(source / "extra.glb")
    code, _, _ = run("partnet", source, "--out", tmp_path / "out")
    assert code == 0
    (reason,) = report_of(tmp_path / "out").values()
    assert reason == f"{source / 'extra.glb'}: looks like named_glb, not partnet"


def test_an_unknown_kind_is_refused(run, tmp_path):
    assert run("shapenet", tmp_path, "--out", tmp_path / "out")[0] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,category\npot.glb,pot\n", r"line 1: expected the columns path and category"),
        ("", r"line 1: expected the columns path and category"),
        ("path,category\npot.glb,pot\nlid.glb\n", r"line 3: expected 2 cells \(path, category\)"),
        ('path,category\n"pot.glb,pot\n', r"not a CSV file in UTF-8"),
        (b"path,category\npot.glb,caf\xe9\n", r"not a CSV file in UTF-8"),
    ],
)
def test_a_broken_manifest_stops_with_file_and_line(tmp_path, text, message):
    named(tmp_path / "glb/pot.glb")
    (tmp_path / "glb/manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BrokenLabels, match=rf"manifest\.csv: {message}"):
        ingest([tmp_path / "glb"], tmp_path / "out", PAPER)
    assert not (tmp_path / "out").exists()


def test_a_manifest_gives_category_and_license_and_may_be_quoted(tmp_path):
    named(tmp_path / "glb/a/pot.glb")
    (tmp_path / "glb/manifest.csv").write_text('path,category,license\n\na/pot.glb,"tea pot","CC-BY, 4.0"\n')
    ((_, locator),) = detect(tmp_path / "glb")
    assert (locator.category, locator.license) == ("tea pot", "CC-BY, 4.0")


@pytest.mark.parametrize("text", ["a;;cup\n;;\n", "a;;cup\nb;;broken\n"])
def test_a_broken_label_file_stops_the_run(own, tmp_path, text):
    (own / "own.txt").write_text(text)
    with pytest.raises(BrokenLabels, match=r"line \d: .*expected"):
        ingest([own], tmp_path / "out", PAPER)
    assert not (tmp_path / "out/index.parquet").exists()


def listed(root: Path, entries: str = "[]") -> Path:
    """A PartNet tree with its own lists of splits: 0 trains, 2 is tested; ``entries`` is the list between."""
    lists = partnet(root, 3) / "stats/train_val_test_split"
    lists.mkdir(parents=True)
    (lists / "Chair.train.json").write_text('[{"model_id": "model0", "anno_id": "0"}]')
    (lists / "Chair.val.json").write_text(entries)
    (lists / "Chair.test.json").write_text('[{"model_id": "model2", "anno_id": "2"}]')
    return root


@pytest.mark.parametrize("workers", [1, 2])
def test_partnets_own_lists_are_kept_and_a_broken_one_stops_the_command(run, tmp_path, workers):
    source = listed(tmp_path / "pn")
    assert run("partnet", source, "--out", tmp_path / "out", "--workers", workers)[0] == 0
    assert Corpus(tmp_path / "out").index["official_split"].tolist() == ["train", "", "test"]
    broken = listed(tmp_path / "broken", '[\n {"model_id": "model1"\n')
    code, _, err = run("partnet", broken, "--out", tmp_path / "none", "--workers", workers)
    assert code == 2 and not (tmp_path / "none/index.parquet").exists()
    assert "Chair.val.json: not JSON" in err and "line 3" in err and "expected a list of" in err


def test_a_broken_list_of_annotations_stops_the_command_before_it_reads(run, tmp_path):
    source = listed(tmp_path / "pn")
    (source / "stats/all_valid_anno_info.txt").write_text("0 1 Chair model0 me\n1 1 Chair\n")
    code, _, err = run("partnet", source, "--out", tmp_path / "out")
    assert code == 2 and not (tmp_path / "out").exists()
    assert "all_valid_anno_info.txt: line 2: '1 1 Chair'; expected '<anno_id>" in err


def test_a_folder_that_cannot_be_opened_is_listed(tmp_path, monkeypatch):
    named(tmp_path / "open/pot.glb")
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = {locator.path.name: (kind, locator.reason) for kind, locator in detect(tmp_path)}
    assert found["locked"] == ("unknown", "cannot be opened: Permission denied")
    assert found["pot.glb"] == ("named_glb", "")


def test_a_zip_that_is_cut_off_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("models/00_001.gltf", "{}" * 500)
        archive.writestr("textures_map.json", "{}")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:300])
    ((kind, locator),) = detect(tmp_path)
    assert kind == "unknown" and "zip" in locator.reason


def test_an_output_folder_that_cannot_be_written_is_one_clear_error(run, tmp_path):
    source = partnet(tmp_path / "pn", 2)
    (tmp_path / "file").write_text("")
    code, _, err = run("partnet", source, "--out", tmp_path / "file")
    assert code == 2 and f"{tmp_path / 'file'}: cannot be written" in err
    code, _, err = run("partnet", source, "--out", tmp_path / "file/below")
    assert code == 2 and "cannot be written" in err


def test_a_full_disk_stops_the_run_instead_of_leaving_out_all_shapes(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", None)

    monkeypatch.setattr(module, "write_shape", full)
    with pytest.raises(AlignPartsError, match="cannot be written: No space left"):
        ingest([partnet(tmp_path / "pn", 2)], tmp_path / "out", PAPER)


def test_a_corpus_made_with_other_settings_is_not_mixed_with(tmp_path):
    source, out = partnet(tmp_path / "pn", 3), tmp_path / "out"
    ingest([source], out, PAPER)
    with pytest.raises(
        AlignPartsError, match=r"ingest\.json: this corpus was made with tree 'raw' of pn, not 'merged'"
    ):
        ingest([Source(source, options=readers.ReadOptions(tree="merged"))], out, PAPER)
    other = cloud(tmp_path / "f3")
    with pytest.raises(AlignPartsError, match=r"made with folder 'pn', not 'f3'"):
        ingest([other], out, PAPER)
    more = ingest([source, other], out, PAPER)
    assert more.kept == 3 and len(more.corpus) == 4


# --- how it goes on --------------------------------------------------------------------------------------


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    source = partnet(tmp_path / "pn", 10)
    (source / "data/6/objs/leg.obj").write_text("f 1 2 3\n")
    ingest([source], tmp_path / "whole", PAPER)
    read = []
    real = readers.KINDS["partnet"]

    def counted(locator, stop_after: int):
        if len(read) == stop_after:
            raise KeyboardInterrupt
        read.append(locator.shape_id)
        return real(locator)

    monkeypatch.setitem(readers.KINDS, "partnet", lambda locator: counted(locator, 5))
    with pytest.raises(KeyboardInterrupt):
        ingest([source], tmp_path / "out", PAPER)
    assert not (tmp_path / "out/index.parquet").exists()
    (tmp_path / "out/shapes/.writing-half.glb").write_bytes(b"glTF")
    (tmp_path / "out/shapes/partnet_1.glb").write_bytes(b"glTF cut off by another program")
    first = list(read)
    monkeypatch.setitem(readers.KINDS, "partnet", lambda locator: counted(locator, 99))
    done = ingest([source], tmp_path / "out", PAPER)
    assert sorted(read[len(first) :]) == sorted(
        {f"partnet_{i}" for i in range(10)} - {*first} | {"partnet_1"}
    )
    assert done.kept == 4
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_an_id_that_now_belongs_to_another_file_is_read_again(tmp_path):
    named(tmp_path / "s/b c.glb", ("lid", "pot"))
    ingest([tmp_path / "s"], tmp_path / "out", PAPER)
    named(tmp_path / "s/b-c.glb", ("body", "cap", "tip"))
    done = ingest([tmp_path / "s"], tmp_path / "out", PAPER)
    names = {row.source: done.corpus.load(row.shape_id).instances for row in done.corpus.index.itertuples()}
    assert {name: sorted(parts) for name, parts in names.items()} == {
        "s/b c.glb": ["lid", "pot"], "s/b-c.glb": ["body", "cap", "tip"],
    }  # fmt: skip


def test_killed_processes_and_all(tmp_path):
    """The command in processes of its own, killed in the middle without a chance to clean up."""
    source = tmp_path / "partnet"
    bench_ingest.write_folders(source, 200)
    whole = bench_ingest.run_command(source, tmp_path / "whole", 1)
    assert "198 shapes read, 2 left out" in whole.output and "4 shapes in 2 groups" in whole.output
    bench_ingest.run_command(source, tmp_path / "out", 1, kill_at=60)
    assert not (tmp_path / "out/index.parquet").exists()
    again = bench_ingest.run_command(source, tmp_path / "out", 1)
    assert "were there" in again.output
    assert bench_ingest.same_records(tmp_path / "whole", tmp_path / "out")
    with bench_ingest.dask_workers() as (address, (victim, _)):
        bench_ingest.run_command(source, tmp_path / "dask", 2, 60, address, victim)
    assert bench_ingest.same_records(tmp_path / "whole", tmp_path / "dask")
