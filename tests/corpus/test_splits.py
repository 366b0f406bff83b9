"""The paper's split, on small tables and on tables of the real data sets' sizes: 126, 72, 8 test shapes."""

import numpy as np
import pandas as pd
import pytest
import smoke

from alignparts.core import paths
from alignparts.core.config import load_params
from alignparts.corpus.splits import assign_splits, one_per_model, paper_sizes, plain_name, write_lists

PAPER = paper_sizes()
SIZES = {"compat": (42, 126), "partnet": (24, 72), "find3d": (8, 8)}
"""Categories with test shapes, and test shapes, of every data set."""


def shares(total: int, groups: int, rng: np.random.Generator) -> np.ndarray:
    """Sizes of categories as uneven as the real ones, 12 at least, that add up."""
    weight = rng.pareto(1.2, groups) + 0.05
    sizes = 12 + np.floor(weight / weight.sum() * (total - 12 * groups)).astype(int)
    sizes[0] += total - sizes.sum()
    return sizes


def annotations(rng: np.random.Generator) -> pd.DataFrame:
    """PartNet: 32,537 annotations of 26,671 models in 24 categories; some models under two categories."""
    sizes = shares(26_671, 24, rng)
    category = np.repeat([f"Category{i}" for i in range(24)], sizes)
    model = np.array([f"model{i}" for i in range(len(category))])
    again = rng.choice(len(model), 32_537 - 26_671)
    second = category[again].copy()
    second[:50] = np.roll(second, 1)[:50]
    table = pd.DataFrame(
        {"raw_category": [*category, *second], "model": [*model, *model[again]], "dataset": "partnet"}
    )
    return table.assign(shape_id=[f"partnet_{i}" for i in rng.permutation(len(table))])


def plain(dataset: str, total: int, categories: int, rng: np.random.Generator) -> pd.DataFrame:
    sizes = shares(total, categories, rng) if total > 1000 else np.full(categories, total // categories)
    category = np.repeat([f"category {i}" for i in range(categories)], sizes)
    ids = [f"{dataset}_{i:05d}" for i in range(len(category))]
    return pd.DataFrame({"shape_id": ids, "dataset": dataset, "raw_category": category, "model": ""})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [annotations(rng), plain("compat", 8_753, 42, rng), plain("find3d", 132, 66, rng)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def params():
    profile = load_params(paths.ROOT / "profiles" / "paper.yaml").corpus
    assert PAPER.test_per_category == profile.test_per_category
    assert PAPER.find3d_test == profile.find3d_test
    return profile.model_copy(update={"heldout": ()})


@pytest.mark.parametrize("seed", [0, 1])
def test_the_papers_numbers_whatever_the_order(table, params, seed):
    split = pd.Series(assign_splits(table, params, set(), seed), index=table["shape_id"])
    tested = table[(split == "test").to_numpy()]
    for dataset, (categories, shapes) in SIZES.items():
        rows = tested[tested["dataset"] == dataset]
        assert (rows["raw_category"].nunique(), len(rows)) == (categories, shapes)
        assert rows["raw_category"].value_counts().nunique() == 1
    shuffled = table.sample(frac=1, random_state=seed + 5)
    again = assign_splits(shuffled, params, set(), seed)
    assert again == split[shuffled["shape_id"]].tolist()


def test_annotations_of_one_model_share_a_split(table, params):
    split = pd.Series(assign_splits(table, params, set(), 0))
    models = table["model"].where(table["model"] != "")
    assert (split.groupby(models).nunique() == 1).all()
    assert models.duplicated().sum() > 5_000


def test_several_styles_of_every_model_still_give_the_papers_numbers(params):
    """As 3DCoMPaT++'s clouds: every shape in ten styles."""
    rng = np.random.default_rng(0)
    shapes = plain("compat", 2_000, 42, rng)
    table = pd.concat(
        [shapes.assign(model=shapes["shape_id"], shape_id=shapes["shape_id"] + f"__{i}") for i in range(10)],
        ignore_index=True,
    )
    split = pd.Series(one_per_model(table, assign_splits(table, params, set(), 0)))
    assert (split == "test").sum() == 126 and (split == "duplicate").sum() == 9 * 126
    models = table["model"]
    assert not set(models[split == "test"]) & set(models[split.isin(["train", "validation"])])


def test_another_seed_draws_other_shapes_of_the_same_categories(table, params):
    first, second = (np.array(assign_splits(table, params, set(), seed)) for seed in (0, 1))
    both = ((first == "test") & (second == "test")).sum()
    assert both < 20


def test_a_data_sets_test_shapes_do_not_depend_on_the_others(table, params):
    whole = np.array(assign_splits(table, params, set(), 0))
    alone = table[table["dataset"] == "partnet"]
    split = np.array(assign_splits(alone, params, set(), 0))
    assert ((split == "test") == (whole[: len(alone)] == "test")).all()


def test_the_lists_hold_every_shape_once(table, params, tmp_path):
    index = table.assign(split=assign_splits(table, params, set(), 0))
    write_lists(tmp_path, index)
    lists = {path.stem: path.read_text().split() for path in (tmp_path / "splits").iterdir()}
    assert len(lists["test"]) == 126 + 72 + 8
    assert lists["test"] == sorted(lists["test"])
    assert sorted(id_ for ids in lists.values() for id_ in ids) == sorted(index["shape_id"])
    chosen = index.set_index("shape_id")["split"]
    assert all((chosen[ids] == name).all() for name, ids in lists.items())


def shapes(dataset: str, category: str, count: int, models: list[str] | None = None) -> pd.DataFrame:
    ids = [f"{dataset}_{category}_{i}" for i in range(count)]
    return pd.DataFrame(
        {"shape_id": ids, "dataset": dataset, "raw_category": category, "model": models or [""] * count}
    )


def test_splits_follow_the_papers_rule():
    table = pd.concat(
        [
            shapes("partnet", "Chair", 40), shapes("partnet", "Bed", 2), shapes("compat", "chair", 30),
            shapes("compat", "garden_bench", 9), shapes("find3d", "chair", 5), shapes("find3d", "lamp", 5),
            shapes("partnet", "DishWasher", 4),
        ]
    )  # fmt: skip
    params = smoke.block(
        "corpus", test_per_category=6, find3d_test=1, heldout=("dish_washer",), validation_fraction=0.1
    )
    table["split"] = assign_splits(table, params, {("compat", "garden_bench")}, 0)
    count = table.groupby(["dataset", "raw_category", "split"]).size()
    assert count["partnet", "Chair", "test"] == count["compat", "chair", "test"] == 3
    assert count["partnet", "Bed", "test"] == 1
    assert count["compat", "garden_bench", "heldout"] == 9
    assert count["partnet", "DishWasher", "heldout"] == 4
    assert (table[table["dataset"] == "find3d"]["split"] == "test").sum() == 1
    assert (table["split"] == "validation").sum() == round(0.1 * (82 - 3 - 3 - 1 - 1))
    shuffled = table.sample(frac=1, random_state=1)
    assert assign_splits(shuffled, params, {("compat", "garden_bench")}, 0) == shuffled["split"].tolist()
    assert assign_splits(table, params, set(), 1) != table["split"].tolist()


@pytest.mark.parametrize(
    ("raw", "plain"),
    [("StorageFurniture", "storage_furniture"), ("dining table", "dining_table"), ("bbq_grill", "bbq_grill")],
)
def test_plain_names(raw, plain):
    assert plain_name(raw) == plain
