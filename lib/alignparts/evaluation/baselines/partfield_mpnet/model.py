"""The network of PartField+MPNet: a fuser, three projectors and a head that counts parts (section 12.1).

The paper gives 448-D and 768-D features, 512-D hidden layers, a 256-D latent space, 4 heads of attention
and these numbers of parameters, in millions: fuser 2.8, local projector 0.39, text projector 0.52, global
projector 0.75, count head 0.63, about 5.1 in all. It leaves the rest open; these choices round to them:

- fuser: both kinds of features attend to each other; a map 1024 → 256 takes a feature and what it received
  (the attention has no other output map), and a map 256 → 256 takes the sum of both kinds. Without norm and
  activation, a feature itself passes through linear maps alone: a network trained on means of parts also
  holds for the means of points' fused features;
- local projector: 768 hidden units, three times the latent width; the others have 512;
- global projector and count head: both read the mean over points of both features, 448 + 768 wide;
- projectors: no bias in the last layer, since only the direction of its output is used;
- count head: up to 20 parts (any number from 4 to 23 rounds to 0.63).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError

KEYS = 256
"""Maximum number of points of a shape that its points attend to, evenly spread over their order."""


@dataclass(frozen=True)
class PartFieldMPNetConfig:
    """Sizes of the network; the defaults are the paper's (5.1 M parameters).

    Attributes:
        d_g: width of the geometry features.
        d_a: width of the appearance features.
        d_t: width of the text encoder's embeddings.
        hidden: width of hidden layers and of the attention.
        latent: width of the space that parts, texts and shapes share.
        heads: number of attention heads; `hidden` is a multiple.
        max_parts: largest number of parts that the count head can predict.
        dropout: rate in projectors, count head and attention.

    Raises:
        AlignPartsError: `hidden` is no multiple of `heads`.
    """

    d_g: int = 448
    d_a: int = 768
    d_t: int = 768
    hidden: int = 512
    latent: int = 256
    heads: int = 4
    max_parts: int = 20
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise AlignPartsError(
                f"PartField+MPNet: hidden is {self.hidden}, which heads = {self.heads} does not divide; "
                "change heads"
            )


class CrossAttention(nn.Module):
    """Attention of one kind of features to the other, within each shape."""

    def __init__(self, c: PartFieldMPNetConfig) -> None:
        super().__init__()
        self.heads, self.dropout = c.heads, c.dropout
        self.query, self.key, self.value = (nn.Linear(c.hidden, c.hidden) for _ in range(3))
        self.out = nn.Linear(2 * c.hidden, c.latent)

    def forward(
        self,
        x: Float[Tensor, "n hidden"],
        other: Float[Tensor, "m hidden"],
        parts: Int64[Tensor, " b"] | None,
    ) -> Float[Tensor, "n latent"]:
        """Join features with what they receive; `parts` counts the rows per shape, None is one shape."""
        rows, present = (self.query(x), self.key(other), self.value(other)), None
        if parts is None:
            padded = [values.unsqueeze(0) for values in rows]
        else:
            counts = parts.tolist()
            padded = [pad_sequence(values.split(counts), batch_first=True) for values in rows]
            present = torch.arange(max(counts), device=x.device) < parts.unsqueeze(1)
        query, key, value = (values.unflatten(-1, (self.heads, -1)).transpose(1, 2) for values in padded)
        received = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if present is None else present[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        received = received.transpose(1, 2).flatten(2)
        return self.out(torch.cat([x, received[0] if present is None else received[present]], dim=-1))


class Fuser(nn.Module):
    """Geometry and appearance of parts, or of points, fused into one feature."""

    def __init__(self, c: PartFieldMPNetConfig) -> None:
        super().__init__()
        self.geometry, self.appearance = nn.Linear(c.d_g, c.hidden), nn.Linear(c.d_a, c.hidden)
        self.to_geometry, self.to_appearance = CrossAttention(c), CrossAttention(c)
        self.mix = nn.Linear(c.latent, c.latent)

    def forward(
        self,
        geometry: Float[Tensor, "n d_g"],
        appearance: Float[Tensor, "n d_a"],
        parts: Int64[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "n latent"]:
        """Fuse the parts of several shapes, counted by `parts`, or without it the points of one shape."""
        first, second = self.geometry(geometry), self.appearance(appearance)
        step = -(-len(first) // KEYS) if parts is None else 1
        both = self.to_geometry(first, second[::step], parts)
        return self.mix(both + self.to_appearance(second, first[::step], parts))


def _mlp(first: int, hidden: int, last: int, dropout: float, bias: bool = False) -> nn.Sequential:
    """Return two layers with GELU between them; `bias` is that of the second."""
    return nn.Sequential(
        nn.Linear(first, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, last, bias=bias)
    )


class PartFieldMPNetModel(PretrainedModel):
    """The network; buffers that are saved with its weights standardize the features per channel."""

    def __init__(self, config: PartFieldMPNetConfig) -> None:
        super().__init__()
        self.config = c = config
        both = c.d_g + c.d_a
        self.fuser = Fuser(c)
        self.local = _mlp(c.latent, 3 * c.latent, c.latent, c.dropout)
        self.text = _mlp(c.d_t, c.hidden, c.latent, c.dropout)
        self.shape = _mlp(both, c.hidden, c.latent, c.dropout)
        self.count = _mlp(both, c.hidden, c.max_parts, c.dropout, bias=True)
        self.register_buffer("mean", torch.zeros(both))
        self.register_buffer("std", torch.ones(both))

    def standardize(self, mean: Float[Tensor, " d_g_and_d_a"], std: Float[Tensor, " d_g_and_d_a"]) -> None:
        """Set mean and standard deviation of the features; a channel that never changes is only centered."""
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("std").copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(
        self,
        features: Float[Tensor, "m d_g_and_d_a"],
        parts: Int64[Tensor, " b"],
        whole: Float[Tensor, "b d_g_and_d_a"],
    ) -> tuple[Float[Tensor, "m latent"], Float[Tensor, "b latent"], Float[Tensor, "b max_parts"]]:
        """Project the parts of several shapes and the shapes themselves, and count their parts.

        Args:
            features: raw geometry and appearance of every part, shape by shape, means over its points.
            parts: number of parts of every shape.
            whole: raw geometry and appearance of every shape, means over all its points.

        Returns:
            Projected parts and projected shapes, neither normalized; logits of 1, 2, … `max_parts` parts.
        """
        return self.local(self.fuse(features, parts)), *self.describe(whole)

    def fuse(
        self, features: Float[Tensor, "n d_g_and_d_a"], parts: Int64[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n latent"]:
        """Fuse raw features as :class:`Fuser` does standardized ones."""
        both = self._standardized(features).split([self.config.d_g, self.config.d_a], dim=-1)
        return self.fuser(*both, parts)

    def describe(
        self, whole: Float[Tensor, "b d_g_and_d_a"]
    ) -> tuple[Float[Tensor, "b latent"], Float[Tensor, "b max_parts"]]:
        """Return the projected global features of shapes, and the logits of their numbers of parts."""
        whole = self._standardized(whole)
        return self.shape(whole), self.count(whole)

    def _standardized(self, both: Tensor) -> Tensor:
        return (both - self.get_buffer("mean")) / self.get_buffer("std")
