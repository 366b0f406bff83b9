"""The site: it stands alone, data stays text, two builds are the same, missing inputs are said."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml
from check_site import in_a_browser, on_disk
from named_result import write_result
from PIL import Image
from screenshot import browser_page, find_chromium

from alignparts.core import ledger, paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation import tables
from alignparts.pictures.gallery import Panel, Row
from alignparts.pictures.scene3d import write_scene
from alignparts.site import build, chapters
from alignparts.site import tables as site_tables
from alignparts.site.pages import HERE, Page, Table, claims, read_site

EVIL = "<script>alert('x')</script>"
RECIPES = {"trimesh": "trimesh", "open3d": "open3d", "blender": "bpy", "usd": "pxr"}
"""Packages that the recipes need, by name of the recipe."""
in_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the path (apt-get install chromium)"
)


def rows(*methods: str, sets: tuple[str, ...] = ("compat", "average")) -> pd.DataFrame:
    body = [
        dict(zip(tables.COLUMNS, (method, one, metric, 0.5, 0.25, 0.75, 7, 3), strict=True))
        for method in methods
        for one in sets
        for metric in ("mIoU", "LA-mIoU")
    ]
    return pd.DataFrame(body)


def claimed(better: str = "ALIGN-Parts", worse: str = "Find3D") -> pd.DataFrame:
    one = {
        "better": better,
        "worse": worse,
        "metric": "LA-mIoU",
        "difference": 0.1,
        "low": 0.05,
        "high": 0.15,
    }
    return pd.DataFrame([one | {"p": 0.0, "p_holm": 0.02, "n": 7, "verdict": "holds"}])


def cloud() -> Panel:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype(np.float32)
    return Panel("ours", points, np.arange(200) % 2, ["leg", EVIL])


def box() -> Panel:
    triangles = trimesh.creation.box((1, 1, 1)).triangles.astype(np.float32)
    return Panel("truth", triangles, np.repeat([0, -1], 6), ["lid"])


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "teal").save(file, "png")
    return file.getvalue()


def notebook() -> dict:
    table = "<style scoped>td {color: red}</style><table><tr><td>wide" + "<td>wide" * 60 + "</table>"
    outputs = [
        {"data": {"text/html": table, "text/plain": "wide"}},
        {"data": {"image/png": base64.b64encode(png()).decode()}},
        {"text": f"said {EVIL} " + "x" * 500},
    ]
    text = "# A chapter\n\nOf $K$ and $f^g$. More.\n"
    return {
        "cells": [
            {"cell_type": "markdown", "source": text},
            {"cell_type": "code", "source": "print(1)", "outputs": outputs},
            {"cell_type": "markdown", "source": "## Its *end*\n\n|a|b|\n|-|-|\n|1|2|\n"},
        ]
    }


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return fill(tmp_path / "reports")


def fill(folder: Path) -> Path:
    """A small run: tables, a picture with a 3D twin, others without, a chapter, timings and a ledger."""
    tables.write_table(folder / "evaluate", "table2", rows("ALIGN-Parts", EVIL))
    tables.write_table(folder / "evaluate", "table2_claims", claimed(worse="Find3D"))
    tables.write_table(folder / "modes", "confusions", pd.DataFrame({"truth": [EVIL], "found": ["leg"]}))
    for name in ("tour", "unseen", "odd"):
        (folder / "tour").mkdir(exist_ok=True)
        (folder / "tour" / f"{name}.png").write_bytes(png())
    write_scene(folder / "3d" / "tour" / "tour.html", "A tour", [Row("one", [cloud(), box()])])
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "05_evaluate.ipynb").write_text(json.dumps(notebook()))
    (folder / "metrics").mkdir()
    (folder / "metrics" / "corpus.json").write_text('{"shapes": 12, "splits": {"train": 5}}')
    (folder / "timings").mkdir()
    pd.DataFrame({"stage": ["k-means"], "seconds": [0.25]}).to_csv(
        folder / "timings" / "speed.csv", index=False
    )
    (folder / "timings" / "speed.png").write_bytes(png())
    with ledger.record("evaluate", folder=folder / "timings" / "ledger"):
        pass
    return folder


def make(reports: Path, **keys) -> Path:
    """Build the site beside the reports and return its folder."""
    return build.build(reports, reports.parent / "site", **keys).index.parent


@in_chromium
def test_the_site_stands_alone_on_a_phone_and_on_a_desk(reports):
    site = make(reports)
    assert len(list(site.glob("*.html"))) > 10 and on_disk(site) + in_a_browser(site) == []


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("figures/tour.webp", "figures/gone.webp", "tour.webp: no page links to it"),
        ("figures/tour.webp", "../reports/tour/tour.png", "leads to nothing in the site"),
        ('alt="A shape', 'title="A shape', "picture figures/tour.webp has no text"),
        ("<h1>", '<h1><img alt="x" src="https://example.org/x.png">', "leads to nothing in the site"),
        ("<h1>", '<h1 id="top"><a href="table2.html#none"></a>', "table2.html#none has no such place"),
        ("<h1>", '<h1 id="top">', "id top twice"),
        ("<h1>", f"<h1>{'x' * 2_000_000}", "bytes with its scripts"),
    ],
)
def test_what_is_wrong_on_disk_is_said(reports, old, new, wrong):
    spoil(make(reports), old, new)
    assert any(wrong in line for line in on_disk(reports.parent / "site"))


@in_chromium
def test_what_is_wrong_in_a_browser_is_said(tmp_path):
    wrong = {
        "500 pixels wide": '<body style="width: 500px; margin: 0">wide',
        "odd": "<script>throw new Error('odd')</script>",
        "asks for https://example.invalid/x": "<script src='https://example.invalid/x'></script>",
        "picture style.css is not drawn": '<img alt="x" src="style.css">',
        "a view is empty": '<p id="panels" data-drawn="1"><canvas></canvas>',
    }
    (tmp_path / "style.css").write_text("")
    for number, body in enumerate(wrong.values()):
        (tmp_path / f"{number}.html").write_text(f'<!doctype html><link rel="icon" href="data:,">{body}')
    said = in_a_browser(tmp_path)
    for number, text in enumerate(wrong):
        assert any(line.startswith(f"{number}.html: ") and text in line for line in said), text


def spoil(site: Path, old: str, new: str) -> None:
    for path in site.glob("*.html"):
        path.write_text(path.read_text().replace(old, new))


@in_chromium
def test_a_click_on_a_name_hides_its_part_and_a_pointer_names_it(reports):
    with browser_page() as page:
        page.goto((make(reports) / "tour-3d.html").as_uri())
        page.wait_for_selector("#panels[data-drawn='2']")
        truth = page.locator("canvas").nth(1)
        page.mouse.move(*middle(truth))
        assert page.inner_text("#tip") in ("lid", "unlabeled")
        before = truth.evaluate("(canvas) => canvas.toDataURL()")
        page.click("#legend button:has-text('lid')")
        page.wait_for_function(
            "(old) => document.querySelectorAll('canvas')[1].toDataURL() !== old", arg=before
        )
        assert page.locator("#legend button", has_text=EVIL).count() == 1


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_only_what_turns_needs_scripts(reports):
    site = make(reports)
    pages = {path.name: path.read_text() for path in site.glob("*.html")}
    assert {name for name, text in pages.items() if "<script" in text} == {"tour-3d.html"}
    assert all('name="viewport"' in text and 'lang="en"' in text for text in pages.values())
    style = (site / "style.css").read_text()
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_a_chapter_has_text_pictures_and_folded_code(reports):
    text = (make(reports) / "05_evaluate.html").read_text()
    assert "<h1>A chapter</h1>" in text and "<i>K</i> and <i>f</i><sup>g</sup>" in text
    assert 'src="figures/05_evaluate-1.webp" alt="A chapter: A chapter"' in text
    assert "<style" not in text and text.count('aria-label="Table"') == 2
    assert "<summary>Code</summary>" in text and "&lt;script&gt;" in text
    assert 'href="05_evaluate.html"' in (reports.parent / "site" / "table2.html").read_text()


def test_a_notebook_without_a_title_is_an_error(tmp_path):
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "no"}]}))
    with pytest.raises(AlignPartsError, match="x.ipynb: no notebook that begins with a title"):
        chapters.read_chapter(tmp_path / "x.ipynb", lambda name, png: name)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_run(tmp_path, name):
    pytest.importorskip(RECIPES[name])
    write_result(tmp_path / "named" / "chair")
    program = HERE / "recipes" / f"with_{name}.py"
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) > 1 or "seat" in done.stdout


def test_what_comes_from_data_stays_text(reports):
    site = make(reports)
    for name in ("table2", "curves", "05_evaluate", "tour-3d"):
        shown = (site / f"{name}.html").read_text()
        assert EVIL not in shown and ("&lt;script&gt;" in shown or "\\u003cscript" in shown)


def test_two_builds_are_the_same_to_the_byte(tmp_path):
    made = []
    for name in ("one", "two"):
        site = make(fill(tmp_path / name / "reports"))
        files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != "ledger.html")
        made.append({str(p.relative_to(site)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert made[0] == made[1]
    assert {"index.html", "style.css", "figures/tour.webp", "tour-3d.html", "three.min.js"} <= set(made[0])


def test_seconds_stand_in_the_ledger_alone(reports):
    text = (make(reports) / "ledger.html").read_text()
    assert "0.250" in text and "evaluate" in text and "4.007" in text


def test_the_first_page_has_a_card_a_page_and_says_what_is_not_there(reports):
    built = build.build(reports, reports.parent / "site")
    text = built.index.read_text()
    cards = "".join(re.findall('<ul class="cards">(.*?)</ul>', text, re.S))
    assert set(re.findall(r'href="([\w-]+)\.html"', cards)) == {*built.pages} - {"index"}
    assert built.left_out["Table 3: what each component is worth"] == "dvc repro ablation_table"
    assert "dvc repro ablation_table" in text and "table3.html" not in text
    assert "1 hold" in text


def test_figures_show_twins_and_pictures_of_no_figure(reports):
    text = (make(reports) / "figures.html").read_text()
    assert 'href="tour-3d.html"' in text
    assert "figures/unseen.webp" in text.split("Figure 7.")[0].rsplit("<figure>", 1)[1]
    further = text.split("Further pictures")[1]
    assert "figures/odd.webp" in further and "tour.webp" not in further and "speed" not in further


def test_a_missing_required_table_names_the_stage(reports):
    (reports / "evaluate" / "table2.csv").unlink()
    with pytest.raises(AlignPartsError, match=r"table2\.csv.*dvc repro evaluate"):
        make(reports)


@pytest.mark.parametrize("text", ["", "method,metric,value\n"])
def test_an_empty_required_table_is_an_error_and_an_optional_one_is_left_out(reports, text):
    (reports / "modes" / "confusions.csv").write_text(text)
    assert "Curves" in build.build(reports, reports.parent / "site").left_out
    (reports / "evaluate" / "table2.csv").write_text(text)
    with pytest.raises(AlignPartsError, match=r"table2\.csv: no rows"):
        make(reports)


def test_a_failed_build_leaves_the_old_site(reports):
    before = (make(reports) / "index.html").read_text()
    (reports / "evaluate" / "table2.csv").unlink()
    with pytest.raises(AlignPartsError):
        make(reports)
    assert (reports.parent / "site" / "index.html").read_text() == before


def test_pages_of_an_earlier_site_go_and_a_foreign_folder_stays(reports):
    site = make(reports)
    (site / "old.html").write_text("old")
    make(reports)
    assert not (site / "old.html").exists()
    (site / "index.html").unlink()
    with pytest.raises(AlignPartsError, match="expected a site or nothing"):
        make(reports)


def test_a_page_of_ones_own_needs_a_declaration_alone(reports):
    shown = (Table(csv="confusions", heading="Names"),)
    mine = Page(slug="mine", title="M", summary="", stage="corpus", notebook="01_corpus", tables=shown)
    assert "mine" in build.build(reports, reports.parent / "site", [mine]).pages
    assert "dvc repro corpus" in (reports.parent / "site" / "mine.html").read_text()


def test_claims_are_those_of_the_pages(reports):
    (one,) = claims(reports)
    assert one.claim == "ALIGN-Parts > Find3D in LA-mIoU" and one.verdict == "holds"
    assert one.claim.replace(">", "&gt;") in (make(reports) / "table2.html").read_text()


def test_declared_pages_are_whole():
    declared = read_site()
    pages = declared.pages
    stages = yaml.safe_load((paths.ROOT / "dvc.yaml").read_text())["stages"]
    assert len({page.slug for page in pages}) == len(pages)
    assert {figure.number for figure in declared.figures} == set(range(1, 11))
    for page in pages:
        assert page.stage in stages and (paths.NOTEBOOKS / "py" / f"{page.notebook}.py").is_file()
        for table in page.tables:
            assert not table.paper or (paths.RESOURCES / f"{table.paper}.csv").is_file()
    explained = set(site_tables.resource("differences").table)
    assert explained <= {page.slug for page in pages}
    assert {page.slug for page in pages if any(table.paper for table in page.tables)} <= explained


def test_checklists_point_at_what_is_there():
    lists = yaml.safe_load(build.CHECKLISTS.read_text())
    asked = [q for one in lists for part in one["parts"] for q in part["questions"]]
    assert len(asked) > 30
    for question in asked:
        where = question.get("where", [])
        assert question["answer"] in ("yes", "no", "n.a.")
        assert question.get("note") or where, question["ask"]
        assert question["answer"] != "yes" or where, f"{question['ask']}: yes, but where?"
        for name in where:
            assert name.startswith("reports/") or (paths.ROOT / name).exists(), name
