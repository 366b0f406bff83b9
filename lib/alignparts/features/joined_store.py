"""Several feature stores read as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.features.store import FeatureStore, fingerprint_of


class JoinedStore(FeatureStore):
    """The shapes of several stores, for reading.

    Args:
        stores: made by the same encoders; their ids differ.

    Raises:
        AlignPartsError: an id is in two of them.
    """

    def __init__(self, stores: Sequence[FeatureStore]) -> None:
        self.writable = False
        self.fingerprint = fingerprint_of(*(store.fingerprint for store in stores))
        self._of: dict[str, FeatureStore] = {}
        for store in stores:
            for shape_id in store.ids():
                if shape_id in self._of:
                    raise AlignPartsError(
                        f"shape '{shape_id}' is in {self._of[shape_id].root} and in {store.root}; "
                        "expected different ids"
                    )
                self._of[shape_id] = store

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, shape_id: str) -> bool:
        return shape_id in self._of

    def ids(self) -> list[str]:
        """Shape ids, store by store."""
        return list(self._of)

    def finished(self) -> set[str]:
        """All of them."""
        return set(self._of)

    def meta(self, shape_id: str) -> dict[str, Any]:
        """The JSON of one shape."""
        return self._store(shape_id).meta(shape_id)

    def load(
        self, shape_id: str, only: Sequence[str] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and meta of one shape."""
        return self._store(shape_id).load(shape_id, only)

    def add(self, shape_id: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Not possible.

        Raises:
            AlignPartsError: always.
        """
        raise AlignPartsError(f"shape '{shape_id}': stores that are joined are for reading; add it to one")

    def flush(self) -> None:
        """Nothing is ever pending."""

    def arrange(self, shape_ids: Sequence[str]) -> None:
        """Not possible.

        Raises:
            AlignPartsError: always.
        """
        raise AlignPartsError("stores that are joined are for reading; arrange each of them")

    def _store(self, shape_id: str) -> FeatureStore:
        if shape_id not in self._of:
            raise AlignPartsError(f"no features of shape '{shape_id}' in any of the stores")
        return self._of[shape_id]
