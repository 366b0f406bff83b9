"""PartField: a feature field of parts over 3D space, read from points (section 3.1, the geometry F_geo).

The class loads the published weights once they are converted (`alignparts.features.partfield_convert`)
and is the same one that the pipeline trains at a small size (`alignparts.features.partfield_train`).
Architecture: Liu et al. 2025, "PartField: Learning 3D Feature Fields for Part Segmentation and Beyond".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from jaxtyping import Float
from torch import Tensor

from alignparts.core import hub
from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield_layers import PlaneEncoder, TriplaneTransformer, query_planes

FRAME = 0.9
"""Longest half side of a shape in PartField's frame; the model frame has 1."""

_RELEASED = (
    "; for the published weights (NVIDIA License, non-commercial): hf download mikaelaangel/partfield-ckpt "
    f"model_objaverse.ckpt --revision {hub.PARTFIELD.revision} --local-dir . ({hub.PARTFIELD.size}), then "
    "alignparts convert-partfield model_objaverse.ckpt --out models/partfield; null trains the small one"
)


@dataclass(frozen=True)
class PartFieldConfig:
    """Sizes of a PartField. The defaults are those of the published network (448 channels, 102 M weights).

    Raises:
        AlignPartsError: sizes that do not fit together.
    """

    plane_resolution: int = 128
    voxel_resolution: int = 32
    point_width: int = 256
    unet_widths: Sequence[int] = (32, 64, 128)
    token_width: int = 1024
    layers: int = 6
    heads: int = 8
    downsample: int = 4
    sdf_channels: int = 64
    part_channels: int = 448
    input_points: int = 100_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "unet_widths", tuple(self.unet_widths))  # JSON has lists
        if self.downsample < 2 or self.downsample & (self.downsample - 1):
            raise AlignPartsError(f"PartFieldConfig: downsample: expected 2, 4, 8, …, got {self.downsample}")
        unit = max(self.downsample, 2 ** (len(self.unet_widths) - 1))
        for name, divisor in (("plane_resolution", unit), ("token_width", self.heads)):
            if (value := getattr(self, name)) % divisor:
                raise AlignPartsError(
                    f"PartFieldConfig: {name}: expected a multiple of {divisor}, got {value}"
                )

    @classmethod
    def small(cls) -> "PartFieldConfig":
        """Return the size that the embedded pipeline trains within minutes on two CPU cores."""
        return cls(
            plane_resolution=32, voxel_resolution=8, point_width=16, unet_widths=(8, 16), token_width=64,
            layers=2, heads=4, downsample=4, sdf_channels=0, part_channels=64, input_points=2048,
        )  # fmt: skip


PUBLISHED = PartFieldConfig()


class PartField(PretrainedModel):
    """A field of part features over space, in PartField's frame (longest side spans [-0.9, 0.9])."""

    def __init__(self, config: PartFieldConfig = PUBLISHED) -> None:
        super().__init__()
        self.config = c = config
        self.triplane_transformer = TriplaneTransformer(
            inputs=c.point_width, outputs=c.sdf_channels + c.part_channels, width=c.token_width,
            layers=c.layers, heads=c.heads, resolution=c.plane_resolution, downsample=c.downsample,
        )  # fmt: skip
        self.pvcnn = PlaneEncoder(c.point_width, c.unet_widths, c.voxel_resolution, c.plane_resolution)

    @property
    def d_g(self) -> int:
        """Return the number of channels of the features."""
        return self.config.part_channels

    def encode(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch 3 channels size size"]:
        """Return the planes of the field from points in PartField's frame (model frame times `FRAME`).

        The number of points is free, their order is irrelevant; `config.input_points` is what the weights
        were trained with.

        Raises:
            AlignPartsError: fewer than two points per shape, or coordinates that are not finite.
        """
        if points.shape[1] < 2:
            raise AlignPartsError(f"PartField.encode: expected at least 2 points, got {points.shape[1]}")
        if not points.isfinite().all():
            raise AlignPartsError("PartField.encode: expected finite coordinates, got NaN or infinity")
        return self.triplane_transformer(self.pvcnn(points))[:, :, self.config.sdf_channels :]

    def query(
        self, planes: Float[Tensor, "batch 3 channels size size"], positions: Float[Tensor, "batch m 3"]
    ) -> Float[Tensor, "batch m channels"]:
        """Return raw features at any positions of PartField's frame; positions beyond ±1 read the border."""
        return query_planes(planes, positions)

    def forward(
        self, points: Float[Tensor, "batch n 3"], positions: Float[Tensor, "batch m 3"]
    ) -> Float[Tensor, "batch m channels"]:
        """Encode the points and query the field at the positions (both in PartField's frame)."""
        return self.query(self.encode(points), positions)

    @classmethod
    def from_pretrained(cls, source: str | Path, **options: Any) -> "PartField":  # type: ignore[override]
        """Load a folder that training or conversion wrote, or the hub repository NAME or NAME@REVISION.

        Raises:
            AlignPartsError: no such folder or repository; a file or a weight is missing or wrong.
        """
        if Path(source).is_dir():
            return super().from_pretrained(source, **options)
        repository, revision = hub.split(str(source))
        try:
            return super().from_pretrained(repository, revision=revision, **options)
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise hub.missing("features.geometry.checkpoint", str(source), error, _RELEASED) from None
