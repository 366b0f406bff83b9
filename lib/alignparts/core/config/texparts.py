"""Settings of Tex-Parts, the annotation engine: block ``texparts`` of params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from alignparts.core.config.block import Block

Order = Literal["confident", "uncertain", "diverse"]


class FilterParams(Block):
    """Limits of a mesh file that is worth a prediction; filtered.csv has one reason per limit.

    Attributes:
        megabytes: largest size of the file, and of each file it refers to.
        faces: fewest and most faces; repeated meshes count as often as they are shown.
        components: most pieces that share no vertex position.
        texture_pixels: most pixels of one image, and of all base colors together; known before decoding.
        textured: require a texture or more than one color.
        thickness: least ratio of the shortest to the longest side, along the principal axes.
        longest_side: shortest and longest longest side, in the file's unit.
        far: largest distance from the origin, in longest sides: beyond it float32 loses the shape.
        refused_licenses: phrases that exclude a license, matched as whole words.
        duplicates: leave out all but the first of several copies of one object.
        seconds: longest time that one file may take.
        memory_megabytes: most memory that one file may take.
        llm: null, "recorded" or the base URL of an endpoint that judges pictures.
        llm_model: name of the model at the endpoint.
    """

    megabytes: float = Field(gt=0)
    faces: tuple[int, int]
    components: int = Field(ge=1)
    texture_pixels: int = Field(ge=1)
    textured: bool
    thickness: float = Field(ge=0, lt=1)
    longest_side: tuple[float, float]
    far: float = Field(gt=0)
    refused_licenses: tuple[str, ...]
    duplicates: bool
    seconds: float = Field(gt=0)
    memory_megabytes: int = Field(ge=256)
    llm: str | None
    llm_model: str

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "FilterParams":
        for name in ("faces", "longest_side"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}: expected the least before the most, got {low} and {high}")
        return self


class EffortParams(Block):
    """Block ``texparts.effort``: costs of a simulated annotator's actions, in seconds, and what is enough.

    Attributes:
        key: K, one key of an average typist who is no secretary.
        point: P, moving the pointer to a target.
        button: B, pressing or releasing the mouse button.
        home: H, moving a hand between mouse and keyboard; shortcuts need none, the other hand lies there.
        think: M, preparing a decision.
        draw_segment: D, per straight piece of a stroke.
        draw_cm: D, per centimeter of a stroke.
        screen_cm: length of the object's longest side on the screen.
        letters: letters typed until a search shows the wanted name.
        object_turns: turns of the view in a look at a whole object.
        part_turns: turns of the view in a look at one part.
        quality: least area IoU of a part that counts as right.
        radii: radii of the brush, as shares of the object's longest side.
        stroke_discs: most brush positions of a stroke.
    """

    key: float = Field(gt=0)
    point: float = Field(gt=0)
    button: float = Field(gt=0)
    home: float = Field(ge=0)
    think: float = Field(ge=0)
    draw_segment: float = Field(ge=0)
    draw_cm: float = Field(ge=0)
    screen_cm: float = Field(gt=0)
    letters: int = Field(ge=1)
    object_turns: int = Field(ge=0)
    part_turns: int = Field(ge=0)
    quality: float = Field(gt=0.5, le=1)
    radii: tuple[float, ...] = Field(min_length=1)
    stroke_discs: int = Field(ge=1)


class RehearsalParams(Block):
    """Block ``texparts.rehearsal``: the review of the embedded objects by simulated annotators.

    Attributes:
        qualities: per annotator, the least area IoU of a part that is taken for right.
        second_opinions: share of the objects that all annotators hand in.
    """

    qualities: tuple[float, ...] = Field(min_length=1)
    second_opinions: float = Field(ge=0, le=1)


class TexPartsParams(Block):
    """Block ``texparts``.

    Attributes:
        shapes: number of good shapes in the embedded folder.
        unseen: number of shapes among them from the categories in ``corpus.heldout``.
        points: surface samples per mesh; null takes the model's.
        clusters: numbers of clusters of the geometry field that the review offers.
        thumbnail: side of a picture in pixels.
        order: order of the queue: most confident first (section 13), most uncertain first, or most uncertain
            first with the categories taking turns.
    """

    shapes: int = Field(ge=1)
    unseen: int = Field(ge=0)
    points: int | None = Field(ge=16)
    clusters: tuple[int, ...] = Field(min_length=1)
    thumbnail: int = Field(ge=16, le=2048)
    order: Order
    filter: FilterParams
    effort: EffortParams
    rehearsal: RehearsalParams

    @model_validator(mode="after")
    def _sizes_make_sense(self) -> "TexPartsParams":
        if self.unseen > self.shapes:
            raise ValueError(f"unseen: {self.unseen} of {self.shapes} shapes")
        if min(self.clusters) < 2 or max(self.clusters) > 65535:
            raise ValueError("clusters: expected numbers from 2 to 65535")
        return self
