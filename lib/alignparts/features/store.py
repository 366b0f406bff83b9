"""Features on disk: safetensors shards and one index, with which a killed run resumes."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from alignparts.core.atomic import PREFIX, write_atomically
from alignparts.core.errors import AlignPartsError

SHARD = 64
"""Number of shapes per shard. Up to that many are redone after a kill."""
OPEN_SHARDS = 64
"""Maximum number of shards that are mapped into memory at once."""
SCHEMA = pa.schema([(name, pa.string()) for name in ("shape_id", "shard", "arrays", "meta")])


class Row(NamedTuple):
    """Entry of a shape in the index: file, names of the arrays (by commas), meta as JSON."""

    shard: str
    arrays: str
    meta: str


def fingerprint_of(*parts: Any) -> str:
    """Return a short hash of anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class FeatureStore:
    """Arrays and a little JSON per shape, by shape id; reading an added shape writes what is pending.

    Args:
        root: folder of ``index.parquet`` and ``shard-*.safetensors``.
        fingerprint: hash of all that the features depend on. A store of another fingerprint is emptied. None
            opens an existing store for reading.
        shard: number of shapes per shard.

    Attributes:
        root: folder of the store.
        fingerprint: hash of all that the features depend on.

    Raises:
        AlignPartsError: opened for reading and there is none, or its index is broken.
    """

    def __init__(self, root: Path | str, fingerprint: str | None = None, shard: int = SHARD) -> None:
        self.root, self.shard, self.writable = Path(root), shard, fingerprint is not None
        self._pending: dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]] = {}
        self._rows: dict[str, Row] = {}
        self._open: dict[str, Any] = {}
        index = self.root / "index.parquet"
        if fingerprint is None and not index.is_file():
            raise AlignPartsError(f"{index}: no such file; features are made by: dvc repro features")
        stored = self._read_index(index) if index.is_file() else ""
        self.fingerprint = stored if fingerprint is None else fingerprint
        if self.writable:
            self.root.mkdir(parents=True, exist_ok=True)
            if stored != self.fingerprint:
                self._rows = {}
            self._clean()

    @classmethod
    def joined(cls, stores: "Sequence[FeatureStore]") -> "FeatureStore":
        """Return the shapes of several finished stores of the same encoders as one store, for reading.

        Raises:
            AlignPartsError: an id is in two of them.
        """
        joined = cls(stores[0].root)
        for store in stores[1:]:
            for shape_id, row in store._rows.items():
                if shape_id in joined:
                    both = f"{(joined.root / joined._rows[shape_id].shard).parent} and in {store.root}"
                    raise AlignPartsError(f"shape '{shape_id}' is in {both}; expected different ids")
                joined._rows[shape_id] = row._replace(shard=str(store.root.absolute() / row.shard))
        joined.fingerprint = fingerprint_of(*(store.fingerprint for store in stores))
        return joined

    def __len__(self) -> int:
        return len(self.ids())

    def __contains__(self, shape_id: str) -> bool:
        return shape_id in self._rows or shape_id in self._pending

    def __iter__(self) -> Iterator[tuple[str, dict[str, np.ndarray], dict[str, Any]]]:
        """Yield id, arrays and meta of every shape in the order of the index, one shape at a time."""
        for shape_id in self.ids():
            yield shape_id, *self.load(shape_id)

    def ids(self) -> list[str]:
        """Return the shape ids in the order of the index."""
        return list(self._rows | dict.fromkeys(self._pending))

    def finished(self) -> set[str]:
        """Return the ids of the shapes that are safely on disk."""
        return set(self._rows)

    def meta(self, shape_id: str) -> dict[str, Any]:
        """Return the JSON of one shape, without reading its arrays."""
        return json.loads(self._row(shape_id).meta)

    def load(
        self, shape_id: str, only: Sequence[str] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return arrays (all, or those of `only` that exist) and meta of one shape, reading no other bytes.

        Raises:
            AlignPartsError: the store has no such shape, or its shard is missing or broken.
        """
        shard, names, meta = self._row(shape_id)
        handle = self._handle(shard)
        wanted = [name for name in names.split(",") if only is None or name in only]
        try:
            return {name: handle.get_tensor(f"{shape_id}/{name}") for name in wanted}, json.loads(meta)
        except SafetensorError as error:
            message = f"{self.root / shard}: shape '{shape_id}': {error}; delete the folder"
            raise AlignPartsError(message) from None

    def add(self, shape_id: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Add or replace a shape; it is on disk once its shard is full or after `flush`."""
        self._check_writable()
        copied = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        self._pending[shape_id] = (copied, dict(meta))
        if len(self._pending) >= self.shard:
            self.flush()

    def flush(self) -> None:
        """Write the pending shapes: first the shard, then the index that names it."""
        if not self._pending:
            return
        tensors = {
            f"{shape_id}/{name}": value
            for shape_id, (arrays, _) in self._pending.items()
            for name, value in arrays.items()
        }
        used = [int(path.stem.split("-")[1]) for path in self.root.glob("shard-*.safetensors")]
        name = f"shard-{max(used, default=-1) + 1:05d}.safetensors"
        write_atomically(self.root / name, lambda path: save_file(tensors, path))
        for shape_id, (arrays, meta) in self._pending.items():
            self._rows[shape_id] = Row(name, ",".join(sorted(arrays)), json.dumps(meta))
        self._pending = {}
        self._write_index()

    def arrange(self, shape_ids: Sequence[str]) -> None:
        """Keep these shapes only, in this order, so that a resumed run ends like one that never stopped.

        Raises:
            AlignPartsError: one of them is not in the store.
        """
        self._check_writable()
        self.flush()
        self._rows = {shape_id: self._row(shape_id) for shape_id in shape_ids}
        self._write_index()
        self._clean()

    def _check_writable(self) -> None:
        if not self.writable:
            raise AlignPartsError(f"{self.root}: opened for reading; give a fingerprint to change it")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def _row(self, shape_id: str) -> Row:
        if shape_id in self._pending:
            self.flush()
        if shape_id not in self._rows:
            raise AlignPartsError(
                f"{self.root}: no features of shape '{shape_id}'; make them with: dvc repro features"
            )
        return self._rows[shape_id]

    def _handle(self, name: str) -> Any:
        if name not in self._open:
            if len(self._open) >= OPEN_SHARDS:
                self._open.pop(next(iter(self._open)))
            try:
                self._open[name] = safe_open(self.root / name, framework="np")
            except (OSError, SafetensorError) as error:
                message = f"{self.root / name}: not readable: {error}; delete the folder"
                raise AlignPartsError(message) from None
        return self._open[name]

    def _read_index(self, index: Path) -> str:
        """Read the rows; return the fingerprint."""
        try:
            table = pq.read_table(index)
            fingerprint = (table.schema.metadata or {})[b"fingerprint"].decode()
            columns = [table.column(name).to_pylist() for name in SCHEMA.names]
        except (pa.ArrowInvalid, KeyError, OSError) as error:
            message = f"{index}: not the index of a feature store ({error}); delete the folder"
            raise AlignPartsError(message) from None
        self._rows = {shape_id: Row(*row) for shape_id, *row in zip(*columns, strict=True)}
        return fingerprint

    def _write_index(self) -> None:
        rows = [{"shape_id": shape_id, **row._asdict()} for shape_id, row in self._rows.items()]
        table = pa.Table.from_pylist(rows, SCHEMA.with_metadata({"fingerprint": self.fingerprint}))
        write_atomically(self.root / "index.parquet", lambda path: pq.write_table(table, path))

    def _clean(self) -> None:
        """Remove shards that no row names: left by a kill, by another fingerprint, or replaced."""
        if not self._rows:
            (self.root / "index.parquet").unlink(missing_ok=True)
        used = {row.shard for row in self._rows.values()}
        for path in [*self.root.glob("shard-*.safetensors"), *self.root.glob(f"{PREFIX}*")]:
            if path.name not in used:
                self._open.pop(path.name, None)
                path.unlink(missing_ok=True)
