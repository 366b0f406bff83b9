"""Prompts as files with ``$placeholders``, and the messages that they become."""

import base64
from pathlib import Path
from string import Template
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.records import Request

_SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff"}


class Prompts:
    """The prompts of a folder, each read once.

    Args:
        folder: folder with a file ``<name>.txt`` per prompt.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts: dict[str, str] = {}

    def text(self, name: str) -> str:
        """Return the text of a prompt, placeholders unfilled.

        Raises:
            AlignPartsError: no such file; names the prompts of the folder.
        """
        if name not in self._texts:
            path = self.folder / f"{name}.txt"
            if not path.is_file():
                known = ", ".join(sorted(file.stem for file in self.folder.glob("*.txt")))
                raise AlignPartsError(f"{path}: no such prompt; there are: {known}")
            self._texts[name] = path.read_text(encoding="utf-8")
        return self._texts[name]

    def content(self, request: Request) -> str | list[dict[str, Any]]:
        """Return the content of the user's message: text, or text and images as data URLs.

        Raises:
            AlignPartsError: no such prompt; a placeholder without a value; an image neither PNG nor JPEG.
        """
        try:
            text = Template(self.text(request.prompt)).substitute(request.variables)
        except (KeyError, ValueError) as error:
            path = self.folder / f"{request.prompt}.txt"
            raise AlignPartsError(f"{path}: placeholder {error} has no value") from None
        images = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in request.images]
        return [{"type": "text", "text": text}, *images] if images else text


def _data_url(image: bytes) -> str:
    for kind, signature in _SIGNATURES.items():
        if image.startswith(signature):
            return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    raise AlignPartsError(
        f"an image of {len(image)} bytes is neither PNG nor JPEG; convert it to one of them"
    )
