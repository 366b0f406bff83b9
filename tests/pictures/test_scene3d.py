"""Interactive twins: the same bytes, the data of the rows, and nothing from data taken for markup."""

import base64
import html
import json
import re
from dataclasses import replace

import numpy as np
import trimesh

from alignparts.core.run import start
from alignparts.pictures import scene3d
from alignparts.pictures.gallery import Panel, Row, legend_of, palette_of
from alignparts.pictures.scene3d import LIBRARY, MOST_POINTS, save_gallery, write_scene

EVIL = "</script><img src=x onerror=alert(1)>&\"'{{ 7 * 7 }}"


def cloud(n=20, **keys):
    points = np.random.default_rng(0).uniform(-1, 1, (n, 3)).astype(np.float32)
    keys = {"part": np.arange(n) % 2, "names": ["leg", "seat"], **keys}
    return Panel("ours", points, **keys)


def box():
    triangles = trimesh.creation.box((2, 2, 2)).triangles.astype(np.float32)
    return Panel("truth", triangles, np.repeat([0, 1, -1], 4), ["leg", "lid"])


def data_of(text):
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', text, re.S)[1])


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_page_repeats_and_needs_no_network(tmp_path):
    rows = [Row("one", [cloud(), box()])]
    first = write_scene(tmp_path / "a" / "x.html", "A page", rows)
    second = write_scene(tmp_path / "b" / "y.html", "A page", rows)
    assert first.read_bytes() == second.read_bytes()
    text = first.read_text()
    assert f'<script src="{LIBRARY}"></script>' in text
    assert "http" not in text
    assert '<meta name="viewport"' in text and "<title>A page</title>" in text
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [LIBRARY, "x.html"]


def test_library_is_written_once(tmp_path):
    write_scene(tmp_path / "x.html", "x", [Row("one", [cloud()])])
    before = (tmp_path / LIBRARY).stat()
    write_scene(tmp_path / "y.html", "y", [Row("one", [cloud()])])
    after = (tmp_path / LIBRARY).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    (tmp_path / LIBRARY).write_text("broken off")
    write_scene(tmp_path / "y.html", "y", [Row("one", [cloud()])])
    assert (tmp_path / LIBRARY).stat().st_size == before.st_size


def test_data_cannot_become_markup(tmp_path):
    one = cloud(names=[EVIL, "seat"], note=EVIL)
    text = write_scene(tmp_path / "x.html", EVIL, [Row(EVIL, [one])]).read_text()
    assert "<img" not in text
    assert "49" not in re.sub(r'<script id="data".*?</script>', "", text, flags=re.S).split("<script>")[0]
    assert text.count("</script>") == 3
    assert f"<title>{html.escape(EVIL, quote=True)[:20]}" in text
    data = data_of(text)
    assert data["rows"][0]["title"] == EVIL
    assert data["rows"][0]["panels"][0]["looks"][0]["label"] == EVIL


def test_views_show_the_rows(tmp_path):
    row = Row("one", [cloud(), box()])
    data = data_of(write_scene(tmp_path / "x.html", "x", [row]).read_text())
    shown = data["rows"][0]
    for one, panel in zip(shown["panels"], row.panels, strict=True):
        body = data["bodies"][one["body"]]
        places = np.stack([numbers(body[axis], "<i2") for axis in "xyz"], axis=1) / scene3d.UNIT
        if panel.body.ndim == 3:
            places = places[numbers(body["faces"], "<u2").reshape(-1, 3)]
        assert np.allclose(places, panel.body, atol=0.5001 / scene3d.UNIT)
        assert np.array_equal(numbers(one["part"], "<i2"), panel.part)
        assert {look["part"] for look in one["looks"]} == set(panel.part.tolist())
    legend = {entry["key"]: entry["color"] for entry in shown["legend"]}
    assert list(legend) == list(legend_of(row, palette_of([row])))
    for one in shown["panels"]:
        assert all(legend[look["key"]] == look["color"] for look in one["looks"])


def test_bodies_are_written_once_and_large_ones_thinned(tmp_path):
    many = cloud(5000)
    row = Row("one", [many, cloud(5000, part=np.full(5000, -1))])
    data = data_of(write_scene(tmp_path / "x.html", "x", [row, row]).read_text())
    assert len(data["bodies"]) == 1
    assert len(numbers(data["rows"][0]["panels"][0]["part"], "<i2")) == MOST_POINTS
    kept = scene3d._some(many.body)
    assert np.array_equal(numbers(data["rows"][0]["panels"][0]["part"], "<i2"), many.part[kept])


def test_large_meshes_become_points_by_area(tmp_path, monkeypatch):
    monkeypatch.setattr(scene3d, "MOST_FACES", 100)
    small = np.random.default_rng(0).uniform(-1e-4, 1e-4, (3000, 3, 3))
    large = np.random.default_rng(1).uniform(-1, 1, (500, 3, 3))
    mesh = Panel(
        "t", np.concatenate([small, large]).astype(np.float32), np.repeat([0, 1], [3000, 500]), ["a", "b"]
    )
    data = data_of(write_scene(tmp_path / "x.html", "x", [Row("one", [mesh])]).read_text())
    assert "faces" not in data["bodies"][0]
    part = numbers(data["rows"][0]["panels"][0]["part"], "<i2")
    assert (part == 1).sum() > 480


def test_a_page_stays_small(tmp_path):
    grid = np.random.default_rng(0).uniform(-1, 1, (12_000, 3, 3)).astype(np.float32)
    panels = [Panel(f"m{k}", grid, np.arange(12_000) % 5, list("abcde")) for k in range(6)]
    page = write_scene(tmp_path / "x.html", "x", [Row("one", panels), Row("two", panels)])
    assert page.stat().st_size < 1_500_000


def test_unlabeled_and_close_ups(tmp_path):
    nothing = cloud(part=np.full(20, -1), names=[])
    close = cloud(zoom=5.0)
    data = data_of(write_scene(tmp_path / "x.html", "x", [Row("one", [nothing, close])]).read_text())
    first, second = data["rows"][0]["panels"]
    assert [look["label"] for look in first["looks"]] == ["unlabeled"]
    assert second["reach"] > first["reach"]


def test_a_gallery_is_a_picture_and_a_page(tmp_path):
    run = replace(start("tour"), reports=tmp_path)
    figure = save_gallery(run, "shapes", "Some shapes", [Row("one", [cloud(), box()])])
    assert figure.get_figwidth() > 0
    assert (tmp_path / "tour" / "shapes.png").stat().st_size > 1000
    assert "<title>Some shapes</title>" in (tmp_path / "3d" / "tour" / "shapes.html").read_text()
