"""The feature store: what goes in comes out, whenever the process dies."""

import os
import pickle

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.features import store as module
from alignparts.features.store import FeatureStore, fingerprint_of


def arrays_of(number: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    return {
        "points": rng.normal(size=(10 + number, 3)).astype(np.float32),
        "geometry": rng.normal(size=(10 + number, 4)).astype(np.float16),
        "part": rng.integers(-1, 3, 10 + number).astype(np.int16),
        "seen": rng.random(10 + number) < 0.5,
    }


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and np.array_equal(left[name], right[name]) for name in left
    )


def fill(store: FeatureStore, numbers: range) -> None:
    for number in numbers:
        store.add(
            f"shape/{number}", arrays_of(number), {"category": "chair", "part_names": [f"leg {number}"]}
        )


def test_what_goes_in_comes_out(tmp_path) -> None:
    store = FeatureStore(tmp_path, "a", shard=4)
    fill(store, range(10))
    assert len(store) == 10
    assert store.finished() == {f"shape/{n}" for n in range(8)}
    assert same(store.load("shape/9")[0], arrays_of(9))
    store.flush()
    assert len(list(tmp_path.glob("shard-*.safetensors"))) == 3
    again = FeatureStore(tmp_path)
    assert again.fingerprint == "a" and again.ids() == [f"shape/{n}" for n in range(10)]
    for number, (shape_id, arrays, meta) in enumerate(again):
        assert shape_id == f"shape/{number}" and same(arrays, arrays_of(number))
        assert meta == {"category": "chair", "part_names": [f"leg {number}"]}
    assert "shape/3" in again and "shape/10" not in again


def test_goes_on_after_being_killed(tmp_path) -> None:
    first = FeatureStore(tmp_path, "a", shard=4)
    fill(first, range(7))
    del first  # three shapes were only in memory
    second = FeatureStore(tmp_path, "a", shard=4)
    assert second.finished() == {f"shape/{n}" for n in range(4)}
    fill(second, range(4, 7))
    second.flush()
    assert all(same(arrays, arrays_of(n)) for n, (_, arrays, _) in enumerate(FeatureStore(tmp_path)))


def test_a_kill_between_shard_and_index_leaves_no_trace(tmp_path, monkeypatch) -> None:
    store = FeatureStore(tmp_path, "a", shard=2)
    fill(store, range(2))

    def killed(_: FeatureStore) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "_write_index", killed)
        with pytest.raises(KeyboardInterrupt):
            fill(store, range(2, 4))
    (tmp_path / ".writing-half").write_bytes(b"half a file")
    assert len(list(tmp_path.glob("shard-*"))) == 2
    again = FeatureStore(tmp_path, "a", shard=2)
    assert again.finished() == {"shape/0", "shape/1"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.parquet", "shard-00000.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    store = FeatureStore(tmp_path, "a", shard=2)
    fill(store, range(2))

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        fill(store, range(2, 4))
    assert not list(tmp_path.glob(".writing-*"))
    assert FeatureStore(tmp_path).ids() == ["shape/0", "shape/1"]


def test_another_fingerprint_starts_afresh(tmp_path) -> None:
    store = FeatureStore(tmp_path, "a", shard=2)
    fill(store, range(4))
    other = FeatureStore(tmp_path, "b", shard=2)
    assert len(other) == 0 and not list(tmp_path.glob("shard-*"))
    fill(other, range(2))
    assert FeatureStore(tmp_path).fingerprint == "b"


def test_a_shape_can_be_replaced_and_shapes_put_in_order(tmp_path) -> None:
    store = FeatureStore(tmp_path, "a", shard=2)
    fill(store, range(6))
    store.add("shape/0", arrays_of(40), {"category": "table"})
    store.add("shape/1", arrays_of(41), {"category": "table"})
    store.arrange(["shape/5", "shape/0", "shape/1"])
    again = FeatureStore(tmp_path)
    assert again.ids() == ["shape/5", "shape/0", "shape/1"]
    assert same(again.load("shape/0")[0], arrays_of(40)) and again.meta("shape/0") == {"category": "table"}
    # Shards 0 and 1 hold nothing that is still wanted.
    assert len(list(tmp_path.glob("shard-*"))) == 2
    with pytest.raises(AlignPartsError, match="shape/2"):
        store.arrange(["shape/2"])


def test_an_open_store_travels_to_other_processes(tmp_path) -> None:
    store = FeatureStore(tmp_path, "a", shard=2)
    fill(store, range(2))
    reader = FeatureStore(tmp_path)
    reader.load("shape/0")
    copy = pickle.loads(pickle.dumps(reader))
    assert same(copy.load("shape/1")[0], arrays_of(1))


def test_bad_stores_are_said_in_one_line(tmp_path) -> None:
    with pytest.raises(AlignPartsError, match="no such file"):
        FeatureStore(tmp_path / "nowhere")
    store = FeatureStore(tmp_path, "a", shard=1)
    fill(store, range(1))
    reader = FeatureStore(tmp_path)
    with pytest.raises(AlignPartsError, match="no features of shape 'x'"):
        reader.load("x")
    with pytest.raises(AlignPartsError, match="opened for reading"):
        reader.add("x", {}, {})
    os.truncate(tmp_path / "shard-00000.safetensors", 20)
    with pytest.raises(AlignPartsError, match="not readable"):
        FeatureStore(tmp_path).load("shape/0")
    (tmp_path / "index.parquet").write_bytes(b"nothing")
    with pytest.raises(AlignPartsError, match="index of a feature store"):
        FeatureStore(tmp_path)


def test_fingerprints_depend_on_content_alone() -> None:
    assert fingerprint_of({"a": 1, "b": (1, 2)}) == fingerprint_of({"b": [1, 2], "a": 1})
    assert fingerprint_of(1) != fingerprint_of(2)
