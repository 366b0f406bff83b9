"""Geometry without labels: its manifest, fetching folders by git, and what must not be in it."""

import csv
import sys
from dataclasses import astuple
from pathlib import Path, PurePosixPath

import pytest
from test_open_set import FILES, git, remote  # noqa: F401

from alignparts.cli import app
from alignparts.core import paths
from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import open_set, repositories
from alignparts.corpus.geometry import FETCH, checksum, fetch, meshes, read_manifest
from alignparts.corpus.readers.open_set import safe_id
from alignparts.corpus.sources import open_splits


def listed(folder: Path, commit: str, changes: dict[str, object] | None = None) -> Path:
    """Write a manifest of two rows that cover FILES; changes are those of the second."""
    folder.mkdir(parents=True, exist_ok=True)
    sums = folder / "sums"
    for path, data in FILES.items():
        (sums / path).parent.mkdir(parents=True, exist_ok=True)
        (sums / path).write_bytes(data)
    rows = []
    for patterns, names in (("packs/*.glb", ["packs/pot.glb"]), ("two.obj;*.mtl", ["two.mtl", "two.obj"])):
        row = {"repository": "ada/things", "commit": commit, "files": patterns, "license": "CC0-1.0"}
        total = checksum(sums, [sums / name for name in names])
        rows.append({**row, "attribution": "Ada", "count": len(names), "sha256": total})
    rows[1] |= changes or {}
    with (folder / "geometry.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "geometry.csv"


def test_folders_come_at_their_commit_and_only_what_is_broken_comes_again(tmp_path, remote, monkeypatch):
    address, commit = remote
    manifest = listed(tmp_path / "a", commit)
    assert astuple(fetch(manifest, address=address)) == (0, 3, [])
    top = tmp_path / "a/geometry/ada+things"
    assert {path: (top / path).read_bytes() for path in FILES} == FILES
    assert [path.name for path in meshes(manifest)] == ["pot.glb", "two.obj"]
    git(tmp_path, "clone", "--quiet", "--bare", address.format("ada/things"), "mirror/ada+things")
    monkeypatch.setattr(repositories, "_pull", None)  # no network
    assert astuple(fetch(manifest, tmp_path / "nowhere")) == (3, 0, [])
    (top / "two.mtl").write_bytes(b"cut o")
    assert fetch(manifest, tmp_path / "mirror").new == 1
    assert (top / "two.mtl").read_bytes() == FILES["two.mtl"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"count": 3}, "two.obj;*.mtl: 2 files, not 3; correct the manifest"),
        ({"sha256": "0" * 64}, f"not {'0' * 64}; correct the manifest"),
        ({"commit": "0" * 40}, "ada/things@00000000: the repository does not have it any more"),
        ({"repository": "ada/gone"}, "check the network, or give --mirror a folder of clones"),
    ],
)
def test_what_is_not_as_listed_is_a_line_and_no_shape_of_it_is_used(
    tmp_path, remote, monkeypatch, changes, expected
):
    address, commit = remote
    monkeypatch.setattr(repositories._pull.retry, "sleep", lambda seconds: None)
    manifest = listed(tmp_path, commit, changes)
    (failure,) = fetch(manifest, address=address).failures
    assert expected in failure
    assert (tmp_path / "geometry/ada+things/packs/pot.glb").is_file()
    with pytest.raises(AlignPartsError, match=f"run: {FETCH}"):
        meshes(manifest)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"license": "MIT"}, "geometry.csv:3: license: Input should be 'CC0-1.0'"),
        ({"files": "packs/*;../*"}, "geometry.csv:3: files: Value error, expected a path within"),
        ({"files": "packs/*;"}, "geometry.csv:3: files: Value error, expected patterns of paths"),
        ({"count": 0}, "geometry.csv:3: count: Input should be greater than 0"),
        ({"sha256": "abc"}, "geometry.csv:3: sha256: String should match"),
        ({"repository": "things"}, "geometry.csv:3: repository: String should match"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_column(tmp_path, changes, expected):
    with pytest.raises(AlignPartsError) as error:
        read_manifest(listed(tmp_path, "0" * 40, changes))
    assert expected in str(error.value)


def test_the_command_says_what_it_did(tmp_path, remote, monkeypatch, capsys):
    address, commit = remote
    manifest = listed(tmp_path, commit)
    git(tmp_path, "clone", "--quiet", address.format("ada/things"), "mirror/ada/things")
    given = ["--manifest", str(manifest), "--mirror", str(tmp_path / "mirror")]
    monkeypatch.setattr(sys, "argv", ["alignparts", "fetch", "geometry", *given])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert not stopped.value.code and "3 files fetched, 0 were there" in capsys.readouterr().out


def test_nothing_of_the_validation_and_test_parts_is_in_the_shipped_manifest():
    params = load_params()
    folder = paths.DATA / "open"
    _, splits = open_splits(folder, params.reality, params.base.seed)
    split = dict(zip(splits.shape_id, splits.split, strict=True))
    rows = read_manifest(folder / "geometry.csv")
    apart = [
        shape
        for shape in open_set.read_manifest(folder / open_set.MANIFEST)
        if split[safe_id("open", shape.id)] != "train"
    ]
    assert len(apart) > 100 and len(rows) > 20
    for shape in apart:
        beside = str(PurePosixPath(shape.path).with_name("another.glb"))
        for row in rows:
            is_same = row.repository == shape.repository
            assert not (is_same and any(map(row.covers, (*shape.sums, beside)))), (row.files, shape.id)
