"""A model at an OpenAI-compatible endpoint, asked until its reply has the form of a pydantic model.

The `openai` package does the protocol, timeouts and repetitions after HTTP failures. This module adds a limit
on requests per minute, gives up step by step what an endpoint refuses (a strict JSON schema, then any JSON
object; a temperature of 0), and sends a wrong reply back to the model with its errors.
"""

import threading
import time
import warnings
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import openai
from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.messages import FORMATS, Reply, WrongReplyError, parse_reply, response_format
from alignparts.ontology.llm.records import Usage

MOST_REPLY = 8 << 20
"""Bytes of a reply, unpacked; a longer one is not read to its end."""
BACK_OFF = 0.5
"""Seconds before an endpoint that sent no completion is asked again; doubles each time."""


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
        max_retries: number of repetitions after a failed request, and after a wrong reply.
        timeout: seconds for a connection, and between two parts of a reply.
        per_minute: maximum number of requests per minute, repetitions included; None is no limit.
        price_in, price_out: prices of a million tokens, in any currency; None leaves the cost unknown.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str = "",
        *,
        max_retries: int = 4,
        timeout: float = 60.0,
        per_minute: float | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.url, self.model = url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1), model
        # Short ones are words, which replies may hold.
        self._secrets = [one.encode() for one in (key, unquote(parts.password or "")) if len(one) >= 8]
        self.spent = Usage()
        self.stop = threading.Event()
        self._tries, self._timeout = max_retries + 1, timeout
        self._prices = None if price_in is None or price_out is None else (price_in, price_out)
        self._gap, self._next_slot = 60.0 / per_minute if per_minute else 0.0, 0.0
        self._form, self._options = 0, {"temperature": 0}
        self._lock = threading.Lock()
        # What the package takes from OPENAI_… variables by itself is not for other endpoints.
        private = dict.fromkeys(("Authorization", "OpenAI-Organization", "OpenAI-Project"), openai.omit)
        self._headers = private | ({"Authorization": f"Bearer {key}"} if key else {})
        http_client = openai.DefaultHttpxClient(
            event_hooks={"request": [self._wait_for_slot], "response": [self._receive]}
        )
        self._client = openai.OpenAI(
            base_url=url, api_key="none", max_retries=max_retries, timeout=timeout, http_client=http_client
        )

    def ask(
        self, label: str, content: str | list[dict[str, Any]], schema: type[Reply]
    ) -> tuple[Reply, Usage]:
        """Return the answer to a question, and the usage of it and of the wrong replies before it.

        The user's message is a text, or text and image parts. No reply, none that fits, or a refusal raises
        EndpointError, which calls the question by its ``label``.
        """
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        usage, problem = Usage(), ""
        for number in range(self._tries):
            raw, cut_off = self._send(messages, schema), False
            try:
                text, refusal, cut_off, tokens = _read(raw)
                took = self._usage(tokens, raw.elapsed.total_seconds())
                usage += took
                with self._lock:
                    self.spent += took
                if refusal:
                    raise EndpointError(f"{self.url}: model '{self.model}' declines {label}: {refusal[:200]}")
                return parse_reply(text, schema), usage
            except WrongReplyError as error:
                problem = "cut off at the token limit" if cut_off else str(error)
                messages[1:] = _correction(error.text, problem)
                if not error.text and number + 1 < self._tries:
                    self.stop.wait(BACK_OFF * 2**number)
        failure = f"did not answer {label} with a {schema.__name__} in {self._tries} attempts: {problem}"
        raise EndpointError(f"{self.url}: model '{self.model}' {failure}")

    def _send(self, messages: list[dict[str, Any]], schema: type[BaseModel]) -> Any:
        """Return the raw response to the strictest request that the endpoint takes.

        A format or an option that is given up for one request, and then answered, stays given up.
        """
        form, options, raw = self._form, self._options, None
        create: Any = self._client.chat.completions.with_raw_response.create
        while raw is None:
            body = {**options, **response_format(FORMATS[form], schema)}
            try:
                raw = create(model=self.model, messages=messages, extra_headers=self._headers, **body)
            except openai.OpenAIError as error:
                refused = getattr(error, "status_code", 0) in (400, 404, 422)
                if refused and options and "temperature" in str(getattr(error, "body", "")):
                    options = {}
                elif refused and form + 1 < len(FORMATS):
                    form += 1
                else:
                    raise self._failure(error) from None
        with self._lock:
            known, self._form = self._form, max(self._form, form)
            self._options = options and self._options
        if form > known:
            change = f"refuses replies in the form {FORMATS[known]}; asking for {FORMATS[form]} instead"
            warnings.warn(f"{self.url}: {change}, and checking them all the same", stacklevel=2)
        return raw

    def _wait_for_slot(self, _: httpx2.Request) -> None:
        """Let requests go at even intervals, whichever thread sends them."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_slot)
            self._next_slot = start + self._gap
        if self.stop.wait(start - now):
            raise EndpointError("stopped before it was asked")

    def _receive(self, response: httpx2.Response) -> None:
        """Read a reply up to its limit, without the key or password that an endpoint may repeat in it."""
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > MOST_REPLY:
                response.close()
                raise EndpointError(f"a reply of more than {MOST_REPLY >> 20} MB; it was not read to its end")
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        response._content = bytes(content)

    def _usage(self, tokens: Any, seconds: float) -> Usage:
        """Return the usage of a reply; hidden thought, which some count in the total alone, is output."""
        counts = (getattr(tokens, f"{kind}_tokens", None) for kind in ("prompt", "completion", "total"))
        prompt, completion, total = (n if type(n) is int and n >= 0 else None for n in counts)
        if prompt is not None and total is not None:
            completion = max(total - prompt, completion or 0)
        took = round(seconds, 3)
        if prompt is None or completion is None:
            return Usage(replies=1, unreported=1, seconds=took, cost=None)
        cost = self._prices and (prompt * self._prices[0] + completion * self._prices[1]) / 1e6
        return Usage(replies=1, prompt_tokens=prompt, completion_tokens=completion, seconds=took, cost=cost)

    def _failure(self, error: openai.OpenAIError) -> EndpointError:
        if isinstance(error, openai.APIStatusError):
            message = error.body.get("message") if isinstance(error.body, dict) else error.body
            pause = error.response.headers.get("retry-after")
            waits = f" (asks to wait: {pause})" if pause else ""
            # A wrong key, no money, a wrong address or model: no other request will fare better.
            hopeless = error.status_code in (401, 402, 404) or "insufficient_quota" in str(error.body)
            text = " ".join(str(message or error.body or "").split())[:200]
            return EndpointError(f"{self.url}: HTTP {error.status_code}: {text}{waits}", hopeless)
        cause = error.__cause__ or error
        reason = str(cause) or type(cause).__name__
        if isinstance(error, openai.APITimeoutError):
            reason = f"no reply within {self._timeout:g} s, in {self._tries} attempts"
        return EndpointError(f"{self.url}: {reason}", isinstance(cause, httpx2.ConnectError))


def _read(raw: Any) -> tuple[str, str, bool, Any]:
    """Return text and refusal of a completion, True if it is cut off at the token limit, and its tokens.

    Raises WrongReplyError if it is not a chat completion.
    """
    try:
        completion = raw.parse()
        choice = completion.choices[0]
        content = choice.message.content
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content if part.get("type") == "text")
        filtered = "its content filter" if choice.finish_reason == "content_filter" else ""
        refusal = str(choice.message.refusal or filtered)
        # Half a surrogate pair would break the record.
        text = (content or "").encode("utf-8", "replace").decode()
        return text, refusal, choice.finish_reason == "length", completion.usage
    except (AttributeError, IndexError, TypeError, ValueError):
        start = " ".join(raw.text.split())[:120]
        raise WrongReplyError(f"not a chat completion: {start!r}", "") from None


def _correction(reply: str, problem: str) -> list[dict[str, Any]]:
    """Return messages that show the model its wrong reply, which it would repeat at temperature 0."""
    if not reply.strip():
        return []  # several endpoints refuse an empty message
    again = f"That is not what was asked for: {problem}. Answer again, with the JSON object alone."
    return [{"role": "assistant", "content": reply[:4000]}, {"role": "user", "content": again}]
