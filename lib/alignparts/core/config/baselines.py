"""Optimization of networks, and the trained baselines: PartField+MPNet (section 12.1) and Find3D."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from alignparts.core.config.block import Block


class OptimizationParams(Block):
    """Optimization of a network on points with part names (sections 3.4, 9 and 12.1)."""

    points: PositiveInt
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    lr_min: NonNegativeFloat
    weight_decay: NonNegativeFloat
    name_prompt_rate: float = Field(ge=0, le=1)


class PartFieldMPNetSizes(Block):
    """Sizes of the network that the data leave open; `PartFieldMPNetConfig` has the paper's."""

    hidden: PositiveInt
    latent: PositiveInt
    heads: PositiveInt
    max_parts: PositiveInt


class PartFieldMPNetParams(OptimizationParams):
    """Training of PartField+MPNet.

    The paper trains 100 epochs at a rate of 3e-4, on twenty times as many shapes as the embedded corpus has:
    the default rate is higher instead. It is silent on points, draws and prompts.
    """

    draws: PositiveInt
    dropout: float = Field(ge=0, lt=1)
    tau: PositiveFloat
    model: PartFieldMPNetSizes


class Find3DSizes(Block):
    """Sizes of the backbone that the data leave open; `Find3DConfig` has those that Find3D publishes."""

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    up_channels: tuple[int, ...]
    up_depths: tuple[int, ...]
    patch: PositiveInt
    grid: PositiveFloat


class Find3DParams(OptimizationParams):
    """Training of Find3D, which has a hundred times as many shapes: the default is a CPU's minute."""

    kept: PositiveInt
    tau: PositiveFloat
    model: Find3DSizes
