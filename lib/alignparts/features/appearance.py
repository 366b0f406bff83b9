"""The appearance encoder: DINOv2 patch features of pictures (section 3.1)."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from transformers import AutoModel, Dinov2Config, Dinov2Model, PreTrainedModel
from transformers.utils import logging

from alignparts.core import hub
from alignparts.core.checkpoint import save_model
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import seeded

MEAN = (0.485, 0.456, 0.406)
"""ImageNet's mean of RGB in 0..1, which DINOv2 expects to be subtracted."""
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's standard deviation."""
KINDS = ("dinov2", "dinov2_with_registers")
"""Architectures whose patch features are read alike."""


def small_config(resolution: int = 112) -> Dinov2Config:
    """Return the DINOv2 that the embedded pipeline trains within minutes on two CPU cores: 0.5 M weights."""
    return Dinov2Config(
        hidden_size=96, num_hidden_layers=4, num_attention_heads=3, mlp_ratio=4, patch_size=8,
        image_size=resolution, layerscale_value=1.0, drop_path_rate=0.0,
    )  # fmt: skip


def normalized(images: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """Return pictures as DINOv2 takes them."""
    pixels = images.permute(0, 3, 1, 2).float() / 255
    mean, deviation = pixels.new_tensor(MEAN), pixels.new_tensor(DEVIATION)
    return (pixels - mean[:, None, None]) / deviation[:, None, None]


class AppearanceEncoder(nn.Module):
    """A DINOv2 whose last layer's normalized patch tokens are the features.

    Attributes:
        model: a transformers Dinov2Model, or one with registers.
        d_a: number of channels of the features.
        patch: side of a patch in pixels; pictures must be a multiple of it.
        registers: number of register tokens between the class token and the patches.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        if (kind := model.config.model_type) not in KINDS:
            raise AlignPartsError(f"appearance encoder: expected one of {', '.join(KINDS)}, got '{kind}'")
        self.model = model
        self.d_a = int(model.config.hidden_size)
        self.patch = int(model.config.patch_size)
        self.registers = int(getattr(model.config, "num_register_tokens", 0))
        self.requires_grad_(False).eval()

    @classmethod
    def small(cls, resolution: int = 112, seed: int = 0) -> "AppearanceEncoder":
        """Return the small network with random weights, equal for equal seeds."""
        return seeded(seed, lambda: cls(Dinov2Model(small_config(resolution))))

    @classmethod
    def from_pretrained(cls, source: str | Path) -> "AppearanceEncoder":
        """Load a folder that `save_pretrained` or transformers wrote, or a Hugging Face checkpoint.

        Names on the hub are such as facebook/dinov2-base or, with a revision, NAME@REVISION.

        Raises:
            AlignPartsError: there is neither such a folder nor a reachable checkpoint, or it is no DINOv2.
        """
        name, local = str(source), Path(source).is_dir()
        repository, revision = (name, None) if local else hub.split(name)
        logging.disable_progress_bar()  # one line per checkpoint, in every worker process
        try:
            model = AutoModel.from_pretrained(repository, revision=revision, attn_implementation="sdpa")
        except Exception as error:  # the hub, the file system and safetensors each raise their own
            if local:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                raise AlignPartsError(f"{name}: not a DINOv2 checkpoint: {first}") from None
            way_out = ", or set it to null to train the small one"
            raise hub.missing("features.appearance.checkpoint", name, error, way_out) from None
        return cls(model)

    def save_pretrained(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors``, as transformers reads them, each atomically."""
        logging.disable_progress_bar()
        save_model(self.model, folder)

    @torch.inference_mode()
    def encode(
        self, images: UInt8[np.ndarray, "V H W 3"], batch_size: int = 32
    ) -> Float32[np.ndarray, "V h w d_a"]:
        """Return patch features of RGB pictures, h = H / patch and w = W / patch.

        ``batch_size`` pictures are encoded at once, which bounds the memory.

        Raises:
            AlignPartsError: height or width is no multiple of the patch.
        """
        for side in images.shape[1:3]:
            self.check_resolution(side)
        device = next(self.model.parameters()).device
        maps = []
        for pictures in torch.from_numpy(np.ascontiguousarray(images)).split(batch_size):
            tokens = self.model(normalized(pictures.to(device))).last_hidden_state
            maps.append(tokens[:, 1 + self.registers :].float().cpu())
        return torch.cat(maps).unflatten(1, [side // self.patch for side in images.shape[1:3]]).numpy()

    def check_resolution(self, resolution: int) -> None:
        """Raise AlignPartsError unless pictures of this side divide into whole patches."""
        if resolution < self.patch or resolution % self.patch:
            near = max(1, round(resolution / self.patch)) * self.patch
            raise AlignPartsError(
                f"features.resolution: the appearance encoder has patches of {self.patch} pixels; "
                f"expected a multiple, e.g. {near}, got {resolution}"
            )
