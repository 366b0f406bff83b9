"""README and site from the tables: text between markers, and one static page."""

import base64
import html
from pathlib import Path

import pandas as pd

from alignparts.errors import AlignPartsError
from alignparts.run import write_text

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0 }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #8884; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100%; height: auto }
figcaption { color: #888; font-size: .9rem }
"""


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


def table_html(table: pd.DataFrame) -> str:
    """A table for the page; everything escaped."""
    return table.to_html(index=False, border=0, escape=True, na_rep="–")


def figure_html(picture: Path, caption: str) -> str:
    """A picture inside the page itself, so that the page can be moved."""
    data = base64.b64encode(picture.read_bytes()).decode()
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def page(title: str, sections: list[tuple[str, str]]) -> str:
    """One static HTML page of (heading, body) sections; opens from disk."""
    body = "\n".join(f"<h2>{html.escape(heading)}</h2>\n{content}" for heading, content in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


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
