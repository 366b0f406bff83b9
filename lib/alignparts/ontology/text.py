"""Sentence embeddings of names and affordance descriptions (sections 3.1 and 9.3)."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from alignparts.core import hub
from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.ontology import wheels

TEXTS = "texts.safetensors"
"""Name of a file of stored embeddings."""
TOWERS = ("clip", "siglip", "siglip2")
"""Kinds of models of transformers whose text tower is an encoder."""


class TextEncoder:
    """A frozen sentence encoder, whose space partlets are aligned to (section 3.2).

    ``name`` is that given to :meth:`from_name`, ``d_t`` the width (384 for MiniLM, 768 for MPNet).
    """

    def __init__(self, model: Any, name: str) -> None:
        # Named differently before and after sentence-transformers 5.
        width = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        if (d_t := width()) is None:
            raise AlignPartsError(f"{name}: this sentence encoder does not say how wide its embeddings are")
        self.name, self.d_t = name, int(d_t)
        self._model = model
        self._cache: dict[str, Float32[np.ndarray, " d_t"]] = {}

    @classmethod
    def from_name(cls, name: str = "all-minilm-l6-v2", device: str = "cpu") -> "TextEncoder":
        """Load an encoder on a torch device.

        The name is ``all-minilm-l6-v2`` or ``all-mpnet-base-v2`` (:mod:`alignparts.ontology.wheels`), a local
        folder that sentence-transformers reads or that holds a CLIP or SigLIP of transformers, or a Hugging
        Face hub name such as ``sentence-transformers/all-mpnet-base-v2`` or, with a revision,
        ``NAME@REVISION``. Raises AlignPartsError if it is not installed, not a model folder, or not
        downloaded without a network.
        """
        # Set before transformers is imported, which otherwise warns in every forked worker.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import sentence_transformers  # noqa: F401 (below, a missing package would pass for a broken folder)

        folder = wheels.folder(name.lower()) if name.lower() in wheels.NAMES else Path(name)
        if folder.is_dir():
            return cls(_from_folder(folder, name, device), name)
        if "/" not in name or name.startswith((".", "/", "~")) or name.count("/") > 1:
            raise AlignPartsError(
                f"text encoder '{name}': no such folder; expected {', '.join(wheels.NAMES)}, a local folder, "
                "or a hub name like sentence-transformers/all-mpnet-base-v2"
            )
        repository, revision = hub.split(name)
        for offline in (True, False):
            try:
                return cls(_open(repository, device, revision=revision, local_files_only=offline), name)
            except Exception as error:  # the hub client raises a dozen kinds, of several libraries
                last = error
        raise hub.missing("text encoder", name, last) from None

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]:
        """Return embeddings of length 1, so that a dot product is a cosine; equal texts are embedded once."""
        missing = sorted({text for text in texts if text not in self._cache})
        if missing:
            vectors = self._model.encode(
                missing, batch_size=64, normalize_embeddings=True, show_progress_bar=False
            )
            self._cache.update(zip(missing, np.asarray(vectors, dtype=np.float32), strict=True))
        return np.array([self._cache[text] for text in texts], dtype=np.float32).reshape(-1, self.d_t)


class StoredTexts:
    """Embeddings of known texts, and a text encoder for all others, loaded when the first of them comes.

    Args:
        path: safetensors file of :meth:`save`.
        name, device: arguments of :meth:`TextEncoder.from_name`.

    Raises:
        AlignPartsError: the file is missing, not one, or of another encoder.
    """

    def __init__(self, path: Path, name: str, device: str = "cpu") -> None:
        try:
            with safe_open(path, framework="numpy") as file:
                about, vectors = json.loads((file.metadata() or {})["about"]), file.get_tensor("vectors")
            texts, encoder = about["texts"], about["encoder"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise AlignPartsError(f"{path}: cannot be read ({error}); expected stored embeddings") from None
        if encoder != name:
            raise AlignPartsError(f"{path}: embeddings of {encoder}, not of {name}; make the file anew")
        vectors = vectors.astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.d_t = vectors.shape[1]
        self._known = dict(zip(texts, vectors, strict=True))
        self._name, self._device = name, device

    @staticmethod
    def save(
        path: Path,
        texts: Iterable[str],
        encode: Callable[[Sequence[str]], np.ndarray],
        name: str,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        """Write the embeddings of texts, of equal ones once, by the encoder of a name."""
        texts = list(dict.fromkeys(texts))
        vectors = {"vectors": encode(texts).astype(dtype)}
        # One key: safetensors writes several in any order.
        content = to_bytes(vectors, {"about": json.dumps({"encoder": name, "texts": texts})})
        write_atomically(path, lambda temporary: temporary.write_bytes(content))

    @cached_property
    def _encoder(self) -> TextEncoder:
        return TextEncoder.from_name(self._name, self._device)

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]:
        """Return embeddings of length 1, as :meth:`TextEncoder.encode`."""
        others = sorted({text for text in texts if text not in self._known})
        if others:
            self._known.update(zip(others, self._encoder.encode(others), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(-1, self.d_t)


def _from_folder(folder: Path, name: str, device: str) -> Any:
    # Any other folder would silently become an untrained pooling on top of whatever it holds.
    try:
        tower = json.loads((folder / "config.json").read_text()).get("model_type") in TOWERS
    except (OSError, ValueError, AttributeError):
        tower = False
    if not tower and not (folder / "modules.json").is_file():
        raise AlignPartsError(
            f"text encoder '{name}': {folder} has no modules.json and no config.json of CLIP or SigLIP; "
            "expected a folder saved by sentence-transformers or transformers"
        )
    try:
        return _open(str(folder), device, local_files_only=True)
    except Exception as error:  # both libraries raise their own, safetensors' and those of the file system
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AlignPartsError(f"text encoder '{name}': {folder} does not load: {reason}") from None


def _open(source: str, device: str, **options: Any) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # one line per loaded tensor file, in every command and notebook
    model = SentenceTransformer(source, device=device, **options)
    transformer: Any = model[0]
    config = getattr(transformer, "config", None)
    if config is not None and config.model_type in TOWERS:
        model.max_seq_length = length = config.text_config.max_position_embeddings
        if config.model_type != "clip":
            # SigLIP was trained on texts padded to the full length, without an attention mask.
            transformer.processing_kwargs = {"text": {"padding": "max_length", "max_length": length}}
    return model
