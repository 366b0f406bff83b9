"""Tables in words and Markdown: the README's text between markers, and the summary of Tex-Parts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core import paths
from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.core.run import Run
from alignparts.evaluation import tables
from alignparts.evaluation.comparison import AVERAGE, set_order
from alignparts.evaluation.ground_truth import HELDOUT
from alignparts.evaluation.tables import lookup


def fill_all(run: Run) -> list[str]:
    """Fill the marked parts of README.md and return their names; write nothing at smoke size."""
    if run.reports != paths.REPORTS:
        return []
    texts = {
        "table2": main_table(tables.read(run.reports, "table2")),
        "findings": findings(json.loads((run.reports / "metrics" / "evaluate.json").read_text())),
    }
    readme = paths.ROOT / "README.md"
    marked = [name for name in texts if f"<!-- {name} -->" in readme.read_text()]
    for name in marked:
        fill(readme, name, texts[name])
    return marked


def fill(path: Path, name: str, text: str) -> None:
    """Replace the text between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        AlignPartsError: the file lacks one of the markers.
    """
    page = path.read_text()
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if opening not in page or closing not in page:
        raise AlignPartsError(f"{path}: expected the markers {opening} and {closing}; put them back")
    before, rest = page.split(opening, 1)
    write_text(path, f"{before}{opening}\n{text.strip()}\n{closing}{rest.split(closing, 1)[1]}")


def main_table(table: pd.DataFrame) -> str:
    """Return the long Table 2 as Markdown, a row per method: mIoU / LA-mIoU by test set."""
    sets = [name for name in set_order(table) if name in set(table.test_set)]
    counts = table[table.metric == "mIoU"].groupby("test_set").n.max()
    rows = [["method", *(f"{name} ({counts[name]})" for name in sets)], ["---"] * (len(sets) + 1)]
    for method, own in table.groupby("method", sort=False):
        rows.append([str(method), *(_cell(own[own.test_set == name]) for name in sets)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def findings(metrics: Mapping[str, Any]) -> str:
    """Return the results of ALIGN-Parts in ``metrics/evaluate.json`` as a sentence."""
    gain, low, high = (f"{metrics[key]:+.1%}" for key in ("gain_over_clustering", "gain_low", "gain_high"))
    return (
        f"On the {metrics['seen_shapes']} test shapes of known categories, the mIoU of ALIGN-Parts differs "
        f"by {gain} [{low}, {high}] from that of k-means on the model's own part field, which is given the "
        f"true number of parts. The predicted category is right for {metrics['category_accuracy']:.0%} "
        "(over the test sets)."
    )


def texparts_table(ratios: pd.DataFrame, promise: pd.DataFrame, gain: pd.DataFrame) -> pd.DataFrame:
    """Return the results of Tex-Parts in words, a row per measurement.

    The tables are those of ``texparts.simulation.effort.ratio_table``,
    :func:`alignparts.evaluation.experiments.confidence.promise_table` and
    ``texparts.export.retrain.gain_scores``.
    """
    rows = []
    starts = {
        "brush": "scratch with the brush alone",
        "scratch": "scratch with all tools of the review",
        "clusters": "clusters of the geometry field",
    }
    for start, label in starts.items():
        for own in ratios[(ratios.start == start) & ratios.test_set.isin(["seen", "unseen"])].itertuples():
            value = f"{own.value:.1f} [{own.low:.1f}, {own.high:.1f}], {own.n}"
            rows.append((f"seconds from {label} / from our prediction, {own.test_set}", value))
    for given in promise.to_dict("records"):
        promised = f"promised ≤ {given['promised error']:.0%} with {given['certainty']:.0%} certainty"
        kept = f"{given['mean error']:.1%}, kept in {given['kept']} of {given['splits']} random splits"
        value = f"{kept}; {given['accepted parts']:.0%} of the parts accepted"
        rows.append((f"wrong names among parts accepted unseen, {promised}", value))
    for test_set, metric in (("unseen", "mIoU"), ("unseen", "LA-mIoU"), ("seen", "LA-mIoU")):
        arms = ("before", "new shapes, reviewed")
        before, after = (lookup(gain, test_set=test_set, metric=metric, method=arm) for arm in arms)
        value = f"{_value(before)} → {_value(after)}, {before.n}"
        rows.append((f"{metric} in {test_set} categories, before → retrained after review", value))
    return pd.DataFrame(rows, columns=["measured", "value [95%], n"])


def _cell(rows: pd.DataFrame) -> str:
    texts = []
    for metric in ("mIoU", "LA-mIoU"):
        own = rows[(rows.metric == metric) & rows.value.notna()]
        precise = len(own) and own.test_set.iloc[0] in (AVERAGE, HELDOUT)
        texts.append(_value(own.iloc[0]) if precise else f"{own.value.iloc[0]:.3f}" if len(own) else "–")
    return "–" if texts == ["–", "–"] else " / ".join(texts)


def _value(row: Any) -> str:
    return f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
