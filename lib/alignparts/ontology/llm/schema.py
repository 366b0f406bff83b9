"""From a pydantic model to the JSON schema that endpoints hold a model to, and from a reply to its object."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from alignparts.ontology.llm.records import problems

Reply = TypeVar("Reply", bound=BaseModel)

FORMATS = ("json_schema", "json_object", "text")
"""How a reply can be asked for, the strictest first; an endpoint may refuse any but the last."""

_KEPT = ("type", "enum", "description")


class WrongReplyError(ValueError):
    """A reply that is not the object asked for.

    Attributes:
        text: what the model wrote.
    """

    def __init__(self, problem: str, text: str) -> None:
        super().__init__(problem)
        self.text = text


def response_format(form: str, schema: type[BaseModel]) -> dict[str, Any]:
    """The part of a request's body that asks for a reply of one of the ``FORMATS``; {} asks for text."""
    if form == "text":
        return {}
    if form == "json_object":
        return {"response_format": {"type": form}}
    strict = {"name": schema.__name__[:64], "strict": True, "schema": strict_schema(schema)}
    return {"response_format": {"type": form, "json_schema": strict}}


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema in the subset that strict structured outputs take.

    Objects are closed and all their properties required. Limits (lengths, ranges, patterns) are left
    out, as not every endpoint takes them: the reply is checked against them when it has come.

    Raises:
        ValueError: a mapping with free keys, for which that subset has no form.
    """
    full = schema.model_json_schema()
    strict = _strict(full, top=True)
    if "$defs" in full:
        strict["$defs"] = {name: _strict(node, top=True) for name, node in full["$defs"].items()}
    return strict


def _strict(node: dict[str, Any], top: bool = False) -> dict[str, Any]:
    if "$ref" in node:
        return {"$ref": node["$ref"]}  # which takes nothing beside it
    # A model's own description is its docstring, meant for who reads the code.
    kept = {key: node[key] for key in _KEPT if key in node and not (top and key == "description")}
    if "const" in node:
        kept["enum"] = [node["const"]]
    if "items" in node:
        kept["items"] = _strict(node["items"])
    options = node.get("anyOf", node.get("oneOf"))
    if options:
        kept["anyOf"] = [_strict(option) for option in options]
    if node.get("type") == "object":
        if "properties" not in node:
            raise ValueError("strict structured outputs have no mapping with free keys; list pairs instead")
        kept["properties"] = {name: _strict(one) for name, one in node["properties"].items()}
        kept["required"] = list(node["properties"])
        kept["additionalProperties"] = False
    return kept


def parse(text: str, schema: type[Reply]) -> Reply:
    """The reply as an object of the schema.

    Raises:
        WrongReplyError: no JSON object in it, or one of another form.
    """
    return checked(json_object(text), schema, text)


def checked(reply: dict[str, Any], schema: type[Reply], text: str = "") -> Reply:
    """The reply's JSON object as an object of the schema; ``text`` is what it was read from.

    Raises:
        WrongReplyError: it is of another form.
    """
    try:
        return schema.model_validate(reply)
    except ValidationError as error:
        raise WrongReplyError(problems(error, 5), text) from None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in a reply, also when the model thinks aloud, or wraps it in a code fence or in prose.

    Raises:
        WrongReplyError: there is none, or it is cut off.
    """
    answer = text.rpartition("</think>")[2]
    start = answer.find("{")
    if start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(answer[start:])
        except (json.JSONDecodeError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
    raise WrongReplyError(f"no JSON object in {' '.join(answer.split())[:80]!r}", text)
