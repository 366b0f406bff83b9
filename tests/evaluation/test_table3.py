"""The findings of Table 3 and the points of its curves, from params.yaml alone."""

import smoke

from alignparts.core import paths
from alignparts.core.config import load_params
from alignparts.evaluation.experiments.table3 import claims, curves


def test_the_papers_findings_are_all_claimed():
    found = {(one.better, one.worse) for one in claims(load_params(paths.ROOT / "params.yaml"))}
    assert found == {
        ("ALIGN-Parts", "No L_cov, L_ov"),
        ("No L_cov, L_ov", "No L_cov, L_ov, L_txt"),
        ("ALIGN-Parts", "Feature Concat"),
        ("ALIGN-Parts", "Geo Input Only"),
        ("ALIGN-Parts", "Base Model"),
        ("ALIGN-Parts", "PartField+MPNet"),
    }


def test_rows_that_are_not_trained_are_not_claimed():
    params = smoke.params(ablations={"full": {"label": "ours"}}, ablation={"rows": ["full"], "curves": []})
    assert claims(params) == []


def test_a_curve_goes_through_the_full_model_in_order():
    params = smoke.params(
        **{
            "ablation": {"rows": ["full"], "curves": ["more", "few"], "train": {"model": {"K": 9}}},
            "ablations": {
                "full": {"label": "ours"},
                "more": {"label": "K = 20", "setting": "K", "value": 20, "model": {"K": 20}},
                "few": {"label": "a quarter", "setting": "shapes", "value": 0.25, "share": 0.25},
            },
        }
    )
    assert {name: list(one.items()) for name, one in curves(params).items()} == {
        "K": [("ours", 9.0), ("K = 20", 20.0)],
        "shapes": [("a quarter", 0.25), ("ours", 1.0)],
    }


def test_every_shipped_point_says_what_it_changes():
    params = load_params(paths.ROOT / "params.yaml")
    for name in params.ablation.curves:
        one = params.ablations[name]
        assert one.value == (one.share if one.setting == "shapes" else one.model[one.setting])
