"""What a batch holds: seeded subsets, renumbered parts, the right texts, padding."""

from pathlib import Path

import numpy as np
import pytest
import torch
import toy

from alignparts.core.errors import AlignPartsError
from alignparts.features.store import FeatureStore
from alignparts.model.dataset import PartDataset, batches, collate, epoch_order, ids_of_split
from alignparts.model.texts import TextTable


@pytest.fixture
def table() -> TextTable:
    return TextTable(toy.vocabulary(), toy.encode)


@pytest.fixture
def dataset(tmp_path: Path, table: TextTable) -> PartDataset:
    store = toy.store(tmp_path)
    return PartDataset(
        store, ids_of_split(store, "train"), table, points=40, k=4, name_prompt_rate=0.5, seed=3
    )


def test_table_holds_three_styles(table: TextTable) -> None:
    row = table.names["lamp"].index("pole")
    expected = toy.encode(["what a lamp needs pole for", "pole", "the pole of a lamp"])
    np.testing.assert_array_equal([table.parts("lamp", style)[row] for style in range(3)], expected)
    np.testing.assert_array_equal(table.category("mug", 2), toy.encode(["a mug"])[0])


def test_subset_depends_on_seed_epoch_and_index_alone(dataset: PartDataset) -> None:
    first, again, later = dataset[1, 2], dataset[1, 2], dataset[2, 2]
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.text, again.text)
    assert first.points.shape == (40, 3) and not np.array_equal(first.points, later.points)


def test_points_keep_their_features_and_parts(dataset: PartDataset) -> None:
    shape = dataset[0, 1]
    arrays, meta = dataset.store.load(shape.shape_id)
    where = {tuple(point): row for row, point in enumerate(arrays["points"])}
    rows = [where[tuple(point)] for point in shape.points]
    np.testing.assert_array_equal(shape.geometry, arrays["geometry"][rows].astype(np.float32))
    names = [meta["part_names"][part] if part >= 0 else None for part in arrays["part"][rows]]
    assert names == [shape.names[part] if part >= 0 else None for part in shape.part]
    assert set(shape.part.tolist()) - {-1} == set(range(len(shape.names))) and len(shape.text) == len(
        shape.names
    )


def test_balance_draws_points_of_small_parts_more_often(dataset: PartDataset) -> None:
    arrays, _ = dataset.store.load(dataset.ids[0])
    count = np.bincount(arrays["part"][arrays["part"] >= 0])
    assert count.min() < count.max()
    small = np.flatnonzero(arrays["part"] == count.argmin())
    where = {tuple(point): row for row, point in enumerate(arrays["points"])}

    def share(balance: float) -> float:
        dataset.balance = balance
        rows = [where[tuple(p)] for epoch in range(100) for p in dataset[epoch, 0].points]
        return float(np.isin(rows, small).mean())

    uniform, balanced = share(0.0), share(1.0)
    assert uniform == pytest.approx(len(small) / len(arrays["part"]), rel=0.25) and balanced > uniform


def test_prompts_come_at_their_rate_and_of_one_style_a_shape(dataset: PartDataset) -> None:
    styles = []
    for epoch in range(60):
        shape = dataset[epoch, 0]
        rows = [dataset.table.names[shape.category].index(name) for name in shape.names]
        found = [
            s for s in range(3) if np.array_equal(shape.text, dataset.table.parts(shape.category, s)[rows])
        ]
        assert len(found) == 1 and np.array_equal(
            shape.class_text, dataset.table.category(shape.category, found[0])
        )
        styles += found
    assert 18 <= styles.count(0) <= 42 and styles.count(1) > 5 and styles.count(2) > 5


def test_negatives_are_the_categorys_other_parts(dataset: PartDataset) -> None:
    dataset.negatives, dataset.points = "category", 2
    shape = dataset[0, 0]
    have = {tuple(row) for row in np.vstack([shape.text, shape.negatives]).tolist()}
    assert len(shape.text) + len(shape.negatives) == 4 and 1 <= len(shape.text) <= 2
    assert any(have == {tuple(r) for r in dataset.table.parts("chair", s).tolist()} for s in range(3))


def test_names_are_resolved_and_merged(tmp_path: Path, table: TextTable) -> None:
    store = FeatureStore(tmp_path, "x")
    arrays, meta = toy.shape("chair", 0)
    store.add("a", arrays, {**meta, "part_names": ["seat", "Leg", "leg", "arm rest"], "split": "train"})
    shape = PartDataset(store, ["a"], table, points=96, k=4)[0]
    assert shape.names == ["arm_rest", "leg", "seat"]
    assert np.sum(shape.part == 1) == np.isin(arrays["part"], [1, 2]).sum()


def test_collate_pads(tmp_path: Path, table: TextTable) -> None:
    store = FeatureStore(tmp_path, "x")
    for name, category, n in (("a", "chair", 30), ("b", "mug", 3)):
        arrays, meta = toy.shape(category, 0, n)
        store.add(name, arrays, meta)
    data = PartDataset(store, ["a", "b"], table, points=99, k=4)
    batch = collate([data[0], data[1]])
    assert batch.padding_mask is not None and batch.padding_mask.sum(1).tolist() == [0, 27]
    assert (batch.targets.part[1, 3:] == -1).all() and batch.targets.parts.sum(1).tolist() == [
        4,
        len(data[1].names),
    ]
    assert batch.neighbors[1, 10].tolist() == [10, -1, -1, -1] and (batch.neighbors[1, :3, 3] == -1).all()
    assert torch.equal(batch.targets.masks.sum(1) > 0, batch.targets.labeled)
    assert collate([data[0], data[0]]).padding_mask is None


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order(dataset: PartDataset, workers: int) -> None:
    order = epoch_order(len(dataset), 4, 0, 0)
    assert sorted(row for rows in order for row in rows) == list(range(6)) and [
        len(rows) for rows in order
    ] == [4, 2]
    assert order != epoch_order(len(dataset), 4, 0, 1)
    found = [batch.shape_ids for batch in batches(dataset, order, workers=workers)]
    assert found == [[dataset.ids[row] for row in rows] for rows in order]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"geometry": None}, "expected arrays points, geometry, appearance, part"),
        ({"part": np.zeros(3, np.int16)}, "with a row per point"),
        ({"part": np.full(96, 9, np.int16)}, "part 9 has no name"),
        ({"appearance": np.full((96, 5), np.nan, np.float16)}, "appearance: expected finite"),
        ({"points": np.zeros((0, 3), np.float32)}, "with a row per point"),
    ],
)
def test_bad_arrays_are_one_line(tmp_path: Path, table: TextTable, change: dict, message: str) -> None:
    store = FeatureStore(tmp_path, "x")
    arrays, meta = toy.shape("chair", 0)
    store.add("a", {k: v for k, v in {**arrays, **change}.items() if v is not None}, meta)
    with pytest.raises(AlignPartsError, match=f"shape 'a'.*{message}"):
        PartDataset(store, ["a"], table, points=96, k=4)[0]


def test_unknown_names_are_said(tmp_path: Path, table: TextTable) -> None:
    store = FeatureStore(tmp_path, "x")
    arrays, meta = toy.shape("chair", 0)
    store.add("a", arrays, {**meta, "part_names": ["seat", "leg", "back", "rotor"]})
    with pytest.raises(AlignPartsError, match="rotor"):
        PartDataset(store, ["a"], table, points=96, k=4)[0]
