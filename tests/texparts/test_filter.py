"""Which files are left out and why; none of them stops the stage."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import smoke
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from llm_server import Act, Server, server  # noqa: F401
from PIL import Image, ImageFile

from alignparts.core.config import Params, load_params
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.surface import make_surface
from alignparts.ontology.llm.client import LanguageModel
from texparts.filter import filter as stage
from texparts.filter import inspection
from texparts.filter.claims import check_claims, image_size
from texparts.filter.filter import COLUMNS, filter_folder, read_filtered, refused
from texparts.filter.inspection import Asked, components, inspect, thickness
from texparts.filter.rejected import REASONS, Rejected
from texparts.filter.sandbox import Died, isolated_map
from texparts.filter.sources import find_sources, one_line
from texparts.raw.malformed import KINDS, glb_of, png_bomb, with_texture
from texparts.raw.synthetic import TexVerseLike, write_texverse_like

TEXPARTS = smoke.block("texparts", thumbnail=32)
SMALL = {"base": {"workers": 1}, "texparts": {"shapes": 4, "unseen": 1, "thumbnail": 32}}


def params() -> Params:
    return smoke.params(**SMALL)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> TexVerseLike:
    return write_texverse_like(tmp_path_factory.mktemp("texverse"), params(), 0)


@pytest.fixture(scope="module")
def filtered(embedded: TexVerseLike, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("root")
    return root, filter_folder(embedded.root, root, params().texparts, workers=2)


def cube(side: float = 1.0) -> trimesh.Trimesh:
    mesh = trimesh.creation.box((side, side, side))
    mesh.visual.face_colors = np.random.default_rng(0).integers(0, 255, (12, 4), np.uint8)
    return mesh


def test_the_embedded_folder_is_texverses_and_holds_no_labels(embedded: TexVerseLike) -> None:
    kinds = {kind for kind, _ in readers.detect(embedded.root)}
    assert kinds == {"texverse"}
    assert set(embedded.malformed().values()) == set(KINDS)
    good = sorted(embedded.truth.glob("*.npy"))
    assert len(good) == 4
    categories = set()
    for path in good:
        category, names, labels = embedded.labels(path.stem)
        categories.add(category)
        (glb,) = embedded.root.glob(f"glbs/*/*/{path.stem}_1024.glb")
        mesh = load_mesh(glb)
        assert len(labels) == len(mesh.surface.faces) and labels.max() == len(names) - 1
        content = glb.read_bytes()
        assert not any(f'"{name}"'.encode() in content for name in names)
        # A part is in one piece far more often than a random choice of faces would be.
        for part in range(len(names)):
            inside = mesh.surface.subset(labels == part)
            assert components(inside) < max(0.5 * len(inside.faces), 2)
    words = load_dialects()
    unseen = {words.category(name, words.datasets(name)[0]) for name in params().corpus.heldout}
    assert len(categories & unseen) == 1


def test_writing_again_changes_nothing_and_another_seed_changes_all(embedded: TexVerseLike) -> None:
    def stamps() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in embedded.root.rglob("*.glb")}

    before = stamps()
    more = smoke.params(**{**SMALL, "texparts": {"shapes": 5, "unseen": 1}})
    write_texverse_like(embedded.root.parent, more, 0)
    assert len(stamps()) == len(before) + 1 and before.items() <= stamps().items()
    write_texverse_like(embedded.root.parent, params(), 0)
    assert stamps() == before


def test_other_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "texverse").mkdir()
    (tmp_path / "texverse" / "mine.txt").write_text("x")
    with pytest.raises(AlignPartsError, match="not empty"):
        write_texverse_like(tmp_path, params(), 0)


def test_every_kind_of_broken_file_has_its_reason(
    embedded: TexVerseLike, filtered: tuple[Path, pd.DataFrame]
) -> None:
    root, table = filtered
    assert tuple(table.columns) == COLUMNS
    rows = table.set_index("object_id")
    malformed = embedded.malformed()
    for object_id, kind in malformed.items():
        assert (kind, rows.loc[object_id, "reason"]) == (kind, KINDS[kind].reason)
        assert rows.loc[object_id, "detail"] and not rows.loc[object_id, "kept"]
        assert str(embedded.root) not in rows.loc[object_id, "detail"]
    assert set(rows.index[rows["kept"]]) == set(rows.index) - set(malformed)
    assert set(table["reason"]) - {""} <= set(REASONS)
    for object_id in rows.index[rows["kept"]]:
        with Image.open(root / "thumbnails" / f"{object_id}.png") as picture:
            assert picture.size == (32, 32)
            assert np.ptp(np.asarray(picture.convert("L"))) > 30
    folder, again = read_filtered(root)
    assert folder == embedded.root.resolve()
    pd.testing.assert_frame_equal(again, table)


def test_no_detail_names_the_folder_that_the_data_set_lies_in(
    embedded: TexVerseLike, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(embedded.root.parent)
    here = filter_folder(Path(embedded.root.name), tmp_path / "a", params().texparts)
    monkeypatch.chdir(embedded.root)
    inside = filter_folder(Path("."), tmp_path / "b", params().texparts)
    far = filter_folder(embedded.root, tmp_path / "c", params().texparts)
    assert here.equals(far) and inside.equals(far)
    assert not far["detail"].str.contains(str(embedded.root.parent), regex=False).any()
    assert far["detail"].str.contains("scene.bin", regex=False).any()


def test_a_second_run_opens_nothing_and_says_the_same(
    embedded: TexVerseLike, filtered: tuple[Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, table = filtered
    text = (root / "filtered.csv").read_bytes()
    log = (root / "inspections.jsonl").read_bytes()
    monkeypatch.setattr(stage, "isolated_map", lambda _, asked, **__: map(pytest.fail, asked))
    pd.testing.assert_frame_equal(filter_folder(embedded.root, root, params().texparts), table)
    assert (root / "filtered.csv").read_bytes() == text
    # Half of a run, and a line that was being written when it was killed.
    lines = log.splitlines(keepends=True)
    (root / "inspections.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    monkeypatch.undo()
    calls: list[Asked] = []
    monkeypatch.setattr(
        stage, "isolated_map", lambda _, asked, **__: (calls.append(one) or inspect(one) for one in asked)
    )
    filter_folder(embedded.root, root, params().texparts)
    assert len(calls) == 1
    assert (root / "inspections.jsonl").read_bytes() == log
    assert (root / "filtered.csv").read_bytes() == text


def test_a_killed_run_goes_on(embedded: TexVerseLike, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from texparts.filter.filter import filter_folder; "
        "from alignparts.core.config import load_params\n"
        f"filter_folder(Path({str(embedded.root)!r}), Path({str(tmp_path)!r}), load_params().texparts)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True
    )
    log = tmp_path / "inspections.jsonl"
    for _ in range(1000):
        if log.is_file() and log.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "filtered.csv").exists()
    first = log.read_bytes().splitlines()[:3]
    table = filter_folder(embedded.root, tmp_path, load_params().texparts, workers=2)
    assert log.read_bytes().splitlines()[:3] == first
    assert table["kept"].sum() == 4


def test_a_bomb_is_never_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png_bomb()
    assert len(bomb) < 1000
    path = tmp_path / "bomb.glb"
    path.write_bytes(with_texture(glb_of(make_surface(cube().vertices, cube().faces)), bomb, "image/png"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    for pixels in (8192**2, 10**12):
        found = inspect(Asked(path, smoke.block("texparts", filter={"texture_pixels": pixels}).filter, 16))
        assert found.reason == "texture_too_large" and "900,000,000" in found.detail
    # Below what Pillow itself refuses, the project's own limit holds.
    path.write_bytes(
        with_texture(glb_of(make_surface(cube().vertices, cube().faces)), png_bomb(9000), "image/png")
    )
    found = inspect(Asked(path, TEXPARTS.filter, 16))
    assert found.reason == "texture_too_large" and "9,000 x 9,000" in found.detail


@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_a_bomb_beside_a_mesh_is_never_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    uv = trimesh.visual.TextureVisuals(uv=np.zeros((8, 2)), image=Image.new("RGB", (4, 4)))
    mesh = trimesh.creation.box()
    mesh.visual = uv
    if suffix == "obj":
        mesh.export(tmp_path / "a.obj")
        (image,) = tmp_path.glob("*.png")
        image.write_bytes(png_bomb())
    else:
        (tmp_path / "skin.png").write_bytes(png_bomb())
        text = mesh.export(file_type="ply", encoding="ascii")
        (tmp_path / "a.ply").write_bytes(
            text.replace(b"comment", b"comment TextureFile skin.png\ncomment", 1)
        )
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    assert inspect(Asked(tmp_path / f"a.{suffix}", TEXPARTS.filter, 16)).reason == "texture_too_large"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_an_image_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(Rejected):
        image_size("x", b"\x89PNG\r\n\x1a\n" + data)


def test_any_header_is_at_worst_unreadable(tmp_path: Path) -> None:
    header = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "children": []}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 0}]}],
        "accessors": [{"count": 9, "bufferView": 0, "componentType": 5126, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 12}], "buffers": [{"byteLength": 12}],
        "images": [{"uri": "x.png"}], "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }  # fmt: skip
    path = tmp_path / "a.gltf"
    for key in header:
        for value in (
            None,
            3,
            "text",
            [],
            {},
            [None],
            [[]],
            [{}],
            [-1],
            [{"count": "many"}],
            [{"nodes": [0, 0]}],
        ):
            path.write_text(json.dumps({**header, key: value}))
            assert inspect(Asked(path, TEXPARTS.filter, 16)).reason in REASONS
    path.write_text("[" * 100_000)
    assert inspect(Asked(path, TEXPARTS.filter, 16)).reason == "unreadable"


def crash(how: str) -> str:
    time.sleep(0.2)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "sleep":
        time.sleep(60)
    if how == "memory":
        return str(len(np.ones(1 << 30)))
    if how == "raise":
        raise ValueError("mine")
    return how


def test_a_process_dies_alone() -> None:
    options = {"seconds": 3.0, "megabytes": 512, "workers": 2, "preload": ("numpy",)}
    found = list(isolated_map(crash, ["a", "kill", "b", "memory", "sleep", "c"], **options))
    assert [one if isinstance(one, str) else one.reason for one in found] == [
        "a", "crashed", "b", "too_much_memory", "too_slow", "c",
    ]  # fmt: skip
    assert isinstance(found[1], Died) and "SIGSEGV" in found[1].detail
    with pytest.raises(ValueError, match="mine"):
        list(isolated_map(crash, ["raise"], **options))


def test_a_file_that_kills_its_reader_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube().export(tmp_path / "good.glb")
    (tmp_path / "slow.glb").write_bytes(b"x")
    died = Died("too_slow", "no result after 1 s")
    monkeypatch.setattr(stage, "isolated_map", lambda _, asked, **__: (died for _ in asked))
    table = filter_folder(tmp_path, tmp_path / "out", TEXPARTS)
    assert set(table["reason"]) == {"too_slow"}
    monkeypatch.undo()
    # Not for ever: the next run tries again.
    table = filter_folder(tmp_path, tmp_path / "out", TEXPARTS).set_index("object_id")
    assert table.loc["good", "kept"] and table.loc["slow", "reason"] == "unreadable"


def test_limits_are_those_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    cube(2).export(path)
    cases: list[tuple[str, dict[str, object]]] = [
        ("", {}),
        ("too_few_faces", {"faces": (13, 20)}),
        ("too_many_faces", {"faces": (1, 11)}),
        ("file_too_large", {"megabytes": 1e-4}),
        ("scale", {"longest_side": (3, 4)}),
        ("flat", {"thickness": 0.99999999}),
        ("too_many_components", {"components": 5}),
    ]
    mesh = cube(2)
    for reason, changed in cases:
        if reason == "too_many_components":
            trimesh.util.concatenate([mesh.copy().apply_translation([5 * i, i, i]) for i in range(6)]).export(
                path
            )
        if reason == "flat":
            trimesh.creation.box((1, 1, 0.5)).export(path)
        limits = smoke.block("texparts", filter={"textured": False, **changed}).filter
        assert inspect(Asked(path, limits, 16)).reason == reason


def test_components_and_thickness_of_known_shapes() -> None:
    ball = trimesh.creation.icosphere(2)
    surface = make_surface(ball.vertices, ball.faces)
    assert components(surface) == 1 and thickness(surface) > 0.9
    # The same triangles with corners of their own are still one piece.
    soup = make_surface(ball.triangles.reshape(-1, 3), np.arange(3 * len(ball.faces)).reshape(-1, 3))
    assert components(soup) == 1
    both = np.r_[soup.vertices, soup.vertices + 3]
    assert components(make_surface(both, np.r_[soup.faces, soup.faces + len(soup.vertices)])) == 2
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])[:3, :3]
    slab = make_surface(
        (trimesh.creation.box((4, 2, 0.1)).vertices) @ turn.T * 1e-9, trimesh.creation.box().faces
    )
    assert thickness(slab) == pytest.approx(0.1 / 4, rel=0.2)
    assert thickness(replace(slab, vertices=slab.vertices * 1e30)) == pytest.approx(thickness(slab))


@pytest.mark.parametrize(
    ("license", "out"),
    [
        ("CC Attribution", False), ("CC Attribution-NoDerivs", True), ("CC BY-NC-ND 4.0", True),
        ("by-nd", True),
        ("CC Attribution-NonCommercial-NoDerivs", True), ("Standard", False), ("", False),
        ("Creative Commons: No Derivatives", True), ("Andover Font License", False),
    ],
)  # fmt: skip
def test_licenses(license: str, out: bool) -> None:
    assert bool(refused(license, TEXPARTS.filter.refused_licenses)) is out


def test_any_folder_has_ids_fit_for_files(tmp_path: Path) -> None:
    for name in (
        "a/b.glb",
        "a_b.obj",
        "A_B.stl",
        "größe.ply",
        "x" * 200 + ".off",
        ".hidden.glb",
        "-.glb",
        "n.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    ids = [source.object_id for source in find_sources(tmp_path)]
    assert len(ids) == 6 == len({one.lower() for one in ids})
    assert all(len(one) <= 100 and one.isascii() and one[0].isalnum() for one in ids)
    with pytest.raises(AlignPartsError, match="no such folder"):
        find_sources(tmp_path / "none")
    (tmp_path / "void").mkdir()
    with pytest.raises(AlignPartsError, match=r"no mesh file.*\.glb"):
        find_sources(tmp_path / "void")
    with pytest.raises(AlignPartsError, match="texparts filter"):
        read_filtered(tmp_path)


def test_words_of_others_are_one_short_line() -> None:
    assert one_line("a\n\tb\x00\u202ec") == "a b c"
    assert len(one_line("x" * 10_000)) == 200
    assert one_line(None) == one_line(3) == ""


def test_a_language_model_may_judge(tmp_path: Path, server: Server) -> None:
    for name, side in (("chair", 1.0), ("room", 2.0)):
        mesh = cube(side)
        mesh.apply_scale([1, side, 1])
        mesh.export(tmp_path / f"{name}.glb")

    def decide(seen: object) -> Act:
        usable = "chair" in str(getattr(seen, "text", ""))
        reply = {
            "usable": usable,
            "reason": "as its title says it",
            "category": "Office Chair" if usable else "",
        }
        return Act(content=json.dumps(reply))

    server.decide = decide
    online = LanguageModel(server.url, "eyes", tmp_path / "replies", api_key="")
    root = tmp_path / "out"
    table = filter_folder(tmp_path, root, TEXPARTS, llm=online).set_index("object_id")
    assert table.loc["chair", "kept"] and table.loc["chair", "category"] == "office_chair"
    assert table.loc["room", "reason"] == "language_model" and "title" in table.loc["room", "detail"]
    assert "image_url" in json.dumps(server.seen[0].body)
    # The record answers the second time.
    offline = LanguageModel("recorded", "eyes", tmp_path / "replies")
    again = filter_folder(tmp_path, root, TEXPARTS, llm=offline)
    pd.testing.assert_frame_equal(again.set_index("object_id"), table)
    assert len(server.seen) == 2


def test_pictures_are_of_the_front(tmp_path: Path) -> None:
    """A box red in front, green on its right side, blue on top and black elsewhere."""
    box = trimesh.creation.box()
    color = np.zeros((12, 4))
    color[:, 3] = 1
    for axis, channel in ((2, 0), (0, 1), (1, 2)):
        color[box.face_normals[:, axis] > 0.5, channel] = 1
    surface = make_surface(box.vertices, box.faces, color=color)
    pixels = np.asarray(Image.open(io.BytesIO(inspection.thumbnail(surface, 64))).convert("RGB")).astype(int)
    amounts = [int((pixels[..., c] > pixels.sum(axis=2) - pixels[..., c] + 60).sum()) for c in range(3)]
    assert amounts[0] > amounts[1] > amounts[2] > 20


def test_names_and_links_that_fit_no_table_are_rows(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    cube().export(tmp_path / "outside.glb")
    (folder / "link.glb").symlink_to(tmp_path / "outside.glb")
    cube().export(folder / "good.glb")
    try:
        os.rename(folder / "good.glb", os.fsencode(folder) + b"/bad\xff.glb")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    cube().export(folder / "good.glb")
    for _ in range(2):  # again, from the record
        table = filter_folder(folder, tmp_path / "out", TEXPARTS).set_index("file")
        assert list(table.reason[::2]) == ["unreadable"] * 2 and table.reason["good.glb"] != "unreadable"
        assert list(table.index) == ["bad\\xff.glb", "good.glb", "link.glb"]
        assert table.detail["bad\\xff.glb"] == "its name is not UTF-8; rename it"
        assert table.detail["link.glb"].startswith("a link to a file outside the folder")


def test_materials_outside_are_not_read_and_blanks_take_no_time(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "outside.mtl").write_text("newmtl m\nmap_Kd skin.png\n")
    blanks = b" " * 60_000
    face = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    for line, said in (
        (b"mtllib ../../outside.mtl\n", "outside"),
        (b"mtllib a" + blanks + b"b\n", ""),
        (b"mtllib " + b"x" * 9000 + b"\n", "sense"),
    ):
        path = folder / "a.obj"
        path.write_bytes(line + face)
        began = time.perf_counter()
        if said:
            with pytest.raises(Rejected, match=said):
                check_claims(path, path.read_bytes(), TEXPARTS.filter)
        else:
            with suppress(Rejected):
                check_claims(path, path.read_bytes(), TEXPARTS.filter)
        assert time.perf_counter() - began < 2
    (folder / "a.mtl").write_bytes(b"\n" * 60_000 + b"map_Kd a" + blanks + b"b\n")
    (folder / "a.obj").write_bytes(b"mtllib a.mtl\n" + face)
    (folder / "a.ply").write_bytes(b"ply\ncomment TextureFile a" + blanks + b"b\n")
    for name in ("a.obj", "a.ply"):
        began = time.perf_counter()
        with suppress(Rejected):
            check_claims(folder / name, (folder / name).read_bytes(), TEXPARTS.filter)
        assert time.perf_counter() - began < 2
