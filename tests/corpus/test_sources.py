"""Sources of params.yaml: several data sets in one corpus, drawn shapes, splits, and what is refused."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import smoke
from load import miniature
from test_ingest import annotation, cloud, named, partnet

from alignparts.cli.ingest import Kind as Commanded
from alignparts.core import paths
from alignparts.core.config.corpus import Kind
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import embedded, readers
from alignparts.corpus.ingest import Source, ingest
from alignparts.corpus.sources import ABOUT, build_corpus
from alignparts.corpus.splits import by_source, draw_splits


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    return tmp_path / "data"


def build(data, *sources, **changes):
    params = smoke.params(corpus={"sources": list(sources), **changes})
    return build_corpus(params.corpus, params.base, data)


def test_every_kind_is_known_everywhere():
    assert set(get_args(Kind)) == {*readers.KINDS, "auto", "embedded"} == {*ABOUT, "embedded"}
    assert set(get_args(Commanded)) == set(get_args(Kind)) - {"embedded"}
    guide = (paths.ROOT / "data/raw/README.md").read_text()
    assert all(f"| `{kind}` |" in guide for kind in get_args(Kind))


def test_all_sources_become_one_corpus_and_nothing_else_is_in_it(data):
    partnet(data / "raw/pn")
    cloud(data / "raw/f3")
    named(data / "raw/glb/pot.glb", size=4)
    sources = [
        {"kind": "partnet", "folder": "pn"}, {"kind": "find3d", "folder": str(data / "raw/f3")},
        {"kind": "named_glb", "folder": "glb", "license": "CC0-1.0"},
    ]  # fmt: skip
    done = build(data, *sources, heldout=[])
    index = done.corpus.index.set_index("shape_id")
    assert index["dataset"].value_counts().to_dict() == {"partnet": 6, "find3d": 1, "named_glb": 1}
    assert not any((data / "embedded").iterdir()) and index["source"].str.match("pn/|f3/|glb/").all()
    assert index.loc["named_glb_pot", "license"] == "CC0-1.0"
    assert build(data, *sources, heldout=[]).kept == 8
    # Another choice of labels is another corpus.
    assert build(data, {**sources[0], "geometry": "mesh"}, heldout=[]).kept == 0


def test_generated_shapes_are_a_source_beside_folders(data, monkeypatch):
    monkeypatch.setattr(embedded, "plan", lambda params, seed, plan=embedded.plan: plan(params, seed)[:3])
    named(data / "raw/glb/pot.glb", size=4)
    folder = {"kind": "named_glb", "folder": "glb"}
    done = build(data, {"kind": "embedded"}, folder)
    assert len(done.corpus) == 4 and (data / "embedded/embedded.json").is_file()
    assert build(data, {"kind": "embedded"}).kept == 0  # the list of sources changed
    assert len(build(data, folder).corpus) == 1 and not any((data / "embedded").iterdir())


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("gone", "gone: no such folder: PartNet; expected data/<annotation>/"),
        ("empty", "empty: is empty: PartNet; expected"),
    ],
)
def test_a_folder_that_is_missing_is_one_error_before_anything_is_written(data, folder, expected):
    (data / "raw/empty").mkdir(parents=True)
    with pytest.raises(AlignPartsError, match="corpus.sources") as error:
        build(
            data,
            {"kind": "embedded"},
            {"kind": "partnet", "folder": folder},
            {"kind": "compat", "folder": "c"},
        )
    message = str(error.value)
    assert (
        expected in message
        and "get it from https://partnet" in message
        and "c: no such folder: 3DCoMPaT++" in message
    )
    assert not (data / "corpus").exists() and not (data / "embedded").exists()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "partnett", "folder": "pn"}, "corpus.sources.0.kind: Input should be 'auto', 'partnet'"),
        ({"kind": "partnet"}, "kind partnet needs a folder"),
        ({"kind": "embedded", "folder": "x"}, "kind embedded takes no other key"),
        ({"kind": "partnet", "folder": "pn", "tre": "raw"}, "unknown key 'corpus.sources.0.tre'"),
        ({"kind": "partnet", "folder": "pn", "share": 0}, "corpus.sources.0.share"),
    ],
)
def test_a_wrong_source_is_named_by_its_key(source, expected):
    with pytest.raises(AlignPartsError, match="params.yaml") as error:
        smoke.params(corpus={"sources": [source]})
    assert expected in str(error.value)


def test_a_source_of_another_kind_says_what_it_looks_like(data):
    cloud(data / "raw/f3")
    with pytest.raises(AlignPartsError, match="no shape of kind partnet; it looks like find3d"):
        build(data, {"kind": "partnet", "folder": "f3"})


def test_the_same_shapes_twice_are_refused(data):
    partnet(data / "raw/pn", 2)
    with pytest.raises(AlignPartsError, match="hold the same shapes"):
        build(data, {"kind": "partnet", "folder": "pn"}, {"kind": "partnet", "folder": "pn/data"})
    with pytest.raises(AlignPartsError, match="embedded is given twice"):
        build(data, {"kind": "embedded"}, {"kind": "embedded"})


def test_drawn_shapes_depend_on_the_seed_alone_and_others_have_a_reason(tmp_path):
    source, other = partnet(tmp_path / "pn", 20), cloud(tmp_path / "f3")
    params = smoke.block("corpus", heldout=[])

    def drawn(name, sources, seed=0):
        done = ingest(sources, tmp_path / name, params, seed=seed)
        assert len(done.corpus) + len(done.report) == 20 + (len(sources) > 1)
        assert done.report["reason"].str.contains("not drawn: share").all()
        return {name for name in done.corpus.ids() if name.startswith("partnet")}

    fifth = drawn("a", [Source(source, share=0.2)])
    assert len(fifth) == 4
    assert drawn("b", [Source(other), Source(source, share=0.2)]) == fifth
    assert drawn("c", [Source(source, share=0.2, limit=3)]) < fifth < drawn("d", [Source(source, limit=9)])
    assert drawn("e", [Source(source, share=0.2)], seed=1) != fifth


def packs(*sizes: int) -> pd.DataFrame:
    names = np.repeat([f"pack{i}" for i in range(len(sizes))], sizes)
    return pd.DataFrame({"shape_id": [f"s{i}" for i in range(len(names))], "pack": names})


@pytest.mark.parametrize("seed", range(5))
def test_a_pack_is_in_one_split_and_the_shares_are_near(seed):
    table = packs(30, 22, 18, 15, 12, 11, 9, 8, 7, 6, 5, 4)
    table["split"] = by_source(table, test_fraction=0.3, validation_fraction=0.2, seed=seed)
    assert (table.groupby("pack")["split"].nunique() == 1).all()
    share = table["split"].value_counts(normalize=True)
    assert abs(share["test"] - 0.3) < 0.1 and abs(share["validation"] - 0.2) < 0.1
    shuffled = table.sample(frac=1, random_state=1)
    again = by_source(shuffled, test_fraction=0.3, validation_fraction=0.2, seed=seed)
    assert again == shuffled["split"].tolist()


def test_too_few_packs_are_a_clear_error():
    for table, expected in (
        (packs(5, 5), "needs three packs"),
        (packs(60, 50, 40), "no pack is small enough"),
    ):
        with pytest.raises(AlignPartsError, match=expected):
            by_source(table, test_fraction=0.1, validation_fraction=0.1, seed=0)


def test_official_lists_are_taken_as_they_are(tmp_path):
    table = pd.DataFrame({
        "shape_id": [f"p{i}" for i in range(40)], "model": "", "pack": "",
        "dataset": ["partnet"] * 20 + ["named_glb"] * 20, "raw_category": "Chair",
        "official_split": ["train"] * 10 + ["validation"] * 4 + ["test"] * 6 + [""] * 20,
    })  # fmt: skip
    params = smoke.block("corpus", split="official", heldout=[], validation_fraction=0.2)
    splits = draw_splits(table, params, set(), 0)
    assert splits[:20] == table["official_split"][:20].tolist()
    assert sorted(splits[20:]) == ["train"] * 16 + ["validation"] * 4
    held = draw_splits(table, params.model_copy(update={"heldout": ("chair",)}), set(), 0)
    assert set(held) == {"heldout"}
    with pytest.raises(AlignPartsError, match="no data set lists test shapes"):
        draw_splits(table[20:], params, set(), 0)


def test_packs_come_from_the_manifest_else_from_the_folders(tmp_path):
    for name in ("a/pot", "a/pan", "b/cup"):
        named(tmp_path / f"glb/{name}.glb", size=2 + len(name) / 7)
    (tmp_path / "glb/manifest.csv").write_text("path,category,author\na/pot.glb,pot,Ada\n")
    done = ingest([tmp_path / "glb"], tmp_path / "out", smoke.block("corpus", heldout=[]))
    pack = done.corpus.index.set_index("shape_id")["pack"].to_dict()
    assert pack == {"named_glb_a_pot": "Ada", "named_glb_a_pan": "glb/a", "named_glb_b_cup": "glb/b"}
    again = ingest([tmp_path / "out"], tmp_path / "copy", smoke.block("corpus", heldout=[]))
    assert again.corpus.index.set_index("shape_id")["pack"].to_dict() == pack


def test_a_model_annotated_twice_in_two_sources_is_not_tested_and_trained_on(data):
    annotation(data / "raw/a", 1, model="m")
    for key in range(2, 9):
        annotation(data / "raw/a", key, 1 + key / 5)
    annotation(data / "raw/b", 100, 4, model="m")
    done = build(data, {"kind": "partnet", "folder": "a"}, {"kind": "partnet", "folder": "b"}, heldout=[])
    split = done.corpus.index.set_index("shape_id")["split"]
    assert split["partnet_1"] == split["partnet_100"]


def test_the_papers_profile_reads_its_own_folders_and_nothing_generated(data, monkeypatch):
    def few(params, seed, plan=embedded.plan):
        return [item for i, item in enumerate(plan(params, seed)) if i % 9 == 0 or item.dataset == "find3d"]

    monkeypatch.setattr(embedded, "plan", few)
    params = smoke.parse_params(miniature.settings())
    miniature.write_sources(data / "raw", params.corpus)
    done = build_corpus(params.corpus, params.base, data)
    assert done.corpus.index["dataset"].nunique() == 4 and done.report.empty
    assert not any((data / "embedded").iterdir())
    top = done.corpus.index["source"].str.partition("/")[0]
    assert set(top) == {source.folder for source in params.corpus.sources}
    heldout = done.corpus.index[done.corpus.index["split"] == "heldout"]
    assert set(heldout["dataset"]) == {"partobjaverse"} and len(heldout) == 16
