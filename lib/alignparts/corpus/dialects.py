"""Names of the procedural generator's categories and parts in each data set."""

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from alignparts.core.errors import AlignPartsError

FOLDER = Path(__file__).parent / "dialects"
DATASETS = ("partnet", "compat", "find3d")


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryName(_Block):
    """Class name in a data set."""

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

    @property
    def datasets(self) -> list[str]:
        """The data sets that have the category, in the order of :data:`DATASETS`."""
        return [name for name in DATASETS if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _every_data_set_names_parts(self) -> "CategoryDialects":
        if not self.datasets:
            raise ValueError(f"no data set has it; expected one of {', '.join(DATASETS)}")
        for dataset in self.datasets:
            for part, names in self.parts.items():
                if dataset not in names.model_fields_set:
                    raise ValueError(f"parts.{part}: no name for '{dataset}'; null leaves it unlabeled")
            if not any(getattr(names, dataset) for names in self.parts.values()):
                raise ValueError(f"'{dataset}' names no part at all")
        return self


_FILE = TypeAdapter(dict[str, CategoryDialects])


@dataclass(frozen=True)
class Dialects:
    """All dialect files of a folder, merged; by generator category."""

    categories: dict[str, CategoryDialects]

    def datasets(self, category: str) -> list[str]:
        """Return the data sets that have the category, in the order of :data:`DATASETS`."""
        return self._of(category).datasets

    def category(self, category: str, dataset: str) -> str:
        """Return the name of a generator category in a data set; raise AlignPartsError where it has none."""
        name = getattr(self._of(category), dataset, None)
        if name is None:
            raise AlignPartsError(f"dialects: {category}: the data set '{dataset}' does not have it")
        return name.category

    def part(self, category: str, dataset: str, part: str) -> str | None:
        """Return the name of a part in a data set, None where it leaves the part unlabeled."""
        names = self._of(category).parts.get(part)
        if names is None:
            raise AlignPartsError(f"dialects: {category}: part '{part}' is not listed; add it under parts")
        return getattr(names, dataset)

    def heldout(self, categories: tuple[str, ...]) -> set[tuple[str, str]]:
        """Return the (data set, raw category) pairs of the held-out generator categories."""
        known = [name for name in categories if name in self.categories]
        return {(dataset, self.category(name, dataset)) for name in known for dataset in self.datasets(name)}

    def _of(self, category: str) -> CategoryDialects:
        if category not in self.categories:
            known = ", ".join(sorted(self.categories))
            raise AlignPartsError(f"dialects: no category '{category}'; known: {known}")
        return self.categories[category]


@functools.lru_cache(maxsize=4)
def load_dialects(folder: Path = FOLDER) -> Dialects:
    """Read and check every ``*.yaml`` file of a folder; raise AlignPartsError with file and key of a fault.

    A part needs a name for every data set that has its category; ``null`` says "unlabeled".
    """
    merged: dict[str, CategoryDialects] = {}
    origin: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            blocks = _FILE.validate_python(yaml.safe_load(path.read_text()))
        except yaml.YAMLError as error:
            raise AlignPartsError(f"{path.name}: not valid YAML: {str(error).splitlines()[0]}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "expected a mapping of categories"
            raise AlignPartsError(f"{path.name}: {key}: {first['msg']}") from None
        for category in merged.keys() & blocks.keys():
            raise AlignPartsError(f"{path.name}: category '{category}' is already in {origin[category]}")
        merged |= blocks
        origin |= dict.fromkeys(blocks, path.name)
    if not merged:
        raise AlignPartsError(f"{folder}: no dialect files (*.yaml)")
    return Dialects(merged)
