"""Block ``texparts`` of params.yaml, the settings of the annotation engine; the file explains every key."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from alignparts.core.config.block import Block

Order = Literal["confident", "uncertain", "diverse"]
"""Most confident objects first (section 13), most uncertain first, or these with categories taking turns."""


class FilterParams(Block):
    """Limits of a mesh file that is worth a prediction; filtered.csv has one reason per limit."""

    megabytes: PositiveFloat
    faces: tuple[int, int]
    components: PositiveInt
    texture_pixels: PositiveInt
    textured: bool
    thickness: float = Field(ge=0, lt=1)
    longest_side: tuple[float, float]
    far: PositiveFloat
    refused_licenses: tuple[str, ...]
    duplicates: bool
    seconds: PositiveFloat
    memory_megabytes: int = Field(ge=256)
    llm: str | None
    llm_model: str

    @model_validator(mode="after")
    def _check_order_of_bounds(self) -> "FilterParams":
        for name in ("faces", "longest_side"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}: expected the least before the most, got {low} and {high}")
        return self


class EffortParams(Block):
    """Cost of a simulated annotator's actions, in seconds, and the quality that is enough."""

    key: PositiveFloat
    point: PositiveFloat
    button: PositiveFloat
    home: NonNegativeFloat
    think: NonNegativeFloat
    draw_segment: NonNegativeFloat
    draw_cm: NonNegativeFloat
    screen_cm: PositiveFloat
    letters: PositiveInt
    object_turns: NonNegativeInt
    part_turns: NonNegativeInt
    quality: float = Field(gt=0.5, le=1)
    radii: tuple[float, ...] = Field(min_length=1)
    stroke_discs: PositiveInt


class RehearsalParams(Block):
    """Review of the embedded objects by simulated annotators."""

    qualities: tuple[float, ...] = Field(min_length=1)
    second_opinions: float = Field(ge=0, le=1)


class TexPartsParams(Block):
    """Way from a folder of raw meshes to the queue of those to review."""

    shapes: PositiveInt
    unseen: NonNegativeInt
    points: int | None = Field(ge=16)
    clusters: tuple[int, ...] = Field(min_length=1)
    thumbnail: int = Field(ge=16, le=2048)
    order: Order
    filter: FilterParams
    effort: EffortParams
    rehearsal: RehearsalParams

    @model_validator(mode="after")
    def _check_numbers(self) -> "TexPartsParams":
        if self.unseen > self.shapes:
            raise ValueError(f"unseen: expected at most shapes ({self.shapes}), got {self.unseen}")
        if min(self.clusters) < 2 or max(self.clusters) > 65535:
            raise ValueError("clusters: expected numbers from 2 to 65535")
        return self
