"""The README's tables: text between markers, filled from the tables. The site is :mod:`report.site`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.tables import lookup


def fill(path: Path, name: str, text: str) -> bool:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``; True if it changed.

    Raises:
        AlignPartsError: the file lacks one of the markers.
    """
    page = path.read_text()
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if opening not in page or closing not in page:
        raise AlignPartsError(f"{path}: expected the markers {opening} and {closing}; put them back")
    before, rest = page.split(opening, 1)
    after = rest.split(closing, 1)[1]
    filled = f"{before}{opening}\n{text.strip()}\n{closing}{after}"
    if filled == page:
        return False
    write_text(path, filled)
    return True


def main_table(table: pd.DataFrame) -> str:
    """Table 2 as a Markdown table, a row a method: mIoU / LA-mIoU by test set, intervals for the average.

    Args:
        table: the long table: method, test_set, metric, value, low, high, n.
    """
    sets = [
        name for name in ("compat", "find3d", "partnet", "average", "heldout") if name in set(table.test_set)
    ]
    counts = table[table.metric == "mIoU"].groupby("test_set").n.max()
    head = ["method", *(f"{name} ({counts[name]})" for name in sets)]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for method, rows in table.groupby("method", sort=False):
        lines.append(" | ".join([str(method), *(_cell(rows[rows.test_set == name]) for name in sets)]))
    return "\n".join(f"| {line} |" for line in lines)


def findings(metrics: Mapping[str, Any]) -> str:
    """What ``metrics/evaluate.json`` says about ALIGN-Parts, in a sentence."""
    gain, low, high = (f"{metrics[key]:+.1%}" for key in ("gain_over_clustering", "gain_low", "gain_high"))
    return (
        f"On the {metrics['seen_shapes']} test shapes of known categories, mIoU stands {gain} "
        f"[{low}, {high}] against k-means on the model's own part field, which is told the true number of "
        f"parts; the right category is found for {metrics['category_accuracy']:.0%} (over the test sets)."
    )


def _cell(rows: pd.DataFrame) -> str:
    said = []
    for metric in ("mIoU", "LA-mIoU"):
        found = rows[(rows.metric == metric) & rows.value.notna()]
        if len(found):
            one = found.iloc[0]
            interval = f" [{one.low:.3f}, {one.high:.3f}]" if one.test_set in ("average", "heldout") else ""
            said.append(f"{one.value:.3f}{interval}")
        else:
            said.append("–")
    return "–" if said == ["–", "–"] else " / ".join(said)


def texparts_table(ratios: pd.DataFrame, promise: pd.DataFrame, gain: pd.DataFrame) -> str:
    """What Tex-Parts came to, as a Markdown table.

    Args:
        ratios: of :func:`texparts.simulation.effort.ratio_table`.
        promise: of :func:`alignparts.evaluation.experiments.confidence.promise_table`.
        gain: the long table of :func:`texparts.export.retrain.gain_scores`.
    """
    lines = [("measured", "value [95%], n")]
    for start, label in (("brush", "the brush alone"), ("scratch", "all tools of the review")):
        for test_set in ("seen", "unseen"):
            said = _ratio(ratios, start, test_set)
            lines.append((f"seconds from scratch with {label} / from our prediction, {test_set}", said))
    clusters = _ratio(ratios, "clusters", "seen")
    lines.append(("seconds from clusters of the geometry field / from our prediction, seen", clusters))
    for one in promise.to_dict("records"):
        promised = f"promised ≤ {one['promised error']:.0%} with {one['certainty']:.0%} certainty"
        found = f"{one['mean error']:.1%}, kept in {one['kept']} of {one['splits']} random splits"
        lines.append(
            (
                f"wrong names among parts accepted unseen, {promised}",
                f"{found}; {one['accepted parts']:.0%} of the parts accepted",
            )
        )
    for test_set, metric in (("unseen", "mIoU"), ("unseen", "LA-mIoU"), ("seen", "LA-mIoU")):
        rows = gain[(gain.test_set == test_set) & (gain.metric == metric)].set_index("method")
        before, after = (_value(rows.loc[name]) for name in ("before", "new shapes, reviewed"))
        said = f"{before} → {after}, {int(rows.n.iloc[0])}"
        lines.append((f"{metric} in {test_set} categories, before → retrained after review", said))
    rule = ("---", "---")
    return "\n".join(f"| {left} | {right} |" for left, right in (lines[0], rule, *lines[1:]))


def _ratio(ratios: pd.DataFrame, start: str, test_set: str) -> str:
    one = lookup(ratios, start=start, test_set=test_set, unit="seconds", statistic="sums")
    return f"{one.value:.1f} [{one.low:.1f}, {one.high:.1f}], {one.n}"


def _value(one: Any) -> str:
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
