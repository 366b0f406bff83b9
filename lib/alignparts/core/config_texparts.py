"""Settings of Tex-Parts: from a folder of raw meshes to the queue of those to review."""

from typing import Literal

from pydantic import Field, model_validator

from alignparts.core.block import Block
from texparts.simulation.cost import CostModel

Order = Literal["confident", "uncertain", "diverse"]


class FilterParams(Block):
    """What makes a mesh file worth a prediction; every limit has a reason of its own in filtered.csv.

    Attributes:
        megabytes: of the file, and of each file it refers to.
        faces: fewest and most, repeated meshes counted as often as they are shown.
        components: most pieces that share no vertex position.
        texture_pixels: most of one image, and of all base colors together; known before decoding.
        textured: whether an object needs a texture or more than one color.
        thickness: least share of the shortest side in the longest, along the principal axes.
        longest_side: least and most, in the file's unit.
        far: most distance from the origin, in longest sides: beyond it float32 loses the shape.
        refused_licenses: phrases, matched as whole words.
        duplicates: whether of several copies of one object all but the first are left out.
        seconds: that one file may take.
        memory_megabytes: that one file may take.
        llm: null, "recorded" or the base URL of an endpoint that judges pictures; see quality.
        llm_model: name of the model at the endpoint.
    """

    megabytes: float = Field(200.0, gt=0)
    faces: tuple[int, int] = (12, 1_000_000)
    components: int = Field(2000, ge=1)
    texture_pixels: int = Field(8192**2, ge=1)
    textured: bool = True
    thickness: float = Field(1e-3, ge=0, lt=1)
    longest_side: tuple[float, float] = (1e-4, 1e6)
    far: float = Field(1e4, gt=0)
    refused_licenses: tuple[str, ...] = ("nd", "noderivs", "noderivatives", "no derivatives")
    duplicates: bool = True
    seconds: float = Field(60.0, gt=0)
    memory_megabytes: int = Field(4096, ge=256)
    llm: str | None = None
    llm_model: str = "recorded"

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "FilterParams":
        for name in ("faces", "longest_side"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}: expected the least before the most, got {low} and {high}")
        return self


class RehearsalParams(Block):
    """The review of the embedded objects by simulated annotators.

    Attributes:
        qualities: of each annotator: least IoU, over area, of a part that is taken for right.
        second_opinions: share of the objects that all of them hand in.
    """

    qualities: tuple[float, ...] = Field((0.95, 0.9), min_length=1)
    second_opinions: float = Field(0.2, ge=0, le=1)


class TexPartsParams(Block):
    """The stage ``texparts``.

    Attributes:
        shapes: good shapes of the embedded folder.
        unseen: those among them of the categories in ``corpus.heldout``.
        points: surface samples a mesh; null takes the model's.
        clusters: numbers of clusters of the geometry field that the review offers.
        thumbnail: side of a picture in pixels.
        order: of the queue: most confident first (section 13), most uncertain first, or most uncertain first
            with the categories taking turns.
    """

    shapes: int = Field(60, ge=1)
    unseen: int = Field(9, ge=0)
    points: int | None = Field(None, ge=16)
    clusters: tuple[int, ...] = Field((4, 8, 16, 32), min_length=1)
    thumbnail: int = Field(256, ge=16, le=2048)
    order: Order = "confident"
    filter: FilterParams = FilterParams()
    effort: CostModel = CostModel()
    rehearsal: RehearsalParams = RehearsalParams()

    @model_validator(mode="after")
    def _sizes_make_sense(self) -> "TexPartsParams":
        if self.unseen > self.shapes:
            raise ValueError(f"unseen: {self.unseen} of {self.shapes} shapes")
        if min(self.clusters) < 2 or max(self.clusters) > 65535:
            raise ValueError("clusters: expected numbers from 2 to 65535")
        return self
