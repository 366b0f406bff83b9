"""Prompts as messages, the JSON schemas that endpoints hold a model to, and the reading of replies."""

import base64
import json
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from openai import pydantic_function_tool
from pydantic import BaseModel, ValidationError

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.records import Request, problems

Reply = TypeVar("Reply", bound=BaseModel)

FORMATS = ("json_schema", "json_object", "text")
"""Ways to ask for a reply, the strictest first; an endpoint may refuse any but the last."""

_KEYWORDS = {"type", "enum", "const", "description", "properties", "required", "additionalProperties",
             "items", "anyOf", "$ref", "$defs"}  # fmt: skip


class WrongReplyError(ValueError):
    """A reply that is not the object asked for; ``text`` is the model's, empty where there is none."""

    def __init__(self, problem: str, text: str) -> None:
        super().__init__(problem)
        self.text = text


class Prompts:
    """The prompts of a folder, one per file ``<name>.txt``, as texts with ``$placeholders``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}

    def text(self, name: str) -> str:
        """Return the text of a prompt, placeholders unfilled; raise AlignPartsError if there is none."""
        if name not in self._texts:
            known = ", ".join(self._texts)
            raise AlignPartsError(f"{self.folder / name}.txt: no such prompt; there are: {known}")
        return self._texts[name]

    def content(self, request: Request) -> str | list[dict[str, Any]]:
        """Return the content of the user's message: text, or text and images as data URLs.

        Raises AlignPartsError for no such prompt, a placeholder without a value, an image of another kind.
        """
        try:
            text = Template(self.text(request.prompt)).substitute(request.variables)
        except (KeyError, ValueError) as error:
            path = f"{self.folder / request.prompt}.txt"
            raise AlignPartsError(f"{path}: placeholder {error} has no value") from None
        images = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in request.images]
        return [{"type": "text", "text": text}, *images] if images else text


def _data_url(image: bytes | str) -> str:
    assert isinstance(image, bytes), "a hash is not shown"
    for kind, signature in (("png", b"\x89PNG\r\n\x1a\n"), ("jpeg", b"\xff\xd8\xff")):
        if image.startswith(signature):
            return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    raise AlignPartsError(f"an image of {len(image)} bytes is neither PNG nor JPEG; convert it to either")


def response_format(form: str, schema: type[BaseModel]) -> dict[str, Any]:
    """Return the part of a request's body that asks for a reply of one of the ``FORMATS``."""
    if form == "text":
        return {}
    if form == "json_object":
        return {"response_format": {"type": form}}
    strict = {"name": schema.__name__[:64], "strict": True, "schema": strict_schema(schema)}
    return {"response_format": {"type": form, "json_schema": strict}}


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema in the subset that strict outputs take: objects are closed and complete.

    Limits (lengths, ranges, patterns) are left out, as not every endpoint takes them: replies are checked
    against them on arrival.
    """
    return _without_limits(pydantic_function_tool(schema)["function"]["parameters"])


def _without_limits(node: dict[str, Any]) -> dict[str, Any]:
    reduced = {key: value for key, value in node.items() if key in _KEYWORDS}
    if "properties" in reduced:
        reduced.pop("description", None)  # the docstring of the model, meant for programmers
    for key in {"properties", "$defs"} & reduced.keys():
        reduced[key] = {name: _without_limits(child) for name, child in reduced[key].items()}
    if "items" in reduced:
        reduced["items"] = _without_limits(reduced["items"])
    if "anyOf" in reduced:
        reduced["anyOf"] = [_without_limits(child) for child in reduced["anyOf"]]
    return reduced


def parse_reply(reply: str | dict[str, Any], schema: type[Reply]) -> Reply:
    """Return a reply as an object of the schema; a text may hold it after thoughts, in a fence or in prose.

    Raises WrongReplyError for a text without a JSON object, or an object of another form.
    """
    text = reply if isinstance(reply, str) else ""
    answer = text.rpartition("</think>")[2]
    try:
        if isinstance(reply, str):
            reply = json.JSONDecoder().raw_decode(answer[answer.index("{") :])[0]
        return schema.model_validate(reply)
    except ValidationError as error:
        raise WrongReplyError(problems(error, 5), text) from None
    except (ValueError, RecursionError):
        raise WrongReplyError(f"no JSON object in {' '.join(answer.split())[:80]!r}", text) from None
