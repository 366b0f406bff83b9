"""Long tables and their readable twins."""

import pandas as pd
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval
from alignparts.evaluation.tables import COLUMNS, by_set, long_table, lookup, row, value, write_table


def table():
    return long_table(
        [
            row("ours", "partnet", "mIoU", Interval(0.51234567, 0.4, 0.6, 12)),
            row("ours", "partnet", "LA-mIoU", Interval(0.4, 0.3, 0.5, 12)),
            row("theirs", "partnet", "mIoU", Interval(0.3, 0.2, 0.4, 12)),
        ]
    )


def test_columns_and_rounding():
    assert list(table().columns) == COLUMNS
    assert table().value[0] == 0.5123


def test_lookup_wants_one_row():
    assert lookup(table(), method="theirs").low == 0.2
    assert value(table(), method="ours", metric="LA-mIoU") == 0.4
    assert value(table(), method="nobody") is None
    with pytest.raises(AlignPartsError, match="2 rows with method = ours; expected one"):
        lookup(table(), method="ours")
    with pytest.raises(AlignPartsError, match="0 rows"):
        lookup(table(), method="nobody")
    with pytest.raises(AlignPartsError, match="no column 'arm'; expected one of method"):
        value(table(), arm="x")


def test_by_set_has_a_row_a_method_and_set():
    shown = by_set(table())
    assert shown.method.tolist() == ["ours", "theirs"]
    assert shown["LA-mIoU"].tolist() == ["0.400 [0.300, 0.500]", "–"]


def test_both_twins_are_written(tmp_path):
    write_table(tmp_path, "t", table(), by_set(table()))
    assert pd.read_csv(tmp_path / "t.csv").equals(table())
    assert (tmp_path / "t.md").read_text().startswith("| test set")
