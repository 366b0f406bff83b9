"""PartField: a feature field of parts over 3D space, read from points (section 3.1, the geometry F_geo).

The class loads the published weights once they are converted (`alignparts.features.partfield_convert`)
and is the same one that the pipeline trains at a small size (`alignparts.features.partfield_train`).
Architecture: Liu et al. 2025, "PartField: Learning 3D Feature Fields for Part Segmentation and Beyond".
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from alignparts.core import hub
from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield_layers import (
    PlaneUNet,
    PointVoxelConv,
    TriplaneTransformer,
    query_planes,
    scatter_planes,
)

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
    unet_widths: tuple[int, ...] = (32, 64, 128)
    token_width: int = 1024
    layers: int = 6
    heads: int = 8
    downsample: int = 4
    sdf_channels: int = 64
    part_channels: int = 448
    input_points: int = 100_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            sizes = value if isinstance(value, tuple) else (value,)
            least = 0 if field.name == "sdf_channels" else 1
            if not sizes or any(not isinstance(size, int) or size < least for size in sizes):
                raise AlignPartsError(
                    f"PartFieldConfig: {field.name}: expected integers >= {least}, got {value!r}"
                )
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


class PointEncoder(nn.Module):
    """Holder of the point-voxel convolution under its published name.

    The published weights hold three more convolutions after this one, whose output nothing reads.
    """

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([PointVoxelConv(width, resolution)])

    def forward(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch n width"]:
        return self.encoder[0](points)


class PlaneEncoder(nn.Module):
    """Points to planes: point-voxel convolution, scatter, U-Net."""

    def __init__(self, config: PartFieldConfig) -> None:
        super().__init__()
        self.resolution = config.plane_resolution
        self.pc_encoder = PointEncoder(config.point_width, config.voxel_resolution)
        self.unet_encoder = PlaneUNet(config.point_width, config.unet_widths)

    def forward(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch 3 width size size"]:
        tall = self.unet_encoder(scatter_planes(points, self.pc_encoder(points), self.resolution))
        return tall.unflatten(2, (3, self.resolution)).transpose(1, 2)


class PartField(nn.Module):
    """A field of part features over space, in PartField's frame (longest side spans [-0.9, 0.9]).

    Attributes:
        config: the sizes.
        d_g: channels of the features.
    """

    def __init__(self, config: PartFieldConfig | None = None) -> None:
        super().__init__()
        self.config = config if config is not None else PartFieldConfig()
        c = self.config
        self.triplane_transformer = TriplaneTransformer(
            inputs=c.point_width, outputs=c.sdf_channels + c.part_channels, width=c.token_width,
            layers=c.layers, heads=c.heads, resolution=c.plane_resolution, downsample=c.downsample,
        )  # fmt: skip
        self.pvcnn = PlaneEncoder(c)

    @property
    def d_g(self) -> int:
        """Return the number of channels of the features."""
        return self.config.part_channels

    def encode(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch 3 channels size size"]:
        """Return the planes of the field from points in PartField's frame (model frame times `FRAME`).

        The number of points is free, their order is irrelevant; `config.input_points` is what the weights
        were trained with.

        Raises:
            AlignPartsError: fewer than two points a shape, or coordinates that are not finite.
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

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``config.json`` and ``model.safetensors``, each atomically."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
        write_atomically(
            target / "model.safetensors", lambda path: save_file(weights, path, metadata={"format": "pt"})
        )
        text = json.dumps({"architecture": "PartField", **asdict(self.config)}, indent=2) + "\n"
        write_atomically(target / "config.json", lambda path: path.write_text(text))

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str]) -> "PartField":
        """Load a folder written by `save_pretrained`, or the hub repository NAME or NAME@REVISION.

        Raises:
            AlignPartsError: no such folder or repository; a file, key or shape is missing or wrong.
        """
        folder = Path(source)
        if not folder.is_dir():
            folder = _download(str(source))
        path, weights = folder / "config.json", folder / "model.safetensors"
        for file in (path, weights):
            if not file.is_file():
                raise AlignPartsError(f"{file}: no such file; expected what save_pretrained writes")
        try:
            values: Any = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise AlignPartsError(f"{path}: not valid JSON: {error}") from None
        if not isinstance(values, dict) or values.pop("architecture", None) != "PartField":
            raise AlignPartsError(f"{path}: architecture: expected 'PartField'")
        known = {field.name for field in fields(PartFieldConfig)}
        if unknown := sorted(set(values) - known):
            raise AlignPartsError(
                f"{path}: unknown key '{unknown[0]}'; known keys: {', '.join(sorted(known))}"
            )
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            model = cls(PartFieldConfig(**values))
        except AlignPartsError as error:
            raise AlignPartsError(f"{path}: {error}") from None
        try:
            model.load_weights(load_file(weights), str(weights))
        except SafetensorError as error:
            raise AlignPartsError(f"{weights}: not a safetensors file: {error}") from None
        return model.eval()

    def load_weights(self, weights: dict[str, Tensor], source: str) -> None:
        """Take the weights by name; further ones are ignored (the published file has 26 that nothing reads).

        Raises:
            AlignPartsError: a weight is missing or of another shape than the configuration says.
        """
        expected = self.state_dict()
        for name, value in expected.items():
            if name not in weights:
                raise AlignPartsError(f"{source}: {name}: missing; expected the weights of a PartField")
            shapes = tuple(value.shape), tuple(weights[name].shape)
            if shapes[0] != shapes[1]:
                raise AlignPartsError(f"{source}: {name}: expected shape {shapes[0]}, got {shapes[1]}")
        self.load_state_dict({name: weights[name] for name in expected})


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, revision = hub.split(name)
    try:
        files = ["config.json", "model.safetensors"]
        return Path(snapshot_download(repository, revision=revision, allow_patterns=files))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise hub.missing("features.geometry.checkpoint", name, error, _RELEASED) from None
