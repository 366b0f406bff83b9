"""The data set's card, in the sections of Hugging Face's template."""

import json
from collections import Counter

import pandas as pd
import yaml
from tabulate import tabulate

MOST_ROWS = 30


def card(index: pd.DataFrame, title: str, version: str, license: str, date: str, by: str = "people") -> str:
    """README.md of an export, filled from its index.

    Args:
        index: of :data:`texparts.export.export.COLUMNS`.
        title: of the data set.
        version: of the data set.
        license: of the labels.
        date: of the last object handed in.
        by: who reviewed.
    """
    front = {
        "pretty_name": title,
        "license": "other",
        "task_categories": ["mask-generation"],
        "tags": ["3d", "part-segmentation", "croissant"],
        "configs": [{"config_name": "objects", "data_files": "index.parquet"}],
    }
    names = Counter(name for text in index["names"] for name in json.loads(text))
    categories = Counter(index["category"])
    agreement = index["agreement"].dropna()
    several = (
        f"{len(agreement)} objects have several opinions, which give the same name to {agreement.mean():.1%} "
        "of the surface."
        if len(agreement)
        else "Every object has one opinion."
    )
    people = len(set(", ".join(index["annotators"]).split(", ")))
    terms = "\n".join(
        f"- {as_text(name or 'not stated')}: {_number(count, 'object')}"
        for name, count in sorted(Counter(index["license"]).items())
    )
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}
---

# {as_text(title)} {as_text(version)}

{len(index)} textured 3D objects whose {int(index["parts"].sum())} parts are segmented and named: predicted by
ALIGN-Parts, then checked and corrected by {as_text(by)} (until {date}).

## Dataset structure

- `index.parquet`: a row an object: {", ".join(f"`{name}`" for name in index.columns)}.
- `objects/ID/ID.glb`: the object; `ID.parts.glb`: one node a part, with name and description in its extras.
- `objects/ID/labels.json`, `face_labels.npy`: the parts, and the part of every face (-1: none).
- `rejected.csv`, `failed.csv`: what is not in it, and why.

{_counts("category", "objects", categories)}

{_counts("part name", "objects", names)}

## Dataset creation

Objects that passed the mesh filter were segmented and named by the model; {as_text(by)} saw them in the
review, with the least certain parts first, and accepted, renamed, merged, split, deleted or painted parts.
{_number(people, "annotator")} handed in {_number(len(index), "object")}, with a median of
{index["seconds"].median():.0f} active seconds and {index["edits"].median():.0f} edits an object. {several}
Annotators appear under pseudonyms.

## Licenses

Labels: {as_text(license or "not stated")}. Every object keeps its own, in `license.txt` and the index:

{terms}

## Uses and limits

For training and measuring 3D part segmentation and naming. The annotators saw the model's proposal first:
their labels lean towards it. Names follow the vocabulary of the review and what was added to it.
"""


def _counts(what: str, of: str, counts: Counter[str]) -> str:
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    table = tabulate(
        [(as_text(name), count) for name, count in rows[:MOST_ROWS]], [what, of], tablefmt="github"
    )
    rest = f"\n\nand {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return table + rest


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def as_text(name: str) -> str:
    """What people wrote, as text in Markdown."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*[]|" else c for c in " ".join(escaped.split()))
