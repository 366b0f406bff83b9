"""Blocks of params.yaml, which explains every key and is the only source of their values."""

from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from alignparts.core.config.baselines import Find3DParams, OptimizationParams, PartFieldMPNetParams
from alignparts.core.config.block import Block
from alignparts.core.config.corpus import CorpusParams
from alignparts.core.config.texparts import TexPartsParams


class Base(Block):
    """Settings that every stage shares."""

    seed: int
    threads: PositiveInt
    workers: PositiveInt
    scheduler: str | None


class OntologyParams(Block):
    """Vocabulary compression (sections 4.1 and 9.4).

    Prices are per million tokens in and out; without them the cost of the requests stays unknown.
    """

    text_encoder: str
    compare_encoders: tuple[str, ...]
    threshold: float = Field(gt=0, lt=1)
    review_threshold: float = Field(gt=0, lt=1)
    llm: str
    llm_model: str
    llm_requests_per_minute: PositiveFloat | None = None
    llm_parallel: PositiveInt = 4
    llm_price_in: NonNegativeFloat | None = None
    llm_price_out: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _check_prices(self) -> "OntologyParams":
        if (self.llm_price_in is None) != (self.llm_price_out is None):
            raise ValueError("llm_price_in and llm_price_out: give both or neither")
        return self


class GeometryParams(Block):
    """Geometry encoder: a checkpoint, or the training of the small one."""

    checkpoint: str | None
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat


class AppearanceParams(Block):
    """Appearance encoder: a checkpoint, or the training of the small one."""

    checkpoint: str | None
    steps: PositiveInt
    batch_size: int = Field(ge=2)
    lr: PositiveFloat


class FeatureParams(Block):
    """Renders and the two frozen encoders (section 3.1)."""

    views: PositiveInt
    resolution: int = Field(ge=14)
    geometry: GeometryParams
    appearance: AppearanceParams


class ModelParams(Block):
    """Sizes of ALIGN-Parts that the data leave open (section 8.1)."""

    d_m: int
    d_f: int
    K: PositiveInt
    k: PositiveInt
    heads: int
    decoder_heads: int
    layers: PositiveInt
    fourier: PositiveInt
    fusion: Literal["bico", "concat", "geometry", "points"]


class LossParams(Block):
    """Weights of Eq. 15 and the temperature of Eq. 9."""

    mask: float
    part: float
    text: float
    cov: float
    overlap: float
    global_: float = Field(alias="global")
    tau: PositiveFloat


class TrainParams(OptimizationParams):
    """Training of ALIGN-Parts (sections 3.4 and 9)."""

    point_balance: float = Field(ge=0, le=1)
    text_negatives: Literal["shape", "category"]
    class_negatives: Literal["batch", "all"]
    model: ModelParams
    loss: LossParams

    def over(self, changes: dict[str, Any]) -> "TrainParams":
        """Return the block with some keys changed, those of ``model`` and ``loss`` individually.

        Raises:
            ValidationError: an unknown key, or a value that is out of range.
        """
        values = self.model_dump(by_alias=True)
        inner = {name: values[name] | changes.get(name, {}) for name in ("model", "loss")}
        return TrainParams.model_validate(values | changes | inner)


class EvaluateParams(Block):
    """Evaluation: points per shape and the bootstrap."""

    points: PositiveInt
    bootstrap: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)


class ComparisonParams(Block):
    """Methods that are trained to stand beside ALIGN-Parts in Table 2, and their seeds.

    "alignparts" trains ALIGN-Parts itself again with those of the seeds that are not ``base.seed``.
    """

    methods: tuple[Literal["partfield_mpnet", "find3d", "alignparts"], ...]
    seeds: tuple[int, ...] = Field(min_length=1)


class BaselineParams(Block):
    """Settings of the trained baselines."""

    partfield_mpnet: PartFieldMPNetParams
    find3d: Find3DParams


class VariantParams(Block):
    """Changes to the block ``train`` that make a row of Table 3 or a point of a curve."""

    label: str
    baseline: Literal["partfield_mpnet"] | None = None
    setting: str = ""
    value: float = 0
    train: dict[str, Any] = {}
    model: dict[str, Any] = {}
    loss: dict[str, float] = {}
    share: float = Field(1.0, gt=0, le=1)

    def applied(self, params: TrainParams) -> TrainParams:
        """Return the training block of this variant; raises as :meth:`TrainParams.over`."""
        return params.over(self.train | {"model": self.model, "loss": self.loss})


class AblationParams(Block):
    """Table 3 and the curves: every variant with every seed, on some categories, with fewer epochs."""

    rows: tuple[str, ...]
    curves: tuple[str, ...]
    seeds: tuple[int, ...]
    curve_seeds: tuple[int, ...]
    categories: tuple[str, ...]
    train: dict[str, Any]

    def base(self, params: TrainParams) -> TrainParams:
        """Return the training block that all variants start from; raises as :meth:`TrainParams.over`."""
        return params.over(self.train)


class GeneralizationParams(Block):
    """Fine-tuning on few shapes of unseen categories, fewer points, and disturbed inputs.

    The strengths are those of :data:`alignparts.corpus.mesh.perturb.STRENGTH`.
    """

    shots: tuple[int, ...] = Field(min_length=1)
    steps: PositiveInt
    lr: PositiveFloat
    points: tuple[int, ...]
    rotation: tuple[float, ...]
    noise: tuple[float, ...]
    decimation: tuple[float, ...]
    texture: tuple[float, ...]
    shell: tuple[float, ...]


class ConfidenceParams(Block):
    """Calibration of the confidences, the guarantee for accepted parts, and shifts of the inputs."""

    labels: Literal["points", "filled", "patches"]
    fit_share: float = Field(gt=0, lt=1)
    training: int = Field(ge=2)
    error: float = Field(gt=0, lt=1)
    certainty: float = Field(gt=0, lt=1)
    errors: tuple[float, ...]
    splits: PositiveInt
    bootstrap: PositiveInt
    disturbed: PositiveInt
    noise: tuple[float, ...]


class RetrainParams(Block):
    """Training continued with reviewed shapes: shapes per epoch, old ones among them, and steps."""

    shapes: PositiveInt
    copies: PositiveInt
    steps: PositiveInt
    lr: PositiveFloat


class RealityParams(Block):
    """Shares of the open set's shapes in packs that test and validate; folder of research-only shapes."""

    test_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=1)
    research: str


class BenchParams(Block):
    """Sizes of the benchmark (`make bench`)."""

    networks: Literal["paper", "small"]
    points: tuple[int, ...]
    batches: tuple[int, ...]
    parts: tuple[int, ...]
    stage_points: int = Field(ge=16)
    shapes: PositiveInt
    views: PositiveInt
    resolution: int = Field(ge=14)
    repetitions: PositiveInt


class Params(Block):
    """All of params.yaml."""

    base: Base
    corpus: CorpusParams
    ontology: OntologyParams
    features: FeatureParams
    train: TrainParams
    evaluate: EvaluateParams
    comparison: ComparisonParams
    baselines: BaselineParams
    ablation: AblationParams
    ablations: dict[str, VariantParams]
    confidence: ConfidenceParams
    generalization: GeneralizationParams
    texparts: TexPartsParams
    retrain: RetrainParams
    reality: RealityParams
    bench: BenchParams
