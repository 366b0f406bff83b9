"""Seconds by method from seconds by stage."""

import pandas as pd

from alignparts.evaluation.methods import OURS, PARTFIELD
from alignparts.evaluation.speed.timing import COLUMNS, by_method

SECONDS = {
    (OURS, "sampling"): 1.0, (OURS, "rendering"): 2.0, (OURS, "DINOv2"): 3.0, (OURS, "lifting"): 4.0,
    (OURS, "PartField"): 5.0, (OURS, "model"): 16.0, (OURS, "fusion"): 6.0, (OURS, "decoder"): 10.0,
    (OURS, "assignment"): 0.5, (OURS, "face labels"): 7.0, (PARTFIELD, "k-means"): 20.0,
    ("Find3D", "decoder"): 30.0, ("PartField+MPNet", "decoder"): 40.0,
}  # fmt: skip


def test_a_method_pays_for_what_it_needs_and_for_nothing_else():
    rows = [(*key, value, value / 10, 2048, "cpu") for key, value in SECONDS.items()]
    found = by_method(pd.DataFrame(rows, columns=COLUMNS)).set_index("method")
    assert found.decoder.to_dict() == {
        OURS: 10.0, PARTFIELD: 20.0, "Find3D": 30.0, "PartField+MPNet": 40.0,
    }  # fmt: skip
    assert found.end_to_end.to_dict() == {
        OURS: 31.5, PARTFIELD: 26.0, "Find3D": 31.0, "PartField+MPNet": 55.0,
    }  # fmt: skip
    assert found.decoder_ratio["Find3D"] == 3.0 and found.end_to_end_ratio[OURS] == 1.0
