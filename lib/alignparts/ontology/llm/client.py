"""Ask a language model named prompts; recorded replies are the default.

Every request is keyed by a hash of its prompt, variables and images. Replies are kept as JSON lines, so that
a run needs neither account nor network, and replies of another model can be recorded beside them. Every reply
is on record before the next is waited for: a killed run resumes with the requests that are left.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, HttpUrl, ValidationError
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.core.paths import RESOURCES
from alignparts.ontology.llm.endpoint import Endpoint, EndpointError
from alignparts.ontology.llm.messages import Prompts, Reply
from alignparts.ontology.llm.records import Record, Request, Usage, append_record, problems, read_records

if TYPE_CHECKING:
    from alignparts.core.config.params import OntologyParams

PROMPTS = RESOURCES / "prompts"
REPLIES = RESOURCES / "replies"
KEY_VARIABLE = "ALIGNPARTS_LLM_KEY"


class UnansweredError(AlignPartsError):
    """Requests of a batch that got no reply, ``failures`` with the reason of each; others are on record."""

    def __init__(self, message: str, failures: Sequence[tuple[Request, str]]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class LanguageModel:
    """A language model that answers from the record first, then from an endpoint.

    Args:
        endpoint: ``recorded`` (replay only), or the base URL of an OpenAI-compatible endpoint, such as
            ``http://localhost:11434/v1``.
        model: name of the model at the endpoint.
        replies: folder of recorded replies, read and appended to.
        prompts: folder of the prompts.
        api_key: bearer token; None takes the variable ALIGNPARTS_LLM_KEY.
        parallel: number of requests under way at once in :meth:`ask_all`.
        options: further arguments of `alignparts.ontology.llm.endpoint.Endpoint`.

    Raises:
        AlignPartsError: neither ``recorded`` nor a base URL, a key with odd characters, or a broken record.
    """

    def __init__(
        self,
        endpoint: str = "recorded",
        model: str = "recorded",
        replies: Path = REPLIES,
        *,
        prompts: Path = PROMPTS,
        api_key: str | None = None,
        parallel: int = 4,
        **options: Any,
    ) -> None:
        self.model, self.folder, self.parallel = model, replies, parallel
        self.prompts = Prompts(prompts)
        self.records = read_records(replies)  # by the hash of their request
        self._online: Endpoint | None = None
        if endpoint != "recorded":
            key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
            try:
                HttpUrl(endpoint)
            except ValidationError:
                expected = "the base URL of an OpenAI-compatible endpoint (http://… or https://…)"
                raise AlignPartsError(f"'{endpoint}' is neither 'recorded' nor {expected}") from None
            if not (key.isascii() and key.isprintable()):
                odd = "holds characters that no HTTP header takes; copy it again"
                raise AlignPartsError(f"{KEY_VARIABLE}: {odd}")
            self._online = Endpoint(endpoint.rstrip("/"), model, key, **options)

    @classmethod
    def from_params(cls, params: "OntologyParams", replies: Path = REPLIES) -> "LanguageModel":
        """Return the client that the block ``ontology`` of params.yaml describes."""
        return cls(
            params.llm, params.llm_model, replies, per_minute=params.llm_requests_per_minute,
            parallel=params.llm_parallel, price_in=params.llm_price_in, price_out=params.llm_price_out,
        )  # fmt: skip

    @property
    def spent(self) -> Usage:
        """Return the usage of all replies from the endpoint, those of failed requests included."""
        return self._online.spent if self._online else Usage()

    def request_hash(self, request: Request) -> str:
        """Return the sha256 of the prompt's text, the variables, and the sha256 of every image."""
        return request.hash(self.prompts.text(request.prompt))

    def known(self, request: Request) -> bool:
        """Return whether a reply to this request is on record."""
        return self.request_hash(request) in self.records

    def missing(self, requests: Iterable[Request]) -> list[Request]:
        """Return the requests that no recorded reply covers, each once."""
        hashed = {self.request_hash(request): request for request in requests}
        return [request for key, request in hashed.items() if key not in self.records]

    def ask(self, request: Request, schema: type[Reply]) -> Reply:
        """Return the reply to a request as an object of the schema, from the record or else the endpoint.

        Raises AlignPartsError if neither has it, a recorded one has another form, or the endpoint refuses.
        """
        key = self.request_hash(request)
        if key in self.records:
            try:
                return schema.model_validate(self.records[key].reply)
            except ValidationError as error:
                place = f"{self.folder}: the recorded reply {key[:12]} to '{request.prompt}'"
                raise AlignPartsError(f"{place} is not a {schema.__name__}: {problems(error)}") from None
        if self._online is None:
            raise AlignPartsError(f"no recorded reply to {request}; {self._way_out()}")
        content = self.prompts.content(request)
        reply, usage = self._online.ask(f"'{request.prompt}'", content, schema)
        self.keep(Record(
            hash=key, prompt=request.prompt, variables=dict(request.variables), model=self.model,
            reply=reply.model_dump(mode="json"), images=request.image_hashes, usage=usage,
        ))  # fmt: skip
        return reply

    def ask_all(self, requests: Sequence[Request], schema: type[Reply]) -> list[Reply]:
        """Return the replies to many requests, in their order; ``parallel`` are asked at once.

        Replies are recorded as they arrive, so that a second call asks for the rest alone. A failed request
        does not keep the others from being asked, unless it shows that all would fail (a wrong key, no such
        model, no server). Requests without a reply raise UnansweredError with all their reasons, a recorded
        reply of another form AlignPartsError.
        """
        missing = self.missing(requests)
        if missing and self._online is None:
            share, reason = f"{len(missing)} of {len(requests)} requests", "no recorded reply"
            message = f"{share} have {reason}: {_listed(map(str, missing))}; {self._way_out()}"
            raise UnansweredError(message, [(request, reason) for request in missing])
        if missing and (failures := self._answer(missing, schema)):
            failed = f"{len(failures)} of {len(missing)} requests failed, the others are recorded in"
            listed = _listed(f"{request}: {reason}" for request, reason in failures)
            raise UnansweredError(f"{failed} {self.folder}; ask again for the rest: {listed}", failures)
        return [self.ask(request, schema) for request in requests]

    def keep(self, record: Record) -> None:
        """Put a reply on record."""
        append_record(self.folder / f"{record.prompt}.jsonl", record)
        self.records[record.hash] = record

    def _answer(self, requests: Sequence[Request], schema: type[BaseModel]) -> list[tuple[Request, str]]:
        """Ask for replies that are not on record, several at a time; return the failures."""
        assert self._online is not None
        progress = tqdm(total=len(requests), desc="asking", mininterval=2.0, leave=False)
        with ThreadPoolExecutor(self.parallel) as pool, progress:
            futures = {pool.submit(self.ask, request, schema): request for request in requests}
            try:
                for future in as_completed(futures):
                    progress.update()
                    error = None if future.cancelled() else future.exception()
                    if error is not None and not isinstance(error, EndpointError):
                        raise error
                    if error is not None and error.hopeless:
                        for other in futures:
                            other.cancel()
            except BaseException:
                # An interrupt: replies under way are still recorded, no further requests are sent.
                self._online.stop.set()
                pool.shutdown(cancel_futures=True)
                self._online.stop.clear()
                raise
        return [
            (request, "not asked" if future.cancelled() else str(future.exception()))
            for future, request in futures.items()
            if future.cancelled() or future.exception()
        ]

    def _way_out(self) -> str:
        return (
            f"either add replies to a .jsonl file in {self.folder} (see alignparts.ontology.llm.exchange), "
            "or name the base URL of an OpenAI-compatible endpoint and a model there: ontology.llm, ontology."
            f"llm_model of params.yaml, --llm and --llm-model of a command (key in {KEY_VARIABLE})"
        )


def _listed(items: Iterable[str], most: int = 10) -> str:
    listed = list(items)
    more = [f"and {len(listed) - most} more"] if len(listed) > most else []
    return "; ".join(listed[:most] + more)
