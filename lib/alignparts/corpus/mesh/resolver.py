"""Files that a mesh refers to, found within its folder."""

from pathlib import Path
from typing import Any

import trimesh

from alignparts.core.errors import AlignPartsError


class FolderResolver(trimesh.resolvers.Resolver):
    """Files beside a shape: paths may go up and down, but never out of ``root``."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.root = (root or folder).resolve()

    def get(self, name: str) -> bytes:
        """Return the bytes of the file called ``name`` relative to the folder.

        Raises:
            AlignPartsError: the path leads out of the root, or there is no such file.
        """
        path = (self.folder / name.strip().replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root):
            raise AlignPartsError(f"{self.folder}: refers to {name}, which lies outside {self.root.name}/")
        if not path.is_file():
            raise AlignPartsError(f"{self.folder}: refers to {name}, which does not exist")
        return path.read_bytes()

    def keys(self) -> list[str]:
        """Return the names of the files in the folder."""
        return [path.name for path in self.folder.iterdir()]

    def write(self, name: str, data: Any) -> None:
        """Refuse to write: the folder is read only."""
        raise AlignPartsError(f"{self.folder}: read only, cannot write {name}")

    def namespaced(self, namespace: str) -> "FolderResolver":
        """Return the same root, seen from a folder below."""
        return FolderResolver(self.folder / namespace, self.root)
