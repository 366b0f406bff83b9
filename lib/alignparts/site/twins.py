"""3D twins as pages of the site: the data of ``reports/3d``, by three.js, a seventh of plotly's size."""

import html
import re
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from alignparts.core.errors import AlignPartsError
from alignparts.view.page import WEB

HERE = Path(__file__).resolve().parent
SCRIPTS = {"three.min.js": WEB / "three.min.js", "twin.js": HERE / "twin.js"}
"""Scripts beside the pages, by name."""


class Twin(NamedTuple):
    """A picture in 3D."""

    title: str
    data: Markup  # JSON without "<": rows of panels (:func:`alignparts.pictures.scene3d.write_scene`)


def read_twin(path: Path) -> Twin:
    """Return the title and the data of a page of ``reports/3d``.

    Raises:
        AlignPartsError: it is no such page.
    """
    found = re.search(r'<title>(.*?)</title>.*<script id="data"[^>]*>(.*?)</script>', path.read_text(), re.S)
    if found is None:
        raise AlignPartsError(f"{path}: no picture in 3D; run the stage that makes it again")
    return Twin(html.unescape(found[1]), Markup(found[2]))
