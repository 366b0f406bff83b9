"""Curves: their tables against direct evaluation, and pictures that show what the tables say."""

import numpy as np
import pandas as pd
import pytest
import toy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE, COLUMNS, score_table, setting_table
from alignparts.evaluation.experiments.robustness import at_points, points_scores
from alignparts.evaluation.ground_truth import labeled_shapes, load_labeled
from alignparts.evaluation.methods import FIND3D, MPNET, OURS, PARTFIELD
from alignparts.evaluation.part_analysis import NONE, confusion_matrix, leaderboard, part_rows, size_table
from alignparts.features.store import FeatureStore
from alignparts.model.metrics import shape_metrics
from alignparts.naming.prediction import Prediction
from alignparts.report.plots import (
    METHOD_COLORS,
    OTHER_COLORS,
    draw_confusion,
    draw_leaderboard,
    draw_setting,
    draw_sizes,
    method_styles,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FeatureStore:
    made = FeatureStore(tmp_path_factory.mktemp("store"), "toy")
    for index in range(6):
        arrays, meta = toy.shape(list(toy.PARTS)[index % 3], index)
        meta |= {"split": "validation", "dataset": ("compat", "partnet")[index % 2]}
        made.add(f"s{index}", arrays, meta)
    made.flush()
    return made


def find(shape):
    """Named by the height of a point, so that few points are worse than many; and unnamed."""
    height = (shape.arrays["points"][:, 1] > 0).astype(np.int64)
    named = Prediction.of_names(np.where(shape.arrays["points"][:, 2] > 0.45, -1, height), shape.present[:2])
    return {OURS: named, PARTFIELD: Prediction.unnamed(height)}


@pytest.fixture(scope="module")
def seen(store) -> pd.DataFrame:
    return points_scores(store, find, toy.encode, points=(8, 32, 96), splits=["validation"], scored=96)


@pytest.fixture(scope="module")
def rows(store) -> pd.DataFrame:
    parts = [
        part_rows(method, shape, found)
        for shape in labeled_shapes(store, ["validation"], 96)
        for method, found in find(shape).items()
    ]
    return pd.concat(parts, ignore_index=True)


def texts(figure: Figure) -> list[str]:
    return [one.get_text() for axis in figure.axes for one in axis.texts]


def clipped(figure: Figure) -> list[str]:
    """Words that reach beyond the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    outer, renderer = figure.bbox, canvas.get_renderer()
    words = [one for axis in figure.axes for one in (*axis.get_xticklabels(), *axis.get_yticklabels(),
             axis.title, axis.xaxis.label, axis.yaxis.label)]  # fmt: skip
    words += [one for legend in figure.legends for one in legend.get_texts()]
    boxes = {one.get_text(): one.get_window_extent(renderer) for one in words if one.get_text()}
    return [
        said for said, box in boxes.items()
        if box.x0 < outer.x0 - 1 or box.y0 < outer.y0 - 1 or box.x1 > outer.x1 + 1 or box.y1 > outer.y1 + 1
    ]  # fmt: skip


def drawn(figure: Figure, panel: int, color: str) -> np.ndarray:
    lines = [line for line in figure.axes[panel].get_lines() if line.get_color() == color]
    assert len(lines) == 1
    return np.asarray(lines[0].get_ydata())


def test_colors_are_fixed_and_apart():
    assert {FIND3D, MPNET, OURS, PARTFIELD} < set(METHOD_COLORS)
    colors = [*METHOD_COLORS.values(), *OTHER_COLORS]
    assert len({to_rgb(one) for one in colors}) == len(colors)
    first, second = method_styles([OURS, "mine", "yours"]), method_styles(["yours", PARTFIELD, "mine", OURS])
    assert all(first[name] == second[name] for name in first)
    assert first[OURS].color == METHOD_COLORS[OURS]
    assert list(second) == [OURS, PARTFIELD, "mine", "yours"]
    assert len(set(second.values())) == 4
    assert len(method_styles(map(str, range(40)))) == 40


def test_all_points_score_as_they_are(seen, store):
    whole = seen[seen.points == 96]
    for shape in labeled_shapes(store, ["validation"], 96):
        for method, found in find(shape).items():
            own = whole[(whole.shape_id == shape.shape_id) & (whole.method == method)]
            names = found.names if found.named else 2
            values = shape_metrics(found.point_part, names, shape.truth, shape.names)
            for metric, value in values.items():
                assert own[own.metric == metric].value.item() == pytest.approx(value)


def test_few_points_are_scored_on_all(seen, store):
    for shape_id in store.ids():
        shape = load_labeled(store, shape_id, 96)
        few = at_points(shape, 8)
        assert len(few.truth) == 8 and few.present == shape.present
        assert {tuple(one) for one in few.arrays["points"]} < {tuple(one) for one in shape.arrays["points"]}
        found = find(few)[OURS]
        place = cdist(shape.arrays["points"], few.arrays["points"]).argmin(axis=1)
        values = shape_metrics(found.point_part[place], found.names, shape.truth, shape.names)
        own = seen[(seen.shape_id == shape_id) & (seen.points == 8) & (seen.method == OURS)]
        assert own[own.metric == "miou"].value.item() == pytest.approx(values["miou"])


def test_fewer_points_are_among_more(store):
    shape = load_labeled(store, "s0", 96)
    sets = [{tuple(one) for one in at_points(shape, n).arrays["points"]} for n in (8, 32, 96, 500)]
    assert sets[0] < sets[1] < sets[2] == sets[3]


def test_points_errors(store):
    for points in ((), (0, 8), (8, 97)):
        with pytest.raises(AlignPartsError, match="from 1 to 96"):
            points_scores(store, find, toy.encode, points=points, splits=["validation"], scored=96)
    with pytest.raises(AlignPartsError, match="no shape of test"):
        points_scores(store, find, toy.encode, splits=["test"])


def test_every_number_of_points_is_a_table_of_its_own(seen):
    table = setting_table(seen, "points", resamples=30)
    for count in (8, 32, 96):
        own = table[table.points == count].drop(columns="points").reset_index(drop=True)
        expected = score_table(seen[seen.points == count].drop(columns="points"), resamples=30)
        pd.testing.assert_frame_equal(own, expected)
    assert list(dict.fromkeys(table.points)) == [8, 32, 96]


@pytest.fixture
def variants() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    seeds = {"K = 12": 1, "ALIGN-Parts": 3, "K = 48": 2}
    body = [
        (name, seed, f"s{shape}", "compat", "chair", metric, rng.random())
        for name, count in seeds.items()
        for seed in range(count)
        for shape in range(5)
        for metric in ("miou", "la_miou")
    ]
    return pd.DataFrame(body, columns=COLUMNS)


def test_variants_become_one_curve(variants):
    values = {"K = 48": 48, "ALIGN-Parts": 32, "K = 12": 12}
    table = setting_table(variants, "K", values, method="curve", resamples=30)
    found = table[(table.test_set == AVERAGE) & (table.metric == "miou")]
    assert list(found.K) == [12, 32, 48] and set(found.method) == {"curve"}
    assert list(found.seeds) == [1, 3, 2] and set(found.n) == {5}
    means = variants[variants.metric == "miou"].groupby("method").value.mean()
    for name, value in values.items():
        assert found.set_index("K").value[value] == pytest.approx(means[name], abs=1e-4)
    fewer = setting_table(variants, "K", {"K = 12": 12}, method="curve", resamples=30)
    pd.testing.assert_frame_equal(fewer, table[table.K == 12].reset_index(drop=True))


def test_setting_errors(variants):
    with pytest.raises(AlignPartsError, match="K: no scores of 'K = 7'"):
        setting_table(variants, "K", {"K = 7": 7})
    with pytest.raises(AlignPartsError, match="is duplicated"):
        setting_table(variants, "K", {"ALIGN-Parts": 1, "K = 12": 1})


@pytest.mark.parametrize("values", [(0, 1, 16), (2, 8, 16), (0.25, 0.5, 1.0)])
def test_a_line_a_method_and_a_tick_a_value(variants, values):
    table = setting_table(variants, "x", dict(zip(dict.fromkeys(variants.method), values, strict=True)))
    both = pd.concat([table, table.assign(method="other", value=table.value / 2)])
    figure = draw_setting(both, "x", "what it is")
    assert not clipped(figure)
    own = table[(table.test_set == AVERAGE) & (table.metric == "miou")].sort_values("x")
    assert drawn(figure, 0, METHOD_COLORS[OURS]) == pytest.approx(own.value.to_numpy())
    assert drawn(figure, 0, OTHER_COLORS[0]) == pytest.approx(own.value.to_numpy() / 2)
    axis = figure.axes[0]
    assert [one.get_text() for one in axis.get_xticklabels()] == [f"{value:g}" for value in values]
    assert axis.get_title() == "mIoU, average, n = 5"
    assert axis.get_ylim()[0] == 0 and axis.get_ylim()[1] > own.high.max()


def test_points_draw_without_names_where_there_are_none(seen):
    figure = draw_setting(setting_table(seen, "points", resamples=30), "points", "points a shape")
    assert [axis.get_title().split(",")[0] for axis in figure.axes] == ["mIoU", "LA-mIoU"]
    drawn(figure, 0, METHOD_COLORS[PARTFIELD])
    colors = {line.get_color() for line in figure.axes[1].get_lines()}
    assert METHOD_COLORS[OURS] in colors and METHOD_COLORS[PARTFIELD] not in colors


def test_sizes_say_how_many_parts(rows):
    table = size_table(rows, resamples=30)
    figure = draw_sizes(table)
    assert not clipped(figure)
    own = table[(table.method == OURS) & (table.metric == "miou")]
    said = [one.get_text() for one in figure.axes[0].get_xticklabels()]
    assert [int(one.split("\n")[1]) for one in said] == own.parts.tolist()
    assert drawn(figure, 0, METHOD_COLORS[OURS]) == pytest.approx(own.value.to_numpy())
    with pytest.raises(AlignPartsError, match="part sizes, heldout"):
        draw_sizes(table, test_set="heldout")


def test_confusion_shows_shares_of_each_part():
    matrix = pd.DataFrame(
        [[3, 1, 0], [0, 1, 1]], index=["a_rather_long_name_of_a_part", "leg"],
        columns=["a_rather_long_name_of_a_part", "leg", NONE],
    )  # fmt: skip
    figure = draw_confusion(matrix, "chair")
    assert not clipped(figure)
    image = figure.axes[0].get_images()[0].get_array()
    assert np.asarray(image) == pytest.approx(np.array([[0.75, 0.25, 0], [0, 0.5, 0.5]]))
    assert sorted(texts(figure)) == ["25", "50", "50", "75"]
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()][1] == "leg (2)"


def test_rare_names_share_a_column():
    names = [f"p{index}" for index in range(30)]
    counts = np.random.default_rng(0).integers(1, 5, (30, 31))
    matrix = pd.DataFrame(counts, index=names, columns=[*names, NONE])
    figure = draw_confusion(matrix, most=4)
    image = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert image.shape == (4, 6)
    assert image.sum(axis=1) == pytest.approx(np.ones(4))
    said = [one.get_text() for one in figure.axes[0].get_xticklabels()]
    assert said == ["p0", "p1", "p2", "p3", "26 other names", NONE]


def test_leaderboard_shows_every_method_of_every_category(seen):
    board = leaderboard(seen[seen.points == 96].drop(columns="points"), resamples=30)
    figure = draw_leaderboard(board)
    assert not clipped(figure)
    for axis, metric in zip(figure.axes, ("miou", "la_miou"), strict=True):
        marks = [value for line in axis.get_lines() if line.get_marker() not in ("None", "")
                 for value in line.get_xdata()]  # fmt: skip
        assert sorted(marks) == pytest.approx(sorted(board[board.metric == metric].value))
    said = [one.get_text() for one in figure.axes[0].get_yticklabels()]
    assert said == [f"{name} (2)" for name in dict.fromkeys(board.category)]
    with pytest.raises(AlignPartsError, match="leaderboard: no mIoU"):
        draw_leaderboard(board.iloc[:0])


def test_pictures_repeat(rows, tmp_path):
    matrix = confusion_matrix(rows, "chair")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        draw_confusion(matrix, "chair").savefig(file, metadata={"Software": None})
    assert files[0].read_bytes() == files[1].read_bytes()
