"""Names of the procedural generator's categories and parts in each data set."""

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from alignparts.core.errors import AlignPartsError

FOLDER = Path(__file__).parent / "dialects"
DATASETS = ("partnet", "compat", "find3d")


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryName(_Block):
    """A data set's class name."""

    category: str


class PartNames(_Block):
    """Names of one part; PartNet's is a path. None: that data set leaves the part unlabeled."""

    partnet: str | None = None
    compat: str | None = None
    find3d: str | None = None


class CategoryDialects(_Block):
    """One generator category in the data sets that have it."""

    partnet: CategoryName | None = None
    compat: CategoryName | None = None
    find3d: CategoryName | None = None
    parts: dict[str, PartNames]


@dataclass(frozen=True)
class Dialects:
    """All dialect files of a folder, merged; by generator category."""

    categories: dict[str, CategoryDialects]

    def datasets(self, category: str) -> list[str]:
        """Return the data sets that have the category, in the order of :data:`DATASETS`."""
        return [name for name in DATASETS if getattr(self._of(category), name) is not None]

    def category(self, category: str, dataset: str) -> str:
        """Return the name of a generator category in a data set.

        Raises:
            AlignPartsError: unknown category, or the data set does not have it.
        """
        name = getattr(self._of(category), dataset, None)
        if name is None:
            raise AlignPartsError(f"dialects: {category}: the data set '{dataset}' does not have it")
        return name.category

    def part(self, category: str, dataset: str, part: str) -> str | None:
        """Return the name of a part in a data set; None where it leaves the part unlabeled.

        Raises:
            AlignPartsError: the generator makes a part that the dialects do not list.
        """
        names = self._of(category).parts.get(part)
        if names is None:
            raise AlignPartsError(f"dialects: {category}: part '{part}' is not listed; add it under parts")
        return getattr(names, dataset)

    def heldout(self, categories: tuple[str, ...]) -> set[tuple[str, str]]:
        """Return the (data set, raw category) pairs that the held-out generator categories go by."""
        return {
            (dataset, self.category(category, dataset))
            for category in categories
            if category in self.categories
            for dataset in self.datasets(category)
        }

    def _of(self, category: str) -> CategoryDialects:
        if category not in self.categories:
            known = ", ".join(sorted(self.categories))
            raise AlignPartsError(f"dialects: no category '{category}'; known: {known}")
        return self.categories[category]


@functools.lru_cache(maxsize=4)
def load_dialects(folder: Path = FOLDER) -> Dialects:
    """Read and check every ``*.yaml`` file of a folder.

    Raises:
        AlignPartsError: not YAML, an unknown key, a category in two files, a part without the name of a data
            set that has its category (``null`` says "unlabeled"), or a category without named parts.
    """
    merged: dict[str, CategoryDialects] = {}
    origin: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            blocks = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise AlignPartsError(f"{path.name}: not valid YAML: {str(error).splitlines()[0]}") from None
        if not isinstance(blocks, dict):
            raise AlignPartsError(f"{path.name}: expected a mapping of categories")
        for category, block in blocks.items():
            if category in merged:
                raise AlignPartsError(f"{path.name}: category '{category}' is already in {origin[category]}")
            try:
                entry = CategoryDialects.model_validate(block)
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(str(item) for item in (category, *first["loc"]))
                raise AlignPartsError(f"{path.name}: {key}: {first['msg']}") from None
            _check(path.name, category, entry)
            merged[category], origin[category] = entry, path.name
    if not merged:
        raise AlignPartsError(f"{folder}: no dialect files (*.yaml)")
    return Dialects(merged)


def _check(file: str, category: str, entry: CategoryDialects) -> None:
    present = [name for name in DATASETS if getattr(entry, name) is not None]
    if not present:
        raise AlignPartsError(
            f"{file}: {category}: no data set has it; expected one of {', '.join(DATASETS)}"
        )
    for dataset in present:
        for part, names in entry.parts.items():
            if dataset not in names.model_fields_set:
                raise AlignPartsError(
                    f"{file}: {category}.parts.{part}: no name for '{dataset}'; null leaves it unlabeled"
                )
        if not any(getattr(names, dataset) for names in entry.parts.values()):
            raise AlignPartsError(f"{file}: {category}: '{dataset}' names no part at all")
