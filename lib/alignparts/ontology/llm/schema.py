"""The JSON schema that endpoints hold a model to, and the reading of replies."""

import json
from typing import Any, TypeVar

from openai import pydantic_function_tool
from pydantic import BaseModel, ValidationError

from alignparts.ontology.llm.records import problems

Reply = TypeVar("Reply", bound=BaseModel)

FORMATS = ("json_schema", "json_object", "text")
"""Ways to ask for a reply, the strictest first; an endpoint may refuse any but the last."""

_KEYWORDS = {"type", "enum", "const", "description", "properties", "required", "additionalProperties",
             "items", "anyOf", "$ref", "$defs"}  # fmt: skip


class WrongReplyError(ValueError):
    """A reply that is not the object asked for.

    Attributes:
        text: reply of the model, empty where there is none.
    """

    def __init__(self, problem: str, text: str) -> None:
        super().__init__(problem)
        self.text = text


def response_format(form: str, schema: type[BaseModel]) -> dict[str, Any]:
    """Return the part of a request's body that asks for a reply of one of the ``FORMATS``."""
    if form == "text":
        return {}
    if form == "json_object":
        return {"response_format": {"type": form}}
    strict = {"name": schema.__name__[:64], "strict": True, "schema": strict_schema(schema)}
    return {"response_format": {"type": form, "json_schema": strict}}


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema in the subset that strict structured outputs take.

    Objects are closed and all their properties required. Limits (lengths, ranges, patterns) are left out, as
    not every endpoint takes them: replies are checked against them on arrival.
    """
    return _without_limits(pydantic_function_tool(schema)["function"]["parameters"])


def _without_limits(node: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in node.items() if key in _KEYWORDS}
    if "properties" in kept:
        kept.pop("description", None)  # the docstring of the model, meant for programmers
    for key in {"properties", "$defs"} & kept.keys():
        kept[key] = {name: _without_limits(child) for name, child in kept[key].items()}
    if "items" in kept:
        kept["items"] = _without_limits(kept["items"])
    if "anyOf" in kept:
        kept["anyOf"] = [_without_limits(child) for child in kept["anyOf"]]
    return kept


def parse_reply(reply: str | dict[str, Any], schema: type[Reply]) -> Reply:
    """Return a reply as an object of the schema.

    Args:
        reply: the JSON object, or a text that holds it, also after thoughts, in a code fence or in prose.
        schema: pydantic model of the object.

    Raises:
        WrongReplyError: no JSON object in the text, or an object of another form.
    """
    text = reply if isinstance(reply, str) else ""
    try:
        return schema.model_validate(_json_object(reply) if isinstance(reply, str) else reply)
    except ValidationError as error:
        raise WrongReplyError(problems(error, 5), text) from None


def _json_object(text: str) -> dict[str, Any]:
    answer = text.rpartition("</think>")[2]
    start = answer.find("{")
    if start >= 0:
        try:
            return json.JSONDecoder().raw_decode(answer[start:])[0]
        except (json.JSONDecodeError, RecursionError):
            pass
    raise WrongReplyError(f"no JSON object in {' '.join(answer.split())[:80]!r}", text)
