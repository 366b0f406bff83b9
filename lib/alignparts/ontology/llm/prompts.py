"""Prompts as files: one text each, with ``$placeholders``."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

from alignparts.core.errors import AlignPartsError


class Prompts:
    """The prompts of a folder, each read once.

    Args:
        folder: holds ``<name>.txt``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts: dict[str, str] = {}

    def text(self, name: str) -> str:
        """The text of a prompt, placeholders unfilled.

        Raises:
            AlignPartsError: there is no such file; names those there are.
        """
        if name not in self._texts:
            path = self._path(name)
            if not path.is_file():
                known = ", ".join(sorted(file.stem for file in self.folder.glob("*.txt")))
                raise AlignPartsError(f"{path}: no such prompt; there are: {known}")
            self._texts[name] = path.read_text(encoding="utf-8")
        return self._texts[name]

    def filled(self, name: str, variables: Mapping[str, str]) -> str:
        """The text of a prompt with its variables in place.

        Raises:
            AlignPartsError: no such prompt, or a placeholder without a value.
        """
        try:
            return Template(self.text(name)).substitute(variables)
        except (KeyError, ValueError) as error:
            raise AlignPartsError(f"{self._path(name)}: placeholder {error} has no value") from None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.txt"
