"""ALIGN-Parts: points with two kinds of features in, named part candidates out (section 3.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError
from alignparts.model.fusion import FUSIONS, BiCoFusion, raw_geometry
from alignparts.model.partlets import GlobalHead, PartletDecoder


@dataclass(frozen=True)
class AlignPartsConfig:
    """Sizes of the model; the defaults are the paper's (section 8.1, 34.0 M parameters).

    Raises:
        AlignPartsError: a size below 1, a width that its heads do not divide, an unknown fusion.
    """

    d_g: int = 448  # width of the geometry features
    d_a: int = 768  # width of the appearance features
    d_m: int = 768  # width of the fusion's attention, a multiple of heads
    d_f: int = 256  # width of the fused features
    d_t: int = 768  # width of the partlets, that of the text encoder, a multiple of decoder_heads
    K: int = 32  # number of partlets
    k: int = 16  # number of neighbors of a point in the fusion's graph, itself among them
    heads: int = 8  # number of attention heads of the fusion
    decoder_heads: int = 8  # number of attention heads of the decoder
    layers: int = 3  # number of layers of the decoder
    fourier: int = 6  # number of frequencies of the positional bias
    # Table 3 has "concat" (features side by side), "geometry" (no appearance) and "points" (no features).
    fusion: str = "bico"

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), int) and value < 1:
                raise AlignPartsError(f"model: {field.name}: expected at least 1, got {value}")
        if self.fusion not in FUSIONS:
            raise AlignPartsError(f"model: fusion '{self.fusion}': expected one of {', '.join(FUSIONS)}")
        for width, heads in (("d_m", "heads"), ("d_t", "decoder_heads")):
            whole, count = getattr(self, width), getattr(self, heads)
            if whole % count:
                raise AlignPartsError(
                    f"model: {heads} = {count} does not divide {width} = {whole}; change it"
                )


@dataclass(frozen=True)
class AlignPartsOutput:
    """Output for a batch of shapes; at padding the mask logits have no meaning.

    Masks m (Eq. 5) and partness (Eq. 6) are logits; partlets s are the prototypes z (Eq. 7) and the global
    embedding is z_global (Eq. 14), both before normalization; fused features are h (Eq. 37). A learned
    backbone also maps every point into the space of texts: its products with texts are logits.
    """

    mask_logits: Float[Tensor, "b k n"]
    partness: Float[Tensor, "b k"]
    partlets: Float[Tensor, "b k d_t"]
    global_embedding: Float[Tensor, "b d_t"]
    fused: Float[Tensor, "b n d_f"]
    text: Float[Tensor, "b n d_t"] | None = None

    def float(self) -> "AlignPartsOutput":
        """Return the output in float32."""
        return self._each(Tensor.float)

    def first(self, count: int) -> "AlignPartsOutput":
        """Return the output for the first shapes of the batch."""
        return self._each(lambda value: value[:count])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "AlignPartsOutput":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return AlignPartsOutput(
            **{name: change(value) for name, value in values.items() if value is not None}
        )


class AlignParts(PretrainedModel):
    """Fusion, decoder and global head.

    Features are standardized per channel with statistics that :meth:`standardize` sets and that are saved
    with the weights as buffers, so that encoders of any scale train alike.
    """

    def __init__(self, config: AlignPartsConfig) -> None:
        super().__init__()
        self.config = c = config
        attend = c.fusion == "bico"
        self.fusion = BiCoFusion(c.d_g, c.d_a, c.d_m, c.d_f, c.heads, c.k, c.fourier, attend)
        self.decoder = PartletDecoder(c.d_f, c.d_t, c.K, c.layers, c.decoder_heads)
        self.global_head = GlobalHead(c.d_g, c.d_a, c.d_t)
        for name, width in (("geometry", c.d_g), ("appearance", c.d_a)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_std", torch.ones(width))

    @property
    def inputs(self) -> Mapping[str, int]:
        """Return the widths of the arrays of a shape that the model reads, by name."""
        return {"points": 3, "geometry": self.config.d_g, "appearance": self.config.d_a}

    def standardize(
        self,
        geometry: tuple[Float[Tensor, " d_g"], Float[Tensor, " d_g"]],
        appearance: tuple[Float[Tensor, " d_a"], Float[Tensor, " d_a"]],
    ) -> None:
        """Set mean and standard deviation of the features; a channel that never changes is only centered."""
        for name, (mean, std) in (("geometry", geometry), ("appearance", appearance)):
            self.get_buffer(f"{name}_mean").copy_(mean)
            self.get_buffer(f"{name}_std").copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(
        self,
        points: Float[Tensor, "b n 3"],
        geometry: Float[Tensor, "b n d_g"],
        appearance: Float[Tensor, "b n d_a"],
        padding_mask: Bool[Tensor, "b n"] | None = None,
        neighbors: Int64[Tensor, "b n k"] | None = None,
    ) -> AlignPartsOutput:
        """Predict the parts of a batch of shapes.

        Args:
            points: coordinates in the model frame, [-1, 1].
            geometry: raw geometry features.
            appearance: raw appearance features.
            padding_mask: true where a point is padding.
            neighbors: result of :func:`alignparts.model.graph.nearest_neighbors`, if known.

        Raises:
            AlignPartsError: features of a width that the model was not made for, or coordinates that are
                not finite.
        """
        geometry = self._standardized("geometry", geometry)
        appearance = self._standardized("appearance", appearance)
        if self.config.fusion == "points":
            geometry = raw_geometry(points, self.config.d_g, self.config.fourier)
        if self.config.fusion in ("points", "geometry"):
            appearance = torch.zeros_like(appearance)
        fused = self.fusion(points, geometry, appearance, padding_mask, neighbors)
        mask_logits, partness, partlets = self.decoder(fused, padding_mask)
        whole = self.global_head(geometry, appearance, padding_mask)
        return AlignPartsOutput(mask_logits, partness, partlets, whole, fused)

    def _standardized(self, name: str, feature: Tensor) -> Tensor:
        mean, std = self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_std")
        if (width := feature.shape[-1]) != len(mean):
            raise AlignPartsError(
                f"features: {name} is {width} wide, the model was made for {len(mean)}; take its own encoders"
            )
        return (feature - mean) / std
