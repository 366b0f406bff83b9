"""The site: links hold, data stays text, two builds are the same, missing inputs are said."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml

from alignparts.core import ledger, paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation import tables
from alignparts.report.site import build
from alignparts.report.site import tables as site_tables
from alignparts.report.site.build import Page, Table, read_site

EVIL = "<script>alert('x')</script>"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


class Html(HTMLParser):
    """Links, ids, and every text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()


def rows(*methods: str, sets: tuple[str, ...] = ("compat", "average")) -> pd.DataFrame:
    body = [
        dict(zip(tables.COLUMNS, (method, one, metric, 0.5, 0.25, 0.75, 7, 3), strict=True))
        for method in methods
        for one in sets
        for metric in ("mIoU", "LA-mIoU")
    ]
    return pd.DataFrame(body)


def claims(better: str = "ALIGN-Parts", worse: str = "Find3D") -> pd.DataFrame:
    one = {
        "better": better,
        "worse": worse,
        "metric": "LA-mIoU",
        "difference": 0.1,
        "low": 0.05,
        "high": 0.15,
    }
    return pd.DataFrame([one | {"p": 0.0, "p_holm": 0.02, "n": 7, "verdict": "holds"}])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return fill(tmp_path / "reports")


def fill(folder: Path) -> Path:
    """A small run: some tables, a picture with a 3D twin, one without, timings and a ledger."""
    tables.write_table(folder / "evaluate", "table2", rows("ALIGN-Parts", EVIL))
    tables.write_table(folder / "evaluate", "table2_claims", claims(worse="Find3D"))
    tables.write_table(folder / "modes", "confusions", pd.DataFrame({"truth": [EVIL], "found": ["leg"]}))
    for name in ("tour", "unseen", "odd"):
        (folder / "tour").mkdir(exist_ok=True)
        (folder / "tour" / f"{name}.png").write_bytes(PIXEL)
    (folder / "3d" / "tour").mkdir(parents=True)
    (folder / "3d" / "tour" / "tour.html").write_text("<!doctype html><title>twin</title>")
    (folder / "metrics").mkdir()
    (folder / "metrics" / "corpus.json").write_text('{"shapes": 12, "splits": {"train": 5}}')
    (folder / "timings").mkdir()
    pd.DataFrame({"stage": ["k-means"], "seconds": [0.25]}).to_csv(
        folder / "timings" / "speed.csv", index=False
    )
    (folder / "timings" / "speed.png").write_bytes(PIXEL)
    with ledger.record("evaluate", folder=folder / "timings" / "ledger"):
        pass
    return folder


def pages_of(reports: Path) -> list[Path]:
    return [*sorted((reports / "site").glob("*.html")), reports / "timings" / "ledger.html"]


def test_every_link_and_picture_resolves_from_disk(reports):
    build.build(reports)
    assert len(pages_of(reports)) > 6
    for path in pages_of(reports):
        page = Html(path.read_text())
        assert page.links and page.open == []
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                assert link.startswith("https://name-that-part"), link
                continue
            target, _, anchor = link.partition("#")
            assert not target.startswith("/"), link
            assert not target or (path.parent / target).exists(), f"{path.name}: {link}"
            assert not anchor or anchor in page.ids


def test_pages_need_no_script_and_nothing_from_elsewhere(reports):
    build.build(reports)
    for path in pages_of(reports):
        text = path.read_text()
        assert "script" not in Html(text).tags
        assert 'name="viewport"' in text and 'lang="en"' in text
    style = (reports / "site" / "style.css").read_text()
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_what_comes_from_data_stays_text(reports):
    build.build(reports)
    shown = (reports / "site" / "table2.html").read_text()
    assert EVIL not in shown and "&lt;script&gt;" in shown
    assert "&lt;script&gt;" in (reports / "site" / "curves.html").read_text()


def test_two_builds_are_the_same_to_the_byte_though_seconds_differ(tmp_path):
    made = []
    for name in ("one", "two"):
        reports = fill(tmp_path / name / "reports")
        if name == "two":
            with ledger.record("train", folder=reports / "timings" / "ledger"):
                sum(range(100_000))
            (reports / "timings" / "speed.csv").write_text("stage,seconds\nk-means,9.0\n")
            build.build(reports)  # and a second time over the first
        build.build(reports)
        site = reports / "site"
        files = sorted(path for path in site.rglob("*") if path.is_file())
        made.append({str(p.relative_to(site)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert made[0] == made[1]
    assert {"index.html", "style.css", "figures/tour.png", "3d/tour.html", "3d/plotly.min.js"} <= set(made[0])


def test_seconds_stand_in_the_ledger_alone(reports):
    build.build(reports)
    text = (reports / "timings" / "ledger.html").read_text()
    assert "0.250" in text and "evaluate" in text and "4.007" in text
    written = pd.read_csv(reports / "timings" / "ledger.csv")
    assert written.columns.tolist() == ledger.COLUMNS and written.stage.tolist() == ["evaluate"]


def test_the_first_page_has_a_card_a_page_and_says_what_is_not_there(reports):
    built = build.build(reports)
    text = built.index.read_text()
    cards = text.split('<ul class="cards">')[1].split("</ul>")[0]
    assert set(re.findall(r'href="([\w-]+)\.html"', cards)) == {*built.pages} - {"index"}
    assert built.left_out["Table 3: what each component is worth"] == "dvc repro ablation_table"
    assert "dvc repro ablation_table" in text and "table3.html" not in text
    assert "1 hold" in text


def test_figures_show_twins_and_pictures_of_no_figure(reports):
    build.build(reports)
    text = (reports / "site" / "figures.html").read_text()
    assert 'href="3d/tour.html"' in text
    assert "figures/unseen.png" in text.split("Figure 7.")[0].rsplit("<figure>", 1)[1]
    further = text.split("Further pictures")[1]
    assert "figures/odd.png" in further and "tour.png" not in further and "speed" not in further


def test_a_missing_required_table_names_the_stage(reports):
    (reports / "evaluate" / "table2.csv").unlink()
    with pytest.raises(AlignPartsError, match=r"table2\.csv.*dvc repro evaluate"):
        build.build(reports)


@pytest.mark.parametrize("text", ["", "method,metric,value\n"])
def test_an_empty_required_table_is_an_error_and_an_optional_one_is_left_out(reports, text):
    (reports / "modes" / "confusions.csv").write_text(text)
    assert "Curves" in build.build(reports).left_out
    (reports / "evaluate" / "table2.csv").write_text(text)
    with pytest.raises(AlignPartsError, match=r"table2\.csv: no rows"):
        build.build(reports)


def test_a_failed_build_leaves_the_old_site(reports):
    before = build.build(reports).index.read_text()
    (reports / "evaluate" / "table2.csv").unlink()
    with pytest.raises(AlignPartsError):
        build.build(reports)
    assert (reports / "site" / "index.html").read_text() == before


def test_pages_of_an_earlier_site_go_and_a_foreign_folder_stays(reports):
    build.build(reports)
    (reports / "site" / "old.html").write_text("old")
    build.build(reports)
    assert not (reports / "site" / "old.html").exists()
    (reports / "site" / "index.html").unlink()
    with pytest.raises(AlignPartsError, match="expected a site or nothing"):
        build.build(reports)


def test_a_page_of_ones_own_needs_a_declaration_alone(reports):
    shown = (Table(csv="confusions", heading="Names"),)
    mine = Page(slug="mine", title="M", summary="", stage="corpus", notebook="01_corpus", tables=shown)
    assert build.build(reports, pages=[mine]).pages[:2] == ["index", "mine"]
    assert "01_corpus.ipynb" in (reports / "site" / "mine.html").read_text()


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
