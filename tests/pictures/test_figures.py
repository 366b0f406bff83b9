"""Pictures: something is on them, and always the same."""

import numpy as np
import pytest
import trimesh
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alignparts.corpus.mesh.surface import make_surface
from alignparts.pictures.figures import contact_sheet, draw_surface, named_sheet, picture_of_parts
from alignparts.pictures.palette import color_of, colors_of, palette


def box(**keys):
    mesh = trimesh.creation.box((1, 2, 1))
    return make_surface(mesh.vertices, mesh.faces, **keys)


def test_a_name_has_one_color():
    assert color_of("leg") == color_of("leg")
    assert len({color_of(name) for name in ("leg", "seat", "back", "arm", "wheel", "door")}) == 6
    colors = colors_of(np.array([1, -1, 0]), ["leg", "seat"], palette(["leg", "seat"]))
    assert np.allclose(colors[0], color_of("seat"))
    assert np.allclose(colors[2], color_of("leg"))


def test_names_of_one_picture_are_told_apart():
    names = [f"part_{number}" for number in range(16)]
    chosen = palette(names)
    assert chosen == palette(names[::-1])
    colors = np.array([chosen[name] for name in names])
    distance = np.linalg.norm(colors[:, None] - colors, axis=2)[np.triu_indices(16, 1)]
    assert distance.min() > 0.2
    assert palette(["leg"])["leg"] == color_of("leg")


def test_surface_is_drawn_in_its_colors_and_repeats():
    red = box(color=(1, 0, 0, 1))
    first = draw_surface(red, size=64)
    draw_surface(red, size=90)
    second = draw_surface(red, size=64)
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, second)
    middle = first[32, 32].astype(int)
    assert middle[0] > 2 * middle[1]
    assert (first[0, 0] > 240).all()


def test_textures_are_drawn():
    image = np.zeros((8, 8, 4), np.uint8)
    image[..., 1:] = 255
    image[..., 2] = 0
    uv = np.random.default_rng(0).uniform(0, 1, (8, 2)).astype(np.float32)
    for repeat in (1, 5):
        picture = draw_surface(box(uv=repeat * uv, texture=image, color=(1, 1, 1, 1)), size=64)
        middle = picture[32, 32].astype(int)
        assert middle[1] > 2 * middle[0]


def test_face_colors_replace_a_texture():
    red = np.zeros((2, 2, 4), np.uint8)
    red[..., [0, 3]] = 255
    faces = np.tile(np.float32([0, 0, 1]), (12, 1))
    middle = draw_surface(box(uv=np.zeros((8, 2)), texture=red), faces, size=64)[32, 32].astype(int)
    assert middle[2] > 2 * middle[0]


def test_a_picture_of_parts_has_a_legend_and_repeats(tmp_path):
    part = np.repeat([0, 1, -1], 4)
    for name in "ab":
        picture_of_parts(box(), part, ["leg", "leg"], ["leg 0.90", "leg 0.40 ?"], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("count", [1, 21, 22, 60, 200])
def test_no_entry_of_a_legend_is_cut(tmp_path, count, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    names = [f"part_{number}" for number in range(count)]
    part = np.append(np.arange(11) % count, -1)
    picture_of_parts(box(), part, names, [f"a_${name}_of_some$ 0.90?" for name in names], tmp_path / "a.png")
    canvas = FigureCanvasAgg(drawn[0])
    canvas.draw()
    entries = drawn[0].legends[0].get_texts()
    assert len(entries) == count + 1 and entries[-1].get_text() == "unlabeled"
    for entry in entries:
        box_of = entry.get_window_extent()
        assert min(box_of.min) >= 0 and (box_of.max <= drawn[0].bbox.max).all()
    assert all(axis.bbox.width > 150 for axis in drawn[0].axes)


def test_contact_sheet():
    sheet = contact_sheet([("box", box()), ("crate", box())], size=60)
    assert [axis.get_title() for axis in sheet.axes] == ["box", "crate"]


def test_a_named_sheet_shows_every_mesh_with_its_names():
    part = np.repeat([0, 1], 6)
    figure = named_sheet([("one", box(), part, ["lid", "body"]), ("two", box(), part, ["a", "b"])])
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == ["one", "two"]
    assert [text.get_text() for text in shown[0].get_legend().get_texts()] == ["lid", "body"]
    assert np.asarray(shown[0].images[0].get_array()).std() > 5  # not blank
