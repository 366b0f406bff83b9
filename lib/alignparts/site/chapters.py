"""Chapters: an executed notebook as the body of a page, its code folded and its pictures beside it."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from alignparts.core.errors import AlignPartsError
from alignparts.site import tables

MARKDOWN = MarkdownIt("commonmark").enable("table")
FORMULA = re.compile(r"\$(\w)(?:\^(\w))?\$")
"""All formulas that chapters have: a letter, and one above it."""
TABLE = re.compile("<table>.*?</table>", re.S)
SCOPED = re.compile("<style scoped>.*?</style>", re.S)
"""Style of pandas for a table, which browsers apply to the whole page."""
CODE = Markup('<details class="code"><summary>Code</summary>{}</details>')
PICTURE = Markup('<figure><a href="{0}"><img src="{0}" alt="{1}" loading="lazy"></a></figure>')

Save = Callable[[str, bytes], str]
"""Adds a PNG to the site under a stem and returns its link."""


class Chapter(NamedTuple):
    """A chapter of the site."""

    slug: str  # stem of the notebook
    title: str
    summary: str  # first sentence of its text
    body: Markup


def read_chapter(path: Path, save: Save) -> Chapter:
    """Return an executed notebook as a chapter; its first line is the title.

    Raises:
        AlignPartsError: the file is no notebook, or it does not begin with a title.
    """
    try:
        cells = json.loads(path.read_text())["cells"]
        title, text = re.fullmatch(r"# (.*?)\n+(.*)", "".join(cells[0]["source"]), re.S).groups()  # type: ignore[union-attr]
    except (ValueError, LookupError, AttributeError) as error:
        raise AlignPartsError(f"{path}: no notebook that begins with a title; run the stage again") from error
    heading, blocks, pictures = title, [markdown(text)], 0
    for cell in cells[1:]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = next(iter(re.findall("^#+ (.*)", source, re.M)), heading)
            blocks.append(markdown(source))
            continue
        blocks.append(CODE.format(code(source)))
        for output in cell["outputs"]:
            png = output.get("data", {}).get("image/png")
            pictures += png is not None
            link = save(f"{path.stem}-{pictures}", base64.b64decode("".join(png))) if png else ""
            blocks.append(PICTURE.format(link, f"{title}: {heading}") if link else _output(output))
    summary = re.split(r"(?<=[.:])\s", re.sub("<.*?>", "", blocks[0]).replace("\n", " "))[0].replace(":", ".")
    return Chapter(path.stem, title, summary, Markup("\n").join(blocks))


def markdown(text: str) -> Markup:
    """Return a text in Markdown as HTML."""
    html = MARKDOWN.render(FORMULA.sub(r"<i>\1</i><sup>\2</sup>", text)).replace("<sup></sup>", "")
    return Markup(TABLE.sub(lambda found: tables.box(Markup(found[0]), "Table"), html))


def code(text: str, language: str = "python") -> Markup:
    """Return a program as HTML, its words marked by what they are."""
    return tables.box(Markup(highlight(text, get_lexer_by_name(language), HtmlFormatter())), "Code")


def _output(output: dict[str, Any]) -> Markup:
    data = output.get("data", {})
    if "text/html" in data:
        return tables.box(Markup(SCOPED.sub("", "".join(data["text/html"]))), "Table")
    text = "".join(output.get("text", data.get("text/plain", "")))
    return tables.box(Markup("<pre>{}</pre>").format(text), "Output") if text else Markup("")
