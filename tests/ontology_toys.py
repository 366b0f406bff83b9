"""An encoder with known cosines and a language model with known verdicts, for tests of the ontology."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.records import Request


class Bag:
    """An encoder with known cosines: a sentence is the normalized sum of its words' axes."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                vectors[row, sum(ord(c) * 31**i for i, c in enumerate(word)) % 512] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


class Judge(LanguageModel):
    """Describes a name by itself, and takes pairs for the same where told so."""

    def __init__(self, same: set[tuple[str, str]] | None = None, choice: str | None = None) -> None:
        super().__init__()
        self.choice = choice
        self.same = same or set()
        self.asked: list[tuple[str, dict[str, str]]] = []

    def known(self, request: Request) -> bool:
        return True

    def ask(self, request: Request, schema: type) -> Any:
        prompt, variables, _ = request
        self.asked.append((prompt, dict(variables)))
        if prompt.startswith("describe"):
            return schema(description=f"description of {variables.get('part', variables['category'])}")
        if prompt.startswith("name"):
            return schema(name=self.choice or max(variables["names"].split("; "), key=len))
        return schema(same=(variables["a"], variables["b"]) in self.same, reason="as the test says")


class Part(Judge):
    """A judge of whom only some replies are on record: those to prompts and names that ``covers`` accepts."""

    def __init__(self, same: set[tuple[str, str]], covers: Any) -> None:
        super().__init__(same)
        self.covers = covers

    def known(self, request: Request) -> bool:
        return bool(self.covers(request.prompt, request.variables))

    def ask(self, request: Request, schema: type) -> Any:
        assert self.known(request), request
        return super().ask(request, schema)
