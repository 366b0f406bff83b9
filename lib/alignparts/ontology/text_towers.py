"""The text towers of CLIP and SigLIP, behind the interface of a SentenceTransformer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from transformers import (
    AutoConfig,
    AutoTokenizer,
    CLIPTextModelWithProjection,
    PreTrainedModel,
    Siglip2TextModel,
    SiglipTextModel,
)

CLASSES: dict[str, tuple[type[PreTrainedModel], str, bool]] = {
    "clip": (CLIPTextModelWithProjection, "text_embeds", False),
    "siglip": (SiglipTextModel, "pooler_output", True),
    "siglip2": (Siglip2TextModel, "pooler_output", True),
}
"""By ``model_type``: class, the output that images are compared with, and whether every text is padded to the
full length (SigLIP was trained so, without an attention mask)."""


class TextTower:
    """A text tower with the two methods of a SentenceTransformer that `TextEncoder` calls.

    Args:
        source: folder, or name on the hub.
        kind: key of `CLASSES`.
        device: torch device.
        hub: ``revision`` and ``local_files_only``.
    """

    def __init__(self, source: str, kind: str, device: str, **hub: Any) -> None:
        model_class, self.output, self.full = CLASSES[kind]
        self.tokenizer = AutoTokenizer.from_pretrained(source, **hub)
        whole = AutoConfig.from_pretrained(source, **hub)
        config = whole.text_config
        if kind == "clip":  # its text config states another width
            config.projection_dim = whole.projection_dim
        model: Any = model_class.from_pretrained(source, config=config, **hub)
        self.model = model.to(device).eval()

    def get_embedding_dimension(self) -> int:
        """Return the width of the embeddings."""
        config = self.model.config
        return int(config.projection_dim if self.output == "text_embeds" else config.projection_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch_size: int = 64, **_: Any) -> Float32[np.ndarray, "n d_t"]:
        """Return embeddings of length 1."""
        length = self.model.config.max_position_embeddings
        parts = []
        for start in range(0, len(texts), batch_size):
            tokens = self.tokenizer(
                list(texts[start : start + batch_size]),
                padding="max_length" if self.full else True,
                truncation=True,
                max_length=length,
                return_tensors="pt",
            ).to(self.model.device)
            parts.append(torch.nn.functional.normalize(getattr(self.model(**tokens), self.output), dim=-1))
        return torch.cat(parts).float().cpu().numpy()
