"""Tables as grids: the paper's numbers on the right rows, claims as sentences."""

import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import Claim, paired_table
from alignparts.report.site import content, grids


def long(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["method", "test_set", "metric", "value", "low", "high", "n", "seeds"])


OURS = long(
    ("A", "compat", "mIoU", 0.5, 0.4, 0.6, 9, 3),
    ("A", "compat", "LA-mIoU", 0.3, 0.2, 0.4, 9, 3),
    ("B", "compat", "mIoU", 0.2, 0.1, 0.3, 8, 1),
    ("A", "average", "mIoU", 0.45, 0.4, 0.5, 20, 3),
)
PAPER = pd.DataFrame(
    [("B", "compat", "mIoU", 0.111), ("A", "average", "mIoU", 0.999), ("C", "compat", "mIoU", 0.222)],
    columns=["method", "test_set", "metric", "value"],
)


def texts(grid: grids.Grid) -> list[list[str]]:
    return [[cell.text for cell in line] for line in grid.body]


def test_the_papers_numbers_stand_on_their_own_rows_and_nowhere_else():
    joined = grids.beside(OURS, PAPER)
    found = joined.set_index(["method", "test_set", "metric"]).paper.dropna().to_dict()
    assert found == {tuple(line[:3]): line[3] for line in PAPER.itertuples(index=False)}
    assert len(joined) == len(OURS) + 1 and joined.iloc[: len(OURS)].value.tolist() == OURS.value.tolist()


def test_the_order_of_the_papers_rows_does_not_matter():
    turned = grids.beside(OURS, PAPER.iloc[::-1].reset_index(drop=True))
    pd.testing.assert_frame_equal(grids.beside(OURS, PAPER), turned)


def test_a_block_a_test_set_the_average_first():
    average, compat = grids.long_grids(grids.beside(OURS, PAPER))
    assert (average.caption, compat.caption) == ("average", "compat")
    assert texts(average) == [["A", "0.450", "0.999", "20", "3"]]
    assert texts(compat) == [
        ["A", "0.500", "–", "0.300", "9", "3"],
        ["B", "0.200", "0.111", "–", "8", "1"],
        ["C", "–", "0.222", "–", "–", "–"],
    ]
    assert compat.body[0][1].note == "[0.400, 0.600]"
    for grid in (average, compat):
        width = [cell.columns for cell in grid.head[0]]
        assert sum(width) == len(grid.head[1]) == len(grid.body[0])


def test_many_test_sets_and_further_keys_become_columns():
    many = pd.concat([OURS.assign(test_set=f"set {n}") for n in range(20)])
    (grid,) = grids.long_grids(many.drop_duplicates(["method", "test_set", "metric"]))
    assert len(grid.body) == 40
    (curve,) = grids.long_grids(OURS[OURS.test_set == "compat"].assign(setting="K", x=4))
    assert [cell.text for cell in curve.head[1][:3]] == ["setting", "x", "method"]
    assert texts(curve)[0][:3] == ["K", "4", "A"]


def test_a_table_of_words_is_joined_too():
    """Table 1: what a method can do is no number, and it has no test sets."""
    paper = content.resource("paper_table1")
    ours = paper[paper.method != "SAMPart3D"].assign(value="no")
    (grid,) = grids.section(ours, paper, "table1").grids
    named = {line[0].text: [cell.text for cell in line[1:]] for line in grid.body}
    assert named["ALIGN-Parts"] == ["no", "yes"] * 6
    assert named["SAMPart3D"] == ["–", "no"] * 6
    assert named["PartField"][7] == "–"


def test_a_table_that_cannot_be_joined_says_why():
    with pytest.raises(AlignPartsError, match=r"t\.csv: no column 'test_set'"):
        grids.beside(OURS.drop(columns="test_set"), PAPER, "t")
    with pytest.raises(AlignPartsError, match="there twice"):
        grids.beside(OURS, pd.concat([PAPER, PAPER]))
    with pytest.raises(AlignPartsError, match=r"t\.csv: expected the columns method, metric, value"):
        grids.section(pd.DataFrame({"x": [1]}), PAPER, "t")


def test_any_other_table_is_shown_as_it_is_up_to_a_length():
    table = pd.DataFrame({"part_name": ["None", None, "leg"], "share": [0.5, None, 0.00042], "n": [1, 2, 3]})
    grid = grids.plain_grid(table, rows=2)
    assert [cell.text for cell in grid.head[0]] == ["part name", "share", "n"]
    assert texts(grid) == [["None", "0.500", "1"], ["–", "–", "2"]]
    assert grid.below == "The first 2 of 3 rows."
    assert texts(grids.plain_grid(table))[2][1] == "0.00042"


def test_a_part_that_is_called_none_is_read_as_its_name(tmp_path):
    (tmp_path / "t.csv").write_text("part,value\nNone,\nNA,1.5\n")
    found = content.read_table(tmp_path / "t.csv")
    assert found.part.tolist() == ["None", "NA"] and found.value.isna().tolist() == [True, False]


def test_claims_say_verdict_difference_and_what_the_paper_says():
    scores = pd.DataFrame(
        [
            (method, 0, f"s{i}", "compat", "chair", "LA-mIoU", base + 0.01 * (i % 3))
            for method, base in (("ALIGN-Parts", 0.5), ("Find3D", 0.25))
            for i in range(12)
        ],
        columns=["method", "seed", "shape_id", "test_set", "category", "metric", "value"],
    )
    tested = paired_table(
        scores, [Claim("ALIGN-Parts", "Find3D", "LA-mIoU"), Claim("Find3D", "ALIGN-Parts", "LA-mIoU")]
    )
    right, wrong = grids.sentences(tested, content.resource("paper_table2"))
    assert right.claim == "ALIGN-Parts > Find3D in LA-mIoU" and right.verdict == "holds"
    assert right.numbers.startswith("+0.250 [+0.250, +0.250]") and right.numbers.endswith("n = 12")
    assert right.paper == "0.323 > 0.196 (+0.127)"
    assert wrong.verdict == "does not hold" and wrong.paper == "0.196 < 0.323 (-0.127)"
    assert grids.sentences(tested, PAPER)[0].paper == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (0.0, "0.000"), (12.34, "12.3"), (514.6, "515"), (-0.25, "-0.250"), (7, "7"),
     (float("nan"), "–"), (None, "–"), ("", "–"), ("a", "a"), (True, "True")],
)  # fmt: skip
def test_values_as_people_read_them(value, text):
    assert grids.said(value) == text


def test_a_probability_is_never_zero():
    assert grids.probability(0.0).replace("\u00a0", " ") == "p < 0.001"
    assert grids.probability(0.0312).replace("\u00a0", " ") == "p = 0.031"
