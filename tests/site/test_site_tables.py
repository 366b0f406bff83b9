"""Tables as HTML: the paper's numbers on the right rows, claims as sentences."""

import html
import re

import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import Claim, paired_table
from alignparts.site import tables


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


def rows_of(drawn: str) -> list[list[str]]:
    """The cells of a table's body, without what is small."""
    lines = re.findall("<tr>(.*?)</tr>", drawn.split("<tbody>")[1], re.S)
    cells = [re.findall("<td>(.*?)</td>", re.sub("<small>.*?</small>", "", line), re.S) for line in lines]
    return [[html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in line] for line in cells]


def test_the_papers_numbers_stand_on_their_own_rows_and_nowhere_else():
    joined = tables.beside(OURS, PAPER)
    found = joined.set_index(["method", "test_set", "metric"]).paper.dropna().to_dict()
    assert found == {tuple(line[:3]): line[3] for line in PAPER.itertuples(index=False)}
    assert len(joined) == len(OURS) + 1 and joined.iloc[: len(OURS)].value.tolist() == OURS.value.tolist()


def test_the_order_of_the_papers_rows_does_not_matter():
    turned = tables.beside(OURS, PAPER.iloc[::-1].reset_index(drop=True))
    pd.testing.assert_frame_equal(tables.beside(OURS, PAPER), turned)


def test_one_table_per_test_set_the_average_first():
    average, compat = tables.long_tables(tables.beside(OURS, PAPER))
    assert "<strong>average</strong>" in average and "<strong>compat</strong>" in compat
    assert rows_of(average) == [["A", "0.450", "0.999", "20", "3"]]
    assert rows_of(compat) == [
        ["A", "0.500", "–", "0.300", "9", "3"],
        ["B", "0.200", "0.111", "–", "8", "1"],
        ["C", "–", "0.222", "–", "–", "–"],
    ]
    assert "0.500 <small>[0.400, 0.600]</small>" in compat


def test_many_test_sets_and_further_keys_become_columns():
    many = pd.concat([OURS.assign(test_set=f"set {n}") for n in range(20)])
    (drawn,) = tables.long_tables(many.drop_duplicates(["method", "test_set", "metric"]))
    assert len(rows_of(drawn)) == 40
    (curve,) = tables.long_tables(OURS[OURS.test_set == "compat"].assign(setting="K", x=4))
    assert re.findall("<th>(.*?)</th>", curve)[2:5] == ["setting", "x", "method"]
    assert rows_of(curve)[0][:3] == ["K", "4", "A"]


def test_a_table_of_words_is_joined_too():
    """Table 1: what a method can do is no number, and it has no test sets."""
    paper = tables.resource("paper_table1")
    ours = paper[paper.method != "SAMPart3D"].assign(value="no")
    (drawn,) = tables.draw(ours, paper, "table1")
    named = {line[0]: line[1:] for line in rows_of(drawn)}
    assert named["ALIGN-Parts"] == ["no", "yes"] * 6
    assert named["SAMPart3D"] == ["–", "no"] * 6
    assert named["PartField"][7] == "–"


def test_a_table_that_cannot_be_joined_says_why():
    with pytest.raises(AlignPartsError, match=r"t\.csv: no column 'test_set'"):
        tables.beside(OURS.drop(columns="test_set"), PAPER, "t")
    with pytest.raises(pd.errors.MergeError, match="not unique in right"):
        tables.beside(OURS, pd.concat([PAPER, PAPER]))
    with pytest.raises(AlignPartsError, match=r"t\.csv: no column 'method'"):
        tables.draw(pd.DataFrame({"x": [1]}), PAPER, "t")


def test_any_other_table_is_shown_as_it_is_up_to_a_length():
    table = pd.DataFrame({"part_name": ["None", "<b>", "leg"], "share": [0.5, None, 0.00042], "n": [1, 2, 3]})
    drawn = tables.plain_table(table, rows=2)
    assert re.findall("<th>(.*?)</th>", drawn) == ["part name", "share", "n"]
    assert rows_of(drawn) == [["None", "0.500", "1"], ["<b>", "–", "2"]]
    assert "<b>" not in drawn and "The first 2 of 3 rows." in drawn
    assert "0.00042" in tables.plain_table(table)


def test_a_part_that_is_called_none_is_read_as_its_name(tmp_path):
    (tmp_path / "t.csv").write_text("part,value\nNone,\nNA,1.5\n")
    found = tables.read(tmp_path / "t.csv")
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
    right, wrong = tables.sentences(tested, tables.resource("paper_table2"))
    assert right.claim == "ALIGN-Parts > Find3D in LA-mIoU" and right.verdict == "holds"
    assert right.numbers.startswith("+0.250 [+0.250, +0.250]") and right.numbers.endswith("n = 12")
    assert right.paper == "0.323 > 0.196 (+0.127)"
    assert wrong.verdict == "does not hold" and wrong.paper == "0.196 < 0.323 (-0.127)"
    assert tables.sentences(tested, PAPER)[0].paper == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (0.0, "0.000"), (12.34, "12.3"), (514.6, "515"), (-0.25, "-0.250"), (7, "7"),
     (float("nan"), "–"), (None, "–"), ("", "–"), ("a", "a"), (True, "True")],
)  # fmt: skip
def test_values_as_people_read_them(value, text):
    assert tables.readable(value) == text


def test_a_probability_is_never_zero():
    assert tables.probability(0.0).replace("\u00a0", " ") == "p < 0.001"
    assert tables.probability(0.0312).replace("\u00a0", " ") == "p = 0.031"
