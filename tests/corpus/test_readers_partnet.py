"""PartNet and PartNet-Mobility on tiny folders written by hand: trees, levels, samples, splits, traps."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.readers import BrokenLabels, Locator, ReadOptions, mobility, partnet
from alignparts.corpus.readers.partnet_labels import level_labels, official_splits, read_parts
from alignparts.corpus.shape import LabeledShape, tidy

MERGED = ReadOptions(tree="merged")
POINTS = ReadOptions(geometry="points")
LEVEL_1 = "after_merging_label_ids/Table-level-1.txt"
MAPPING = "merging_hierarchy_mapping/Table.txt"


def leaf(number: int, name: str, *objs: str) -> dict:
    return {"id": number, "name": name, "text": name, "objs": list(objs)}


def node(number: int, name: str, *children: dict) -> dict:
    return {"id": number, "name": name, "text": name, "children": list(children)}


def objs_of(tree: dict) -> list[str]:
    return [*tree.get("objs", []), *(obj for child in tree.get("children", []) for obj in objs_of(child))]


def write_annotation(root: Path, tree: dict, *, key: str = "7", category: str = "Table", data="data") -> Path:
    """A folder in which component ``c<k>`` is one triangle at z = k."""
    folder = root / data / key
    (folder / "objs").mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"anno_id": key, "model_id": "m", "model_cat": category}))
    (folder / "result.json").write_text(json.dumps([tree]))
    for obj in objs_of(tree):
        z = obj[1:]
        (folder / f"objs/{obj}.obj").write_text(f"v 0 0 {z}\nv 1 0 {z}\nv 0 1 {z}\nf 1 2 3\n")
    return folder


def write_stats(root: Path, levels: dict[str, str], mapping: str, category: str = "Table") -> None:
    labels, mapped = root / "stats/after_merging_label_ids", root / "stats/merging_hierarchy_mapping"
    labels.mkdir(parents=True)
    mapped.mkdir(parents=True)
    for level, text in levels.items():
        (labels / f"{category}-level-{level}.txt").write_text(text)
    (mapped / f"{category}.txt").write_text(mapping)


def read(folder: Path, options: ReadOptions | None = None, kind: str = "partnet") -> LabeledShape:
    ((actual, locator),) = [pair for pair in readers.detect(folder) if pair[0] != "unknown"]
    assert actual == kind
    root = folder.parent.parent if folder.parent.name == "data" else folder.parent
    return readers.read(kind, replace(locator, root=root, options=options or ReadOptions()))


def by_component(shape: LabeledShape) -> dict[str, str]:
    """Name of the part of every component; "" where it is unlabeled."""
    heights = shape.surface.vertices[shape.surface.faces[:, 0], 2]
    names = [*shape.instances, ""]
    return {f"c{int(z)}": names[part] for z, part in zip(heights, shape.surface.face_part, strict=True)}


def instance_of(shape: LabeledShape) -> dict[int, int]:
    heights = shape.surface.vertices[shape.surface.faces[:, 0], 2]
    return {int(z): int(part) for z, part in zip(heights, shape.surface.face_part, strict=True)}


# A desk: two drawers of two components each, feet under different parents, what no label covers.
DESK = node(
    0, "table",
    node(1, "desk",
         node(2, "drawer_base",
              node(3, "drawer", leaf(4, "front", "c1"), leaf(5, "drawer_side", "c2")),
              node(6, "drawer", leaf(7, "front", "c3"), leaf(8, "drawer_side", "c4")),
              leaf(9, "foot", "c5"), leaf(10, "junk", "c6")),
         leaf(11, "foot", "c7"), leaf(12, "other", "c8"), leaf(13, "empty"))
)  # fmt: skip
# As PartNet's own clean-up leaves it: renumbered, objs in every node, "junk" and "other" gone.
DESK_MERGED = {
    "id": 0, "ori_id": 0, "name": "table", "objs": [f"c{k}" for k in range(1, 9)], "children": [
        {"id": 1, "ori_id": 2, "name": "drawer_base", "objs": [f"c{k}" for k in range(1, 7)], "children": [
            {"id": 2, "ori_id": 3, "name": "drawer", "objs": ["c1", "c2"]},
            {"id": 3, "ori_id": 6, "name": "drawer", "objs": ["c3", "c4"]},
            {"id": 4, "ori_id": 9, "name": "foot", "objs": ["c5"]},
        ]},
        {"id": 5, "ori_id": 11, "name": "foot", "objs": ["c7"]},
    ],
}  # fmt: skip
# The label's path is not that of the merged tree: it has table_base in between, as for PartNet's desks.
DESK_MAPPING = """\
table table
table/desk/drawer_base table/table_base/drawer_base
table/desk/drawer_base/drawer table/table_base/drawer_base/drawer
table/desk/drawer_base/drawer/front table/table_base/drawer_base/drawer/front
table/desk/drawer_base/foot table/table_base/drawer_base/foot
table/desk/foot table/table_base/foot
"""
DESK_LEVELS = {
    "1": "5 table/table_base/drawer_base subcomponents\n",
    "3": "6 table/table_base/drawer_base/drawer subcomponents\n7 table/table_base/drawer_base/foot leaf\n"
    "8 table/table_base/foot leaf\n",
}


def desk(root: Path) -> Path:
    folder = write_annotation(root, DESK)
    (folder / "result_after_merging.json").write_text(json.dumps([DESK_MERGED]))
    write_stats(root, DESK_LEVELS, DESK_MAPPING)
    return folder


# --- trees and levels -------------------------------------------------------------------------------------


def test_raw_leaves_keep_their_own_names_and_the_paths_tell_them_apart(tmp_path):
    folder = desk(tmp_path)
    shape = read(folder)
    assert shape.instances == ["front", "drawer_side", "front", "drawer_side", "foot", "junk", "foot"]
    assert by_component(shape)["c8"] == ""
    parts = read_parts(folder, tmp_path, "Table", ReadOptions())
    feet = [part.path for part in parts if part.name == "foot"]
    assert feet == ["table/desk/drawer_base/foot", "table/desk/foot"]


def test_merged_leaves_do_not_cover_the_shape_and_what_was_dropped_is_unlabeled(tmp_path):
    shape = read(desk(tmp_path), MERGED)
    assert shape.instances == ["drawer", "drawer", "foot", "foot"]
    assert by_component(shape) == {
        "c1": "drawer", "c2": "drawer", "c3": "drawer", "c4": "drawer", "c5": "foot", "c6": "", "c7": "foot",
        "c8": "",
    }  # fmt: skip
    assert instance_of(shape)[1] == instance_of(shape)[2] != instance_of(shape)[3]


def test_without_a_merged_tree_the_error_names_the_file_and_the_way_out(tmp_path):
    folder = write_annotation(tmp_path, DESK)
    with pytest.raises(AlignPartsError, match=r"result_after_merging\.json: no such file; .*tree raw"):
        read(folder, MERGED)
    (folder / "result_after_merging.json").write_text("[]")
    with pytest.raises(AlignPartsError, match=r"result_after_merging\.json: expected a list with one root"):
        read(folder, MERGED)


@pytest.mark.parametrize("tree", ["raw", "merged"])
def test_a_level_follows_the_mapping_and_names_labels_of_one_short_name_by_their_path(tmp_path, tree):
    folder = desk(tmp_path)
    feet = "table/table_base/drawer_base/foot", "table/table_base/foot"
    shape = read(folder, ReadOptions(level=3, tree=tree))
    assert by_component(shape) == {
        "c1": "drawer", "c2": "drawer", "c3": "drawer", "c4": "drawer", "c5": feet[0], "c6": "",
        "c7": feet[1], "c8": "",
    }  # fmt: skip
    # Two nodes of one path are two instances.
    assert instance_of(shape)[1] == instance_of(shape)[2] != instance_of(shape)[3]
    coarse = by_component(read(folder, ReadOptions(level=1, tree=tree)))
    # All below the node belongs to it, what the clean-up dropped too.
    assert {obj for obj, name in coarse.items() if name == "drawer_base"} == {f"c{k}" for k in range(1, 7)}
    assert coarse["c7"] == coarse["c8"] == ""


@pytest.mark.parametrize("seed", range(20))
def test_levels_agree_with_a_plain_traversal_and_no_face_is_lost(tmp_path, seed):
    rng = np.random.default_rng(seed)
    count = iter(range(1, 1000))

    def grow(depth: int) -> dict:
        name = f"n{rng.integers(4)}"
        if depth == 4 or rng.random() < 0.3:
            number = next(count)
            return leaf(number, name, f"c{number}")
        return node(next(count), name, *(grow(depth + 1) for _ in range(rng.integers(1, 4))))

    tree = node(0, "root", grow(1), grow(1))
    paths: set[str] = set()

    def visit(part: dict, above: str) -> None:
        path = f"{above}/{part['name']}" if above else part["name"]
        paths.add(path)
        for child in part.get("children", []):
            visit(child, path)

    visit(tree, "")
    mapping = {path: path.replace("n0", "m") for path in sorted(paths) if rng.random() < 0.7}
    chosen: list[str] = []
    for path in sorted(set(mapping.values()), key=len, reverse=True):
        # Labels of a level do not lie within each other.
        if rng.random() < 0.4 and not any(other.startswith(f"{path}/") for other in chosen):
            chosen.append(path)
    chosen = [path for path in chosen if not any(path.startswith(f"{other}/") for other in chosen)]
    if not chosen:
        chosen = [mapping.setdefault("root", "root")]
    want: dict[str, str] = {}

    def label(part: dict, above: str) -> None:
        path = f"{above}/{part['name']}" if above else part["name"]
        for obj in objs_of(part):
            if mapping.get(path) in chosen:
                want[obj] = mapping[path]
            want.setdefault(obj, "")
        for child in part.get("children", []):
            label(child, path)

    label(tree, "")
    write_stats(
        tmp_path,
        {"2": "".join(f"{number} {path} leaf\n" for number, path in enumerate(chosen))},
        "".join(f"{raw} {merged}\n" for raw, merged in mapping.items()),
    )
    folder = write_annotation(tmp_path, tree)
    parts = read_parts(folder, tmp_path, "Table", ReadOptions(level=2))
    assert {obj: part.path if part.name else "" for part in parts for obj in part.objs} == want
    assert sorted(obj for part in parts for obj in part.objs) == sorted(want)
    last = {path: path.rpartition("/")[2] for path in chosen}
    for part in parts:
        if part.name:
            alone = list(last.values()).count(last[part.path]) == 1
            assert part.name == (last[part.path] if alone else part.path)


def test_a_level_that_a_category_has_not_names_the_file_and_those_it_has(tmp_path):
    folder = desk(tmp_path)
    with pytest.raises(
        AlignPartsError, match=r"Table-level-2\.txt: no such file.*levels are 1, 3.*leave the"
    ) as e:
        read(folder, ReadOptions(level=2))
    assert not isinstance(e.value, BrokenLabels)  # the other categories are read
    strange = write_annotation(tmp_path, DESK, key="8", category="Safe")
    with pytest.raises(AlignPartsError, match=r"Safe-level-1\.txt: no such file.*no level at all"):
        read(strange, ReadOptions(level=1))
    bare = write_annotation(tmp_path / "without/stats", DESK)
    with pytest.raises(AlignPartsError, match=r"after_merging_label_ids: no such folder.*partnet_dataset"):
        read(bare, ReadOptions(level=1))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (LEVEL_1, "1 a leaf\n\n2 b\n", r"level-1\.txt: line 3: '2 b'; expected '<id> <path> <kind>'"),
        (LEVEL_1, "x a leaf\n", r"level-1\.txt: line 1: 'x a leaf'; expected '<id>"),
        (MAPPING, "a b\na b c\n", r"Table\.txt: line 2: 'a b c'; expected '<raw path> <merged path>'"),
        (MAPPING, None, r"Table\.txt: cannot be read"),
    ],
)
def test_a_broken_label_file_stops_with_file_line_and_expectation(tmp_path, file, text, message):
    folder = desk(tmp_path)
    if text is None:
        (tmp_path / "stats" / file).unlink()
    else:
        (tmp_path / "stats" / file).write_text(text)
    with pytest.raises(BrokenLabels, match=message):
        read(folder, ReadOptions(level=1))


def test_stats_lie_beside_data_v0_too(tmp_path):
    write_stats(tmp_path, DESK_LEVELS, DESK_MAPPING)
    assert level_labels(tmp_path / "data_v0", "Table", 1) == {
        "table/desk/drawer_base": ("drawer_base", "table/table_base/drawer_base")
    }


@pytest.mark.parametrize("number", ["x", None, [1]])
def test_a_leaf_without_a_whole_id_is_one_clear_error(tmp_path, number):
    folder = write_annotation(tmp_path, node(0, "table", {"id": number, "name": "top", "objs": ["c1"]}))
    with pytest.raises(AlignPartsError, match=r"result\.json: .*: entry 1: id: expected .*whole numbers"):
        read(folder)


def test_component_names_do_not_lead_out_of_the_folder(tmp_path):
    folder = write_annotation(tmp_path, node(0, "table", leaf(1, "top", "c1"), leaf(2, "leg", "c2")))
    (tmp_path / "secret.obj").write_text("v 0 0 5\nv 1 0 5\nv 0 1 5\nf 1 2 3\n")
    tree = node(0, "table", leaf(1, "top", "c1"), leaf(2, "leg", "../../../secret"))
    (folder / "result.json").write_text(json.dumps([tree]))
    assert read(folder).instances == ["top"]


# --- colors and point samples ----------------------------------------------------------------------------


def write_samples(folder: Path, rows: list[tuple[int, float, str]], *, colored: bool) -> None:
    """Points (leaf id, z, rgb) in the unit triangle; 40 a row."""
    samples = folder / "point_sample"
    samples.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    lines, labels = [], []
    for number, z, rgb in rows:
        for x, y in rng.random((40, 2)) / 2:
            lines.append(f"{x:.6f} {y:.6f} {z}" + (f" 0 0 1 {rgb} 1.000000" if colored else ""))
            labels.append(str(number))
    name = "sample-points-all-pts-nor-rgba-10000.txt" if colored else "pts-10000.txt"
    (samples / name).write_text("\n".join(lines) + "\n")
    name = "sample-points-all-label-10000.txt" if colored else "label-10000.txt"
    (samples / name).write_text("\n".join(labels) + "\n")


ROWS = [(4, 1, "255 0 0"), (5, 2, "0 255 0"), (9, 5, "0 0 255"), (12, 8, "9 9 9"), (10, 6, "1 1 1")]


def test_a_merged_part_takes_the_colors_of_all_its_leaves(tmp_path):
    folder = desk(tmp_path)
    # Stray points of the foot within the drawer must not color it.
    write_samples(folder, [*ROWS, (9, 1, "0 0 255")], colored=True)
    shape = read(folder, MERGED)
    drawn = sample_surface(shape.surface, 3000, 0)
    height = np.round(drawn.points[:, 2] / drawn.scale + drawn.center[2])
    for z, color in ((1, [1, 0, 0]), (2, [0, 1, 0]), (5, [0, 0, 1])):
        assert drawn.colors[height == z].mean(axis=0) == pytest.approx(color, abs=0.02)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (POINTS, ["front", "drawer_side", "foot", "", "junk"]),
        (replace(POINTS, tree="merged"), ["drawer", "drawer", "foot", "", ""]),
        (replace(POINTS, level=1), ["drawer_base", "drawer_base", "drawer_base", "", "drawer_base"]),
    ],
)
def test_point_samples_are_labeled_by_the_leaves_of_the_raw_tree(tmp_path, options, names):
    folder = desk(tmp_path)
    write_samples(folder, ROWS, colored=True)
    shape = read(folder, options)
    assert shape.cloud is not None and shape.surface.is_cloud
    told = np.array([*shape.instances, ""])[shape.cloud.instance]
    assert told.tolist() == [name for name in names for _ in range(40)]
    assert shape.cloud.points[:, 2].tolist() == [z for _, z, _ in ROWS for _ in range(40)]
    assert np.unique(shape.cloud.normals, axis=0).tolist() == [[0, 0, 1]]
    assert shape.cloud.colors[::40].tolist() == [[int(c) for c in rgb.split()] for _, _, rgb in ROWS]


def test_the_plain_sample_steps_in_with_normals_fitted_to_the_points(tmp_path):
    folder = desk(tmp_path)
    write_samples(folder, [(4, 1, ""), (9, 5, "")], colored=False)
    shape = read(folder, POINTS)
    assert shape.instances == ["front", "foot"] and shape.cloud is not None
    up = np.repeat([-1.0, 1.0], 40)  # away from the center at z = 3
    assert np.allclose(shape.cloud.normals, np.stack([0 * up, 0 * up, up], axis=1), atol=1e-6)
    assert len(np.unique(shape.cloud.colors, axis=0)) == 1


def test_points_that_are_not_finite_are_dropped_with_their_labels(tmp_path):
    folder = desk(tmp_path)
    write_samples(folder, ROWS, colored=True)
    file = folder / "point_sample/sample-points-all-pts-nor-rgba-10000.txt"
    lines = file.read_text().splitlines()
    lines[0] = "nan 0 1 0 0 1 255 0 0 1.0"
    lines[1] = lines[1].replace(" 0 0 1 ", " nan nan nan ", 1)
    file.write_text("\n".join(lines) + "\n")
    cloud = read(folder, POINTS).cloud
    assert cloud is not None and len(cloud.points) == len(cloud.instance) == 199
    assert cloud.normals[0].tolist() == [0, 0, 0] and np.bincount(cloud.instance + 1)[1] == 39


def test_broken_point_samples_are_clear_errors(tmp_path):
    folder = desk(tmp_path)
    with pytest.raises(AlignPartsError, match=r"point_sample: no point sample; expected .*geometry mesh"):
        read(folder, POINTS)
    write_samples(folder, [(4, 1, "")], colored=False)
    label = folder / "point_sample/label-10000.txt"
    label.write_text("3\n" * 40)  # a node, but no leaf
    with pytest.raises(AlignPartsError, match=r"label-10000\.txt: label 3 is not in the leaves of result"):
        read(folder, POINTS)
    label.write_text("4\n" * 39)
    with pytest.raises(AlignPartsError, match="40 points but 39 labels"):
        read(folder, POINTS)
    label.write_text("4\n" * 38 + "4.5\n4\n")
    with pytest.raises(AlignPartsError, match=r"line 39 is 4\.5; expected a leaf's id"):
        read(folder, POINTS)


# --- official lists ---------------------------------------------------------------------------------------


def write_splits(root: Path, **lists: list[str]) -> Path:
    folder = root / "stats/train_val_test_split"
    folder.mkdir(parents=True)
    for name, keys in lists.items():
        entries = [{"model_id": "m", "anno_id": key} for key in keys]
        (folder / f"Table.{name}.json").write_text(json.dumps(entries))
    return folder


def test_official_splits_and_annotations_that_no_list_has(tmp_path):
    write_splits(tmp_path, train=["1", "2"], val=["3"], test=["7"])
    told = {key: official_splits(tmp_path, "Table").get(key, "") for key in ("1", "2", "3", "7", "9")}
    assert told == {"1": "train", "2": "train", "3": "validation", "7": "test", "9": ""}
    assert official_splits(tmp_path, "Safe").get("1", "") == ""
    assert official_splits(tmp_path, "").get("1", "") == ""
    assert official_splits(tmp_path / "data_v0", "Table").get("3", "") == "validation"
    assert official_splits(tmp_path / "no" / "stats" / "here", "Table").get("3", "") == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", r"Table\.val\.json: not JSON.*expected a list of"),
        ('{"anno_id": "3"}', r"Table\.val\.json: expected a list of"),
        ('[{"model_id": "m", "anno_id": "3"}, "4"]', r"Table\.val\.json: entry 2: expected"),
        (
            '[{"model_id": "m", "anno_id": "1"}]',
            r"Table\.val\.json: annotation 1 is in the list of train, too",
        ),
    ],
)
def test_a_broken_split_list_stops_with_file_and_expectation(tmp_path, text, message):
    folder = write_splits(tmp_path, train=["1"], val=[], test=[])
    (folder / "Table.val.json").write_text(text)
    with pytest.raises(BrokenLabels, match=message):
        official_splits(tmp_path, "Table").get("1", "")


def test_a_broken_list_of_valid_annotations_stops_with_its_line(tmp_path):
    folder = write_annotation(tmp_path, DESK)
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats/all_valid_anno_info.txt").write_text("7 1 Table m someone\n8 1 Table\n")
    with pytest.raises(
        BrokenLabels, match=r"all_valid_anno_info\.txt: line 2: '8 1 Table'; expected '<anno_id>"
    ):
        read(folder)


# --- PartNet-Mobility -------------------------------------------------------------------------------------


def write_object(root: Path, tree: dict, key: str = "100015") -> Path:
    """An object whose component ``c<k>`` is one untextured triangle at z = k."""
    folder = write_annotation(root, tree, key=key, category="Safe", data=".")
    (folder / "objs").rename(folder / "textured_objs")
    (folder / "semantics.txt").write_text("link_0 hinge rotation_door\n")
    return folder


def write_component(folder: Path, name: str, obj: str, mtl: str | None = None) -> None:
    text = obj if mtl is None else f"mtllib {name}.mtl\n{obj}"
    (folder / f"textured_objs/{name}.obj").write_text(text)
    if mtl is not None:
        (folder / f"textured_objs/{name}.mtl").write_text(mtl)


QUADS = (
    "v 0 0 {z}\nv 1 0 {z}\nv 1 1 {z}\nv 0 1 {z}\nv 2 0 {z}\nv 2 1 {z}\n"
    "usemtl first\nf 1 2 3 4\nusemtl second\nf 2 5 6 3\n"
)


def test_mobility_quads_of_several_materials_are_one_part_with_both_looks(tmp_path):
    folder = write_object(tmp_path, node(0, "safe", leaf(1, "door", "c1"), leaf(2, "body", "c2")))
    looks = "newmtl first\nKd 1 0 0\nd 0.5\nnewmtl second\nKd 0 0 1\nTr 0.75\n"
    write_component(folder, "c1", QUADS.format(z=1), looks)
    shape = read(folder, kind="partnet_mobility")
    door = shape.surface.face_part == shape.instances.index("door")
    assert door.sum() == 4 and shape.surface.areas()[door].sum() == pytest.approx(2)
    left = shape.surface.vertices[shape.surface.faces[door]].mean(axis=1)[:, 0] < 1
    rgba = shape.surface.corner_color[door][:, 0]
    assert rgba[left] == pytest.approx(np.tile([1, 0, 0, 0.5], (2, 1)))
    assert rgba[~left] == pytest.approx(np.tile([0, 0, 1, 0.25], (2, 1)))


@pytest.mark.parametrize(
    ("mtl", "alpha"),
    [
        ("d 1", 1), ("d 0.25", 0.25), ("Tr 0.75", 0.25), ("Tr 0", 1), ("d 0.25\nTr 0", 0.25),
        ("Tr 0\nd 0.25", 0.25), ("d -halo 0.5", 0.5), ("d 1.5", 1), ("d -1", 0), ("d much", 1), ("d .5", 0.5),
    ],
)  # fmt: skip
def test_mobility_opacity_of_d_and_of_its_complement(tmp_path, mtl, alpha):
    folder = write_object(tmp_path, node(0, "safe", leaf(1, "door", "c1")))
    body = "v 0 0 1\nv 1 0 1\nv 0 1 1\nusemtl first\nf 1 2 3\n"
    write_component(folder, "c1", body, f"newmtl first\nKd 1 0 0\n{mtl}\n")
    shape = read(folder, kind="partnet_mobility")
    assert shape.surface.corner_color[0, 0].tolist() == pytest.approx([1, 0, 0, alpha])


def test_mobility_what_is_missing_or_broken_leaves_a_gap_and_labels_stay(tmp_path):
    leaves = [
        leaf(1, "door", "c1", "gone"), leaf(2, "empty", "c2"), leaf(3, "lost", "gone2"),
        leaf(4, "bent", "c4"), leaf(5, "textureless", "c5"), leaf(6, "other", "c6"),
        {"id": 7, "name": "bare", "text": ""},
    ]  # fmt: skip
    folder = write_object(tmp_path, node(0, "safe", *leaves))
    for name in ("gone", "gone2"):
        (folder / f"textured_objs/{name}.obj").unlink()
    (folder / "images").mkdir()
    (folder / "images/info.json").write_text("{}")
    write_component(folder, "c2", "v 0 0 2\n")
    write_component(folder, "c4", "v 0 0 4\nv nan 0 4\nv 1 1 4\nv 0 1 4\nf 1 2 3\nf 1 3 4\n")
    textured = "v 0 0 5\nv 1 0 5\nv 0 1 5\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"
    write_component(folder, "c5", textured, "newmtl m\nKd 0 1 0\nmap_Kd ../images/texture_0.jpg\n")
    write_component(folder, "c1_collision", "v 0 0 9\nv 1 0 9\nv 0 1 9\nf 1 2 3\n")
    (folder / "result_original.json").write_text(json.dumps([node(0, "safe", leaf(1, "wrong", "c1"))]))
    shape = read(folder, kind="partnet_mobility")
    assert shape.instances == ["door", "bent", "textureless"]
    area = {name: shape.surface.areas()[shape.surface.face_part == index].sum()
            for index, name in enumerate(shape.instances)}  # fmt: skip
    assert area == pytest.approx({"door": 0.5, "bent": 0.5, "textureless": 0.5})
    assert by_component(shape)["c6"] == "" and shape.surface.vertices[:, 2].max() == 6


def test_mobility_components_share_one_image(tmp_path):
    folder = write_object(tmp_path, node(0, "safe", leaf(1, "door", "c1"), leaf(2, "body", "c2")))
    (folder / "images").mkdir()
    Image.new("RGB", (4, 4), (0, 255, 0)).save(folder / "images/texture_0.png")
    for name, z in (("c1", 1), ("c2", 2)):
        body = f"v 0 0 {z}\nv 1 0 {z}\nv 0 1 {z}\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"
        write_component(folder, name, body, "newmtl m\nKd 0 0 0\nmap_Kd ../images/texture_0.png\n")
    shape = read(folder, kind="partnet_mobility")
    assert len(shape.surface.textures) == 1
    middle = np.full((2, 3), 1 / 3)
    assert shape.surface.color_at(np.arange(2), middle)[:, :3] == pytest.approx(np.tile([0, 1, 0], (2, 1)))


def test_mobility_of_partnet_has_its_merged_tree_and_point_samples(tmp_path):
    folder = write_object(tmp_path, DESK, key="7")
    with pytest.raises(AlignPartsError, match=r"result_after_merging\.json: no such file"):
        read(folder, MERGED, kind="partnet_mobility")
    with pytest.raises(AlignPartsError, match=r"point_sample: no point sample"):
        read(folder, POINTS, kind="partnet_mobility")
    (folder / "result_after_merging.json").write_text(json.dumps([DESK_MERGED]))
    write_samples(folder, ROWS, colored=True)
    assert by_component(read(folder, MERGED, kind="partnet_mobility"))["c6"] == ""
    shape = read(folder, replace(POINTS, tree="merged"), kind="partnet_mobility")
    assert shape.dataset == "partnet_mobility" and shape.instances == ["drawer", "foot"]


@pytest.mark.parametrize(("module", "objs"), [(partnet, "objs"), (mobility, "textured_objs")])
def test_a_folder_without_any_mesh_or_with_strange_metadata_is_one_clear_error(tmp_path, module, objs):
    folder = write_annotation(tmp_path, node(0, "table", leaf(1, "top", "c1")))
    (folder / "objs").rename(folder / objs)
    locator = Locator(folder, tmp_path, "x")
    assert tidy(module.read(replace(locator))).instances == ["top"]
    (folder / objs / "c1.obj").unlink()
    with pytest.raises(AlignPartsError, match=r"no leaf of result\.json has a mesh; missing: c1"):
        module.read(locator)
    (folder / "meta.json").write_text("[]")
    with pytest.raises(AlignPartsError, match=r"meta\.json: expected an object"):
        module.read(locator)
