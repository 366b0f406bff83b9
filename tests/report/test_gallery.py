"""Figures 4 to 9: one color a name, borrowed colors, rows and the rules that choose them."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import trimesh
from matplotlib.axes import Axes
from matplotlib.text import Text

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import make_surface, surface_from_cloud
from alignparts.evaluation.ground_truth import Labeled
from alignparts.naming.prediction import Prediction
from alignparts.pictures import figures, gallery
from alignparts.pictures.gallery import Panel, Row, draw, legend_of, looks, palette_of, panel_grid
from alignparts.pictures.palette import UNLABELED_COLOR, color_of
from alignparts.report import figure_rows
from alignparts.report.figure_rows import borrowed_names, closeup_row, query_rows, shape_row, transfer_row
from alignparts.report.mesh_painting import MOST_FACES, Canvas, fine_triangles
from alignparts.report.selection import choose_fine, choose_rows, smallest_part


def tower():
    """Two boxes, one above the other, in the model frame: instance 0 below y = 0, instance 1 above."""
    lower, upper = (trimesh.creation.box((1, 0.8, 1)) for _ in range(2))
    lower.apply_translation((0, -0.6, 0))
    upper.apply_translation((0, 0.6, 0))
    mesh = trimesh.util.concatenate([lower, upper])
    return make_surface(mesh.vertices, mesh.faces, face_part=np.repeat([0, 1], 12).astype(np.int32))


def shape(shape_id="tower", category="lamp", names=("foot", "shade"), n=600, **arrays):
    sample = sample_surface(tower(), n, 0)
    part = sample.instance.astype(np.int64)
    stored = {"points": sample.points, "normals": sample.normals, "instance": sample.instance, **arrays}
    return Labeled(shape_id, "partnet", category, stored, part, list(names), list(names))


def panel(part, names, **keys):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (len(part), 3)).astype(np.float32)
    return Panel("ours", points, np.array(part), names, **keys)


def test_a_name_has_one_color_in_every_panel():
    rows = [
        Row("a", [panel([0, 1], ["leg", "seat"]), panel([1, 0], ["back", "leg"])]),
        Row("b", [panel([0, 0], ["leg"]), panel([-1, 2], ["x", "y", "leg"])]),
    ]
    colors = palette_of(rows)
    assert set(colors) == {"leg", "seat", "back"}
    seen = [
        look.color
        for row in rows
        for one in row.panels
        for look in looks(one, colors).values()
        if look.label == "leg"
    ]
    assert len(seen) == 4
    assert set(seen) == {color_of("leg")}


def test_legend_says_what_is_shown():
    row = Row("a", [panel([0, 2, -1, 3], ["z_leg", "seat", "lid", ""]), panel([1, 0, 0, 0], ["seat", "arm"])])
    legend = legend_of(row, palette_of([row]))
    shown = [look.label for look in legend.values()]
    assert shown[:4] == ["seat", "arm", "z leg", "lid"]
    assert sorted(shown[4:]) == [gallery.SURPLUS, gallery.UNLABELED]
    assert legend[gallery.UNLABELED].color == UNLABELED_COLOR


def test_further_segments_are_told_apart():
    one = panel([0, 1, 2, -1], ["", "", "leg"])
    found = looks(one, palette_of([Row("a", [one])]))
    grays = [found[part].color for part in (0, 1, -1)]
    assert len(set(grays)) == 3
    assert all(len(set(gray)) == 1 for gray in grays)
    assert min(abs(a[0] - b[0]) for a, b in [(grays[0], grays[1]), (grays[1], grays[2])]) > 0.1


def test_nameless_segments_are_not_said_to_have_names():
    one = panel([0], ["leg"], named=False)
    assert "no name" in looks(one, {"leg": (1.0, 0.0, 0.0)})[0].label


def test_points_and_triangles_are_drawn_in_their_colors():
    colors = {"leg": (1.0, 0.0, 0.0)}
    flat = panel([0] * 5000, ["leg"])
    triangles = trimesh.creation.box((1, 1, 1)).triangles.astype(np.float32)
    solid = Panel("mesh", triangles, np.zeros(12, int), ["leg"])
    for one in (flat, solid):
        middle = draw(one, colors, 64)[26:38, 26:38].reshape(-1, 3).astype(int).mean(axis=0)
        assert middle[0] > 2 * middle[1]
    gray = draw(replace(solid, part=np.full(12, -1)), {}, 64)[32, 32].astype(int)
    assert np.ptp(gray) < 30


def test_close_points_are_drawn_larger():
    near = panel([0], ["leg"])
    near = replace(near, body=np.zeros((1, 3), np.float32))
    covered = [
        int((draw(replace(near, zoom=zoom), {"leg": (0.0, 0.0, 0.0)}, 200) < 200).sum())
        for zoom in (1.0, 4.0)
    ]
    assert covered[1] > 4 * covered[0] > 0


def test_places_in_a_picture_are_where_they_are_drawn():
    at = (0.4, -0.3, 0.5)
    picture = draw(Panel("t", np.float32([at]), np.zeros(1, int), ["leg"]), {"leg": (0.0, 0.0, 0.0)}, 200)
    rows, columns = np.nonzero((picture < 200).all(axis=2))
    x, y, pixels = figures.project(at, 200)
    assert abs(columns.mean() - x) < 1 and abs(rows.mean() - y) < 1
    assert np.ptp(columns) == pytest.approx(2 * figures.POINT_RADIUS * pixels, abs=2)


def long_rows():
    """Two rows of panels with long titles, notes and legends, one of them a single panel."""
    names = [f"a_rather_long_part_name_{number}" for number in range(7)]
    one = panel(list(range(7)), names, note="mIoU 0.12, called something rather long")
    one = replace(one, title="a method with a long name, and told much", mark=((0.0, 0.0, 0.0), 0.1))
    return [Row("row " * 30, [one, one, one]), Row("$row^{", [panel([0, -1], ["$leg$"], note="x<b>")])]


def test_a_grid_shows_every_text_as_it_is_and_repeats():
    pictures = []
    for _ in range(2):
        figure = panel_grid(long_rows(), width=1.5, size=64)
        stream = io.BytesIO()
        figure.savefig(stream, dpi=50, metadata={"Software": None})
        pictures.append(stream.getvalue())
    assert pictures[0] == pictures[1]
    written = {text.get_text().replace("\n", " ").strip() for text in figure.findobj(Text)}
    assert {"$row^{", "$leg$", "x<b>", "unlabeled", "a method with a long name, and told much"} <= written
    assert sum(len(axis.get_images()) for axis in figure.findobj(Axes)) == 4


def test_nothing_lies_on_anything_else():
    figure = panel_grid(long_rows(), width=1.5, size=64)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.findobj(Text) if text.get_text().strip()]
    boxes += [axis.get_window_extent() for axis in figure.findobj(Axes) if axis.get_images()]
    assert len(boxes) > 20
    for number, first in enumerate(boxes):
        assert first.x0 >= -1 and first.x1 <= figure.bbox.x1 + 1 and first.y0 >= -1
        for second in boxes[:number]:
            wide = min(first.x1, second.x1) - max(first.x0, second.x0)
            high = min(first.y1, second.y1) - max(first.y0, second.y0)
            assert min(wide, high) < 1.5


def test_no_picture_is_stretched_and_a_slender_one_keeps_within_bounds():
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)) * (0.05, 1, 0.05)
    slender = Panel("t", points.astype(np.float32), np.zeros(200, int), ["leg"])
    figure = panel_grid([Row("a", [slender])], width=1.5, size=64)
    figure.draw_without_rendering()
    (axis,) = figure.findobj(Axes)
    box = axis.get_window_extent()
    assert box.height / box.width == pytest.approx(1.3, rel=0.01)
    assert abs(np.ptp(axis.get_ylim()) / np.ptp(axis.get_xlim())) == pytest.approx(1.3)


def test_borrowed_colors_follow_the_overlap():
    truth = np.repeat([0, 1, 2, -1], [6, 4, 2, 3])
    #                 part 0 (6)           part 1 (4)    part 2   unlabeled
    segment = np.array([3, 3, 3, 3, 3, 0, 1, 1, 1, 0, 1, 1, 2, 2, 2])
    # IoU of 3 with part 0: 5/6; 1 with part 1: 3/6 and part 2: 2/5; 0: 1/7 with part 0, 1/5 with part 1.
    # Part 1 to segment 0 and part 2 to segment 1 total 5/6 + 1/5 + 2/5; more than with part 1 to segment 1.
    assert borrowed_names(segment, truth, ["leg", "seat", "back"]) == ["seat", "back", "", "leg"]


def test_borrowed_colors_do_not_depend_on_numbers():
    rng = np.random.default_rng(0)
    names = [f"part {number}" for number in range(5)]
    for _ in range(20):
        truth, segment = rng.integers(-1, 5, 40), rng.integers(-1, 6, 40)
        order = rng.permutation(6)
        first = borrowed_names(segment, truth, names)
        second = borrowed_names(np.where(segment < 0, -1, order[segment]), truth, names)
        shown = [names_of(first, segment), names_of(second, np.where(segment < 0, -1, order[segment]))]
        assert shown[0] == shown[1]
        assert len([name for name in first if name]) == len({name for name in first if name})


def names_of(names, segment):
    return [names[one] if one >= 0 else None for one in segment]


def test_segments_without_points():
    truth = np.array([0, 1])
    assert borrowed_names(np.array([-1, -1]), truth, ["leg", "seat"]) == []
    assert borrowed_names(np.array([0, 2]), truth, ["leg", "seat"]) == ["leg", "", "seat"]


def test_large_triangles_are_cut():
    surface = tower()
    corners, face = fine_triangles(surface)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    scale = surface.frame()[1]
    assert np.allclose(np.bincount(face, areas), surface.areas() * scale**2, rtol=1e-4)
    assert 1000 < len(corners) <= MOST_FACES
    assert np.abs(corners).max() <= 1 + 1e-6
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normal * surface.normals()[face]).sum(axis=1) > 0).all()


def test_what_lies_around_is_cut_finer():
    center, radius = np.array([0.0, 1.0, 0.0]), 0.2
    corners, _ = fine_triangles(tower(), (center, radius))
    distance = np.linalg.norm(corners.mean(axis=1) - center, axis=1)
    assert distance.max() < 1.5 * radius
    assert np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1).max() < 0.05


def test_labels_are_carried_to_the_mesh():
    one = shape()
    canvas = Canvas(one, tower())
    upper = canvas.body.mean(axis=1)[:, 1] > 0
    assert (canvas.carry(one.truth, 2) == upper).mean() > 0.98
    assert np.array_equal(canvas.truth(), upper.astype(int))
    part = np.where(one.truth == 1, -1, 0)
    assert (canvas.carry(part, 1) == np.where(upper, -1, 0)).mean() > 0.98


def test_clouds_are_drawn_as_points():
    one = shape()
    surfels = surface_from_cloud(one.arrays["points"], one.arrays["normals"], np.ones((600, 3)))
    for canvas in (Canvas(one), Canvas(one, surfels)):
        assert np.array_equal(canvas.body, one.arrays["points"])
        assert np.array_equal(canvas.carry(one.truth, 2), one.truth)
        assert np.array_equal(canvas.truth(), one.truth)


def test_row_of_methods():
    one = shape()
    swapped = Prediction.of_names(1 - one.truth, ["shade", "foot"])
    nameless = Prediction.unnamed(1 - one.truth)
    nothing = Prediction.of_names(np.full(600, -1), [])
    row = shape_row("a lamp", one, {"ours": swapped, "theirs": nameless, "none": nothing}, tower())
    assert [panel.title for panel in row.panels] == ["ours", "theirs", "none", "ground truth"]
    assert row.panels[0].note == "mIoU 1.00, LA 1.00"
    assert row.panels[1].note == "mIoU 1.00, no names"
    colors = palette_of([row])
    pictures = [draw(panel, colors, 64) for panel in row.panels]
    assert np.mean(pictures[0] != pictures[1]) == 0
    assert np.mean((pictures[0] != pictures[3]).any(axis=2)) < 0.05
    assert looks(row.panels[2], colors).keys() == {-1}


def test_close_up_looks_at_the_smallest_part():
    base = shape()
    points = base.arrays["points"]
    # A part on the back, invisible from the camera: x < 0 and z lowest.
    knob = (points[:, 2] < points[:, 2].min() + 1e-3) & (points[:, 1] > 0.6)
    truth = np.where(knob, 2, base.truth)
    one = replace(base, truth=truth, names=["foot", "shade", "knob"], present=["foot", "shade", "knob"])
    assert smallest_part(one) == (2, int(knob.sum()), 600)
    theirs = Prediction.of_names(base.truth, ["foot", "shade"])
    found = {"theirs": theirs, "nameless": Prediction.unnamed(truth)}
    row = closeup_row(one, found)
    assert row.title.startswith(f"lamp: knob, {knob.sum()} of 600 labeled points")
    whole, theirs, nameless, last = row.panels
    assert "called shade" in theirs.note and nameless.note == "IoU 1.00"
    assert last.zoom == theirs.zoom > 1
    # The part is in the middle, and faces the camera now.
    inside = last.part == 2
    assert inside.sum() == knob.sum()
    assert np.abs(last.body[inside].mean(axis=0)).max() < 0.5
    # Panels turn alike: the mark is where the part is.
    center = np.array(whole.mark[0])
    at = whole.body[whole.part == 2]
    assert np.allclose((at.min(axis=0) + at.max(axis=0)) / 2, center, atol=1e-6)
    assert center[0] + center[2] > 0
    mesh = closeup_row(one, found, tower())
    assert all(panel.body.shape[1:] == (3, 3) for panel in mesh.panels)


def test_turns_are_quarters():
    points = np.random.default_rng(0).normal(size=(5, 3))
    turned = figure_rows._turned(points, 1)
    assert np.allclose(turned[:, 1], points[:, 1])
    assert np.allclose((turned * points)[:, [0, 2]].sum(axis=1), 0)
    assert np.array_equal(figure_rows._turned(points, 4), points)


@pytest.mark.parametrize("solid", [False, True])
def test_hidden_points_are_out_of_sight(solid):
    body = tower().vertices[tower().faces].astype(np.float32) if solid else shape(n=2000).arrays["points"]
    depth = body.reshape(len(body), -1, 3).mean(axis=1)[:, 2]
    front, back = depth > 0.499, depth < -0.499
    assert figure_rows._in_sight(body, front) > 1000
    assert figure_rows._in_sight(body, back) < 0.15 * figure_rows._in_sight(body, front)


def test_row_of_a_transfer():
    source, target = shape("a"), shape("b", names=("foot", "lid"))
    wrong = Prediction.of_names(np.zeros(600, int), ["shade"])
    row = transfer_row(
        "lamps", source, target, {"right": Prediction.of_names(target.truth, target.names), "wrong": wrong}
    )
    assert [panel.title for panel in row.panels] == ["source", "right", "wrong", "target, ground truth"]
    assert [panel.note for panel in row.panels][1:3] == ["100% of points right", "0% of points right"]


def test_rows_of_queries():
    one = shape()
    masks = np.stack([one.truth == 0, np.zeros(600, bool)])
    rows = query_rows("lamp", one, {"ours": masks})
    assert [row.title for row in rows] == ["lamp: “foot”", "lamp: “shade”"]
    assert [row.panels[0].note for row in rows] == ["IoU 1.00", "IoU 0.00"]
    for row, part in zip(rows, (0, 1), strict=True):
        assert np.array_equal(row.panels[-1].part == 0, one.truth == part)
    assert (rows[1].panels[0].part == -1).all()
    most = query_rows("lamp", one, {"ours": masks}, most=1)
    assert len(most) == 1 and most[0].panels[0].names == [one.names[np.bincount(one.truth).argmax()]]


def scores(values, metric="miou", test_set="partnet", method="ALIGN-Parts"):
    return pd.DataFrame(
        [
            (method, seed, shape_id, test_set, category, metric, value + (0.01 if seed else -0.01))
            for shape_id, category, value in values
            for seed in (0, 1)
        ],
        columns=["method", "seed", "shape_id", "test_set", "category", "metric", "value"],
    )


def test_rows_are_chosen_by_quantiles():
    values = [(f"s{number}", f"c{number}", number / 10) for number in range(11)]
    frame = scores(values)
    assert choose_rows(frame) == ["s9", "s5", "s1"]
    assert choose_rows(frame.sample(frac=1, random_state=0)) == ["s9", "s5", "s1"]
    one_category = scores([(shape_id, "c", value) for shape_id, _, value in values])
    assert choose_rows(one_category) == ["s9"]
    held = scores(values, test_set="heldout")
    assert choose_rows(held, test_sets=["heldout"], quantiles=[0.5]) == ["s5"]
    with pytest.raises(AlignPartsError, match="no score"):
        choose_rows(held)


def test_ties_fall_by_the_seed_not_by_the_order():
    tied = scores([(f"s{number}", "c", 0.5) for number in range(20)])
    chosen = [choose_rows(tied, quantiles=[0.5], seed=seed)[0] for seed in range(5)]
    assert len(set(chosen)) > 1
    assert chosen == [choose_rows(tied[::-1], quantiles=[0.5], seed=seed)[0] for seed in range(5)]


def test_finest_parts_are_chosen():
    def with_small(shape_id, category, count):
        truth = np.zeros(600, np.int64)
        truth[:count] = 1
        return replace(shape(shape_id, category), truth=truth)

    shapes = [
        with_small("a", "lamp", 30), with_small("b", "lamp", 20),
        with_small("c", "chair", 40), with_small("d", "bed", 5),
    ]  # fmt: skip
    assert choose_fine(shapes) == ["b", "c"]
    assert choose_fine(shapes[::-1], count=1) == ["b"]
