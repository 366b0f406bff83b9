"""A model at an OpenAI-compatible endpoint, asked until its reply has the form of a pydantic model.

The `openai` package does the protocol, timeouts and repetitions after HTTP failures. This module adds a limit
on requests per minute, gives up step by step what an endpoint refuses (a strict JSON schema, then any JSON
object; a temperature of 0), and sends a wrong reply back to the model with its errors.
"""

import threading
import time
import warnings
from typing import Any, TypeVar

import httpx2
import openai
from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.records import Usage
from alignparts.ontology.llm.schema import FORMATS, WrongReplyError, parse_reply, response_format

Reply = TypeVar("Reply", bound=BaseModel)

BACK_OFF = 0.5
"""Seconds before an endpoint that sent no completion is asked again; doubles each time."""
_HOPELESS = (401, 402, 404)
"""Statuses of a wrong key, no money, a wrong address or model: no other request will fare better."""


class EndpointError(AlignPartsError):
    """A question without an answer; ``hopeless`` where no other question would get one."""

    def __init__(self, message: str, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


class Endpoint:
    """One model at one OpenAI-compatible endpoint; may be asked from several threads.

    Args:
        url: base URL, such as ``https://api.openai.com/v1``.
        model: name of the model there.
        key: bearer token, empty where none is needed.
        max_retries: repetitions after a failed request, and after a wrong reply.
        timeout: seconds for a connection, and between two parts of a reply.
        per_minute: most requests per minute, repetitions included; None is no limit.
        price_in: price of a million tokens in, in any currency; None leaves the cost unknown.
        price_out: price of a million tokens out.
    """

    def __init__(
        self, url: str, model: str, key: str = "", *, max_retries: int = 4, timeout: float = 60.0,
        per_minute: float | None = None, price_in: float | None = None, price_out: float | None = None,
    ) -> None:  # fmt: skip
        self.url, self.model = url, model
        self.spent = Usage()
        self.stop = threading.Event()
        self._tries, self._timeout, self._prices = max_retries + 1, timeout, (price_in, price_out)
        self._gap, self._next_slot = 60.0 / per_minute if per_minute else 0.0, 0.0
        self._form, self._options = 0, {"temperature": 0}
        self._lock = threading.Lock()
        # What the package takes from OPENAI_… variables by itself is not for other endpoints.
        self._headers = {
            "Authorization": f"Bearer {key}" if key else openai.omit,
            "OpenAI-Organization": openai.omit,
            "OpenAI-Project": openai.omit,
        }
        http_client = openai.DefaultHttpxClient(event_hooks={"request": [self._wait_for_slot]})
        self._client = openai.OpenAI(
            base_url=url, api_key="none", max_retries=max_retries, timeout=timeout, http_client=http_client
        )

    def ask(
        self, label: str, content: str | list[dict[str, Any]], schema: type[Reply]
    ) -> tuple[Reply, Usage]:
        """Return the answer to a question, and the usage of it and of the wrong replies before it.

        Args:
            label: name of the question in errors.
            content: content of the user's message: text, or text and image parts.
            schema: pydantic model of the reply.

        Raises:
            EndpointError: no reply, none that fits, or a refusal.
        """
        question: dict[str, Any] = {"role": "user", "content": content}
        correction: list[dict[str, Any]] = []
        usage = Usage()
        for number in range(self._tries):
            try:
                result, took = self._attempt([question, *correction], label, schema)
            except openai.OpenAIError as error:
                raise self._failure(error) from None
            usage += took
            if not isinstance(result, WrongReplyError):
                return result, usage
            correction = _correction(result)
            if not result.text and number + 1 < self._tries:
                self.stop.wait(BACK_OFF * 2**number)
        raise EndpointError(
            f"{self.url}: model '{self.model}' did not answer {label} with a {schema.__name__} in "
            f"{self._tries} attempts: {result}"
        )

    def _attempt(
        self, messages: list[dict[str, Any]], label: str, schema: type[Reply]
    ) -> tuple[Reply | WrongReplyError, Usage]:
        """Return one reply and its usage, which is spent whatever becomes of the reply."""
        raw = self._send(messages, schema)
        try:
            completion = raw.parse()
            choice = completion.choices[0]
            text = _text(choice.message.content)
            filtered = "its content filter" if choice.finish_reason == "content_filter" else ""
            refusal = str(choice.message.refusal or filtered)
        except (AttributeError, IndexError, TypeError, ValueError):
            start = " ".join(raw.text.split())[:120]
            return WrongReplyError(f"not a chat completion: {start!r}", ""), Usage()
        usage = self._usage(completion.usage, raw.elapsed.total_seconds())
        with self._lock:
            self.spent += usage
        if refusal:
            raise EndpointError(f"{self.url}: model '{self.model}' declines {label}: {refusal[:200]}")
        try:
            return parse_reply(text, schema), usage
        except WrongReplyError as error:
            cut = choice.finish_reason == "length"
            return (WrongReplyError("cut off at the token limit", text) if cut else error), usage

    def _send(self, messages: list[dict[str, Any]], schema: type[BaseModel]) -> Any:
        """Return the raw response to the strictest request that the endpoint takes.

        A format or an option that is given up for one request, and then answered, stays given up.
        """
        form, options = self._form, self._options
        create: Any = self._client.chat.completions.with_raw_response.create
        while True:
            try:
                raw = create(
                    model=self.model,
                    messages=messages,
                    extra_headers=self._headers,
                    **options,
                    **response_format(FORMATS[form], schema),
                )
                break
            except (openai.BadRequestError, openai.NotFoundError, openai.UnprocessableEntityError) as error:
                if options and "temperature" in str(error.body):
                    options = {}
                elif form + 1 < len(FORMATS):
                    form += 1
                else:
                    raise
        with self._lock:
            known, self._form = self._form, max(self._form, form)
            self._options = options and self._options
        if form > known:
            warnings.warn(
                f"{self.url}: refuses replies in the form {FORMATS[known]}; asking for {FORMATS[form]} "
                "instead, and checking them all the same",
                stacklevel=2,
            )
        return raw

    def _wait_for_slot(self, _: httpx2.Request) -> None:
        """Let requests go at even intervals, whichever thread sends them."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_slot)
            self._next_slot = start + self._gap
        if self.stop.wait(start - now):
            raise EndpointError("stopped before it was asked")

    def _usage(self, counts: Any, seconds: float) -> Usage:
        """Return the usage of a reply; hidden thought, which some count in the total alone, is output."""
        prompt, completion, total = (
            count if type(count) is int and count >= 0 else None
            for count in (
                getattr(counts, f"{kind}_tokens", None) for kind in ("prompt", "completion", "total")
            )
        )
        if prompt is not None and total is not None:
            completion = max(total - prompt, completion or 0)
        seconds = round(seconds, 3)
        if prompt is None or completion is None:
            return Usage(replies=1, unreported=1, seconds=seconds, cost=None)
        price_in, price_out = self._prices
        known = price_in is not None and price_out is not None
        cost = (prompt * (price_in or 0.0) + completion * (price_out or 0.0)) / 1e6 if known else None
        return Usage(
            replies=1, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds, cost=cost
        )

    def _failure(self, error: openai.OpenAIError) -> EndpointError:
        if isinstance(error, openai.APIStatusError):
            message = error.body.get("message") if isinstance(error.body, dict) else error.body
            pause = error.response.headers.get("retry-after")
            waits = f" (asks to wait: {pause})" if pause else ""
            hopeless = error.status_code in _HOPELESS or "insufficient_quota" in str(error.body)
            text = " ".join(str(message or error.body or "").split())[:200]
            return EndpointError(f"{self.url}: HTTP {error.status_code}: {text}{waits}", hopeless)
        if isinstance(error, openai.APITimeoutError):
            return EndpointError(
                f"{self.url}: no reply within {self._timeout:g} s, in {self._tries} attempts"
            )
        cause = error.__cause__ or error
        reason = str(cause) or type(cause).__name__
        return EndpointError(f"{self.url}: {reason}", isinstance(cause, httpx2.ConnectError))


def _correction(error: WrongReplyError) -> list[dict[str, Any]]:
    """Return messages that show the model its wrong reply, which it would repeat at temperature 0."""
    if not error.text.strip():
        return []  # several endpoints refuse an empty message
    request = (
        f"That is not what was asked for: {error}. Answer the question again, with the JSON object alone."
    )
    return [{"role": "assistant", "content": error.text[:4000]}, {"role": "user", "content": request}]


def _text(content: Any) -> str:
    """Return the text of a message, whole or in parts, without the half characters that break a record."""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return (content or "").encode("utf-8", "replace").decode()
