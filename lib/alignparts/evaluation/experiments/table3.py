"""Table 3 and the curves over settings, from the scores that the pipeline's matrix left."""

from collections.abc import Mapping

from alignparts.core.config import Params
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.experiments.ablation import train_params

FULL = "full"


def claims(params: Params) -> list[Claim]:
    """The paper's findings: each component adds, and fusion is more than features side by side."""
    label = {name: params.ablations[name].label for name in params.ablation.rows}
    wanted = [
        (FULL, "no_cov_ov", "miou"), (FULL, "no_cov_ov", "la_miou"),
        ("no_cov_ov", "no_cov_ov_txt", "miou"), ("no_cov_ov", "no_cov_ov_txt", "la_miou"),
        (FULL, "concat", "miou"), (FULL, "concat", "la_miou"),
        (FULL, "geo_input", "miou"), (FULL, "geo_input", "la_miou"),
        (FULL, "base", "miou"), (FULL, "base", "la_miou"),
        (FULL, "partfield_mpnet", "miou"), (FULL, "partfield_mpnet", "la_miou"),
    ]  # fmt: skip
    return [Claim(label[a], label[b], metric) for a, b, metric in wanted if a in label and b in label]


def curves(params: Params) -> dict[str, Mapping[str, float]]:
    """Every setting that a curve goes over, and its value for each method on it, the full model too."""
    model = train_params(params, FULL).model
    full = {"K": model.K, "k": model.k, "shapes": 1.0}
    found: dict[str, dict[str, float]] = {}
    for name in params.ablation.curves:
        one = params.ablations[name]
        own = found.setdefault(one.setting, {params.ablations[FULL].label: float(full[one.setting])})
        own[one.label] = one.value
    return {name: dict(sorted(values.items(), key=lambda item: item[1])) for name, values in found.items()}
