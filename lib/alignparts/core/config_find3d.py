"""Settings of Find3D."""

from pydantic import Field

from alignparts.core.block import Block


class Find3DSizes(Block):
    """Sizes of the backbone that the data do not fix; `Find3DConfig` has those that Find3D publishes."""

    channels: tuple[int, ...] = (32, 64, 128)
    depths: tuple[int, ...] = (1, 1, 1)
    up_channels: tuple[int, ...] = (32, 64)
    up_depths: tuple[int, ...] = (1, 1)
    patch: int = Field(128, ge=1)
    grid: float = Field(0.05, gt=0)


class Find3DParams(Block):
    """Optimization. Find3D has a hundred times as many shapes: the default is what a CPU does in a minute.

    ``kept`` points of every shape stay in memory, of which every epoch draws ``points``.
    """

    points: int = Field(256, ge=1)
    kept: int = Field(1024, ge=1)
    epochs: int = Field(4, ge=1)
    batch_size: int = Field(16, ge=1)
    lr: float = Field(2e-3, gt=0)
    lr_min: float = Field(5e-6, ge=0)
    weight_decay: float = Field(1e-2, ge=0)
    name_prompt_rate: float = Field(0.7, ge=0, le=1)
    tau: float = Field(0.07, gt=0)
    model: Find3DSizes = Find3DSizes()
