"""The network of PartField+MPNet: a fuser, three projectors and a head that counts parts (section 12.1).

The paper gives 448-D and 768-D features, 512-D hidden layers, a 256-D latent space, 4 heads of attention
and these numbers of parameters, in millions: fuser 2.8, local projector 0.39, text projector 0.52, global
projector 0.75, count head 0.63, about 5.1 in all. It leaves open, and here is chosen so that the numbers
round to those:

- fuser: both kinds of features attend to each other; a map 1024 → 256 takes what a feature is and what it
  received (there is no other output map of the attention), and a map 256 → 256 the sum of both kinds.
  There is no norm and no activation: what a feature is passes through linear maps alone, so that a network
  trained on means of parts (`pooling`) holds for the means of points' fused features (`method`) as well;
- local projector: 768 hidden units, three times the latent width; the others have 512;
- global projector and count head: both read the mean over points of both features, 448 + 768 wide;
- projectors: no bias in the last layer, of whose output only the direction is used;
- count head: up to 20 parts (any number from 4 to 23 rounds to 0.63).
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError

KEYS = 256
"""Most points of a shape that its points attend to, evenly spread over their order."""


@dataclass(frozen=True)
class PartFieldMPNetConfig:
    """Sizes of the network; the defaults are the paper's (5.1 M parameters).

    Attributes:
        d_g: width of the geometry features.
        d_a: width of the appearance features.
        d_t: width of the text encoder's embeddings.
        hidden: width of hidden layers and of the attention.
        latent: width of the space that parts, texts and shapes share.
        heads: of the attention; `hidden` is a multiple.
        max_parts: the largest number of parts that the count head can say.
        dropout: in projectors, count head and attention.

    Raises:
        AlignPartsError: a size below 1, a width that the heads do not divide, or a dropout outside [0, 1).
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
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "dropout" and value < 1:
                raise AlignPartsError(f"PartField+MPNet: {field.name}: expected at least 1, got {value}")
        if self.hidden % self.heads:
            raise AlignPartsError(
                f"PartField+MPNet: hidden is {self.hidden}, which heads = {self.heads} does not divide; "
                "change heads"
            )
        if not 0 <= self.dropout < 1:
            raise AlignPartsError(f"PartField+MPNet: dropout: expected [0, 1), got {self.dropout}")


@dataclass(frozen=True)
class PartFieldMPNetOutput:
    """What training looks at: m parts of b shapes; nothing is normalized.

    Attributes:
        parts: projected fused features of every part.
        shapes: projected global features.
        count: logits of 1, 2, … `max_parts` parts.
    """

    parts: Float[Tensor, "m latent"]
    shapes: Float[Tensor, "b latent"]
    count: Float[Tensor, "b max_parts"]


class Slots:
    """Where rows of several shapes lie once every shape is padded to the same number of rows.

    Args:
        shape: the shape of every row, from 0; every shape has a row.
    """

    def __init__(self, shape: Int64[Tensor, " n"]) -> None:
        count = torch.bincount(shape)
        self.size = len(count), int(count.max())
        order = torch.argsort(shape, stable=True)
        within = torch.arange(len(shape), device=shape.device) - (count.cumsum(0) - count)[shape[order]]
        self.slot = torch.empty_like(shape).index_copy_(0, order, shape[order] * self.size[1] + within)
        self.present = torch.arange(self.size[1], device=shape.device) < count.unsqueeze(1)

    def pad(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "b p d"]:
        """Rows in their slots, 0 elsewhere."""
        batch, most = self.size
        empty = rows.new_zeros(batch * most, rows.shape[1])
        return empty.index_copy(0, self.slot, rows).unflatten(0, self.size)

    def unpad(self, padded: Float[Tensor, "b p d"]) -> Float[Tensor, "n d"]:
        """What lies in the slots."""
        return padded.flatten(0, 1).index_select(0, self.slot)


class CrossAttention(nn.Module):
    """Features of one kind ask those of the other, all over the shape, and keep what they were."""

    def __init__(self, hidden: int, latent: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.out = nn.Linear(2 * hidden, latent)

    def forward(
        self, own: Float[Tensor, "n hidden"], other: Float[Tensor, "m hidden"], slots: Slots | None
    ) -> Float[Tensor, "n latent"]:
        """Own and received features, joined; without slots all rows are of one shape."""
        rows = self.query(own), self.key(other), self.value(other)
        padded = [one.unsqueeze(0) if slots is None else slots.pad(one) for one in rows]
        query, key, value = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in padded)
        received = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if slots is None else slots.present[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        received = received.transpose(1, 2).flatten(2)
        received = received[0] if slots is None else slots.unpad(received)
        return self.out(torch.cat([own, received], dim=-1))


class Fuser(nn.Module):
    """Geometry and appearance of parts, or of points, in one feature."""

    def __init__(self, config: PartFieldMPNetConfig) -> None:
        super().__init__()
        c = config
        self.geometry = nn.Linear(c.d_g, c.hidden)
        self.appearance = nn.Linear(c.d_a, c.hidden)
        self.to_geometry = CrossAttention(c.hidden, c.latent, c.heads, c.dropout)
        self.to_appearance = CrossAttention(c.hidden, c.latent, c.heads, c.dropout)
        self.mix = nn.Linear(c.latent, c.latent)

    def forward(
        self,
        geometry: Float[Tensor, "n d_g"],
        appearance: Float[Tensor, "n d_a"],
        shape: Int64[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n latent"]:
        """Fused features; rows attend within their `shape`, and without it are the points of one."""
        first, second = self.geometry(geometry), self.appearance(appearance)
        slots = None if shape is None else Slots(shape)
        step = -(-len(first) // KEYS) if shape is None else 1
        both = self.to_geometry(first, second[::step], slots)
        return self.mix(both + self.to_appearance(second, first[::step], slots))


def _mlp(*widths: int, dropout: float, bias: bool) -> nn.Sequential:
    """Two layers with GELU between them; `bias` is that of the second."""
    first, hidden, last = widths
    return nn.Sequential(
        nn.Linear(first, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, last, bias=bias)
    )


class PartFieldMPNetModel(PretrainedModel):
    """The network; saved as safetensors with a config.json.

    Features are standardized per channel with statistics that :meth:`standardize` sets and that are saved
    with the weights (buffers, no parameters).
    """

    def __init__(self, config: PartFieldMPNetConfig) -> None:
        super().__init__()
        self.config = c = config
        both = c.d_g + c.d_a
        self.fuser = Fuser(c)
        self.local = _mlp(c.latent, 3 * c.latent, c.latent, dropout=c.dropout, bias=False)
        self.text = _mlp(c.d_t, c.hidden, c.latent, dropout=c.dropout, bias=False)
        self.shape = _mlp(both, c.hidden, c.latent, dropout=c.dropout, bias=False)
        self.count = _mlp(both, c.hidden, c.max_parts, dropout=c.dropout, bias=True)
        self.register_buffer("mean", torch.zeros(both))
        self.register_buffer("std", torch.ones(both))

    def standardize(
        self,
        geometry: tuple[Float[Tensor, " d_g"], Float[Tensor, " d_g"]],
        appearance: tuple[Float[Tensor, " d_a"], Float[Tensor, " d_a"]],
    ) -> None:
        """Set mean and standard deviation of the features; a channel that never changes is only centered."""
        mean, std = (torch.cat(both) for both in zip(geometry, appearance, strict=True))
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("std").copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(
        self,
        geometry: Float[Tensor, "m d_g"],
        appearance: Float[Tensor, "m d_a"],
        shape: Int64[Tensor, " m"],
        whole: Float[Tensor, "b d_g_and_d_a"],
    ) -> PartFieldMPNetOutput:
        """One pass over the parts of some shapes.

        Args:
            geometry: raw geometry feature of every part, a mean over its points.
            appearance: likewise.
            shape: the shape of every part, a row of `whole`.
            whole: raw geometry and appearance, means over all points of a shape.
        """
        parts = self.local(self.fuse(geometry, appearance, shape))
        return PartFieldMPNetOutput(parts, *self.describe(whole))

    def fuse(
        self,
        geometry: Float[Tensor, "n d_g"],
        appearance: Float[Tensor, "n d_a"],
        shape: Int64[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n latent"]:
        """Fused features, from raw ones: of parts of several shapes, or (without `shape`) of one's points."""
        both = self._standardized(torch.cat([geometry, appearance], dim=-1))
        return self.fuser(*both.split([self.config.d_g, self.config.d_a], dim=-1), shape)

    def describe(
        self, whole: Float[Tensor, "b d_g_and_d_a"]
    ) -> tuple[Float[Tensor, "b latent"], Float[Tensor, "b max_parts"]]:
        """The projected global features of shapes, and the logits of their numbers of parts."""
        whole = self._standardized(whole)
        return self.shape(whole), self.count(whole)

    def _standardized(self, both: Tensor) -> Tensor:
        return (both - self.get_buffer("mean")) / self.get_buffer("std")
