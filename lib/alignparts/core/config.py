"""params.yaml, validated: one frozen model a block, an unknown key is an error."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from alignparts.core.block import Block
from alignparts.core.config_find3d import Find3DParams
from alignparts.core.config_partfield_mpnet import PartFieldMPNetParams
from alignparts.core.config_texparts import TexPartsParams
from alignparts.core.errors import AlignPartsError


class Base(Block):
    """What every stage shares."""

    seed: int = 0
    threads: int = Field(2, ge=1)
    workers: int = Field(2, ge=1)
    scheduler: str | None = None


class CorpusParams(Block):
    """The embedded corpus and its splits (section 3.4)."""

    shapes_per_category: int = Field(40, ge=1)
    test_per_category: int = Field(6, ge=0)
    find3d_test: int = Field(8, ge=0)
    heldout_shapes: int = Field(8, ge=0)
    heldout: tuple[str, ...] = ("bench", "jug", "dishwasher")
    validation_fraction: float = Field(0.08, ge=0, lt=1)
    dialects: dict[Literal["partnet", "compat", "find3d"], float] = {
        "partnet": 0.45,
        "compat": 0.45,
        "find3d": 0.1,
    }
    free_yaw: float = Field(0.4, ge=0, le=1)
    points: int = Field(4096, ge=16)

    @model_validator(mode="after")
    def _shares_add_up(self) -> "CorpusParams":
        if abs(sum(self.dialects.values()) - 1) > 1e-6:
            raise ValueError("dialects: the shares must add up to 1")
        return self


class OntologyParams(Block):
    """Vocabulary compression (sections 4.1 and 9.4).

    Prices are those of a million tokens in and out; without them the cost of asking stays unknown.
    """

    text_encoder: str = "all-minilm-l6-v2"
    compare_encoders: tuple[str, ...] = ("all-minilm-l6-v2",)
    threshold: float = Field(0.85, gt=0, lt=1)
    review_threshold: float = Field(0.7, gt=0, lt=1)
    llm: str = "recorded"
    llm_model: str = "recorded"
    llm_requests_per_minute: float | None = Field(None, gt=0)
    llm_parallel: int = Field(4, ge=1)
    llm_price_in: float | None = Field(None, ge=0)
    llm_price_out: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _prices_together(self) -> "OntologyParams":
        if (self.llm_price_in is None) != (self.llm_price_out is None):
            raise ValueError("llm_price_in and llm_price_out: give both or neither")
        return self


class GeometryParams(Block):
    """The geometry encoder: a checkpoint, or how to train the small one."""

    checkpoint: str | None = None
    epochs: int = Field(4, ge=1)
    batch_size: int = Field(4, ge=1)
    lr: float = Field(1e-3, gt=0)


class AppearanceParams(Block):
    """The appearance encoder: a checkpoint, or how to train the small one."""

    checkpoint: str | None = None
    steps: int = Field(600, ge=1)
    batch_size: int = Field(16, ge=2)
    lr: float = Field(5e-4, gt=0)


class FeatureParams(Block):
    """Renders and the two frozen encoders (section 3.1)."""

    views: int = Field(8, ge=1)
    resolution: int = Field(112, ge=14)
    geometry: GeometryParams = GeometryParams()
    appearance: AppearanceParams = AppearanceParams()


class ModelParams(Block):
    """Sizes of ALIGN-Parts that the data do not fix (section 8.1)."""

    d_m: int = 128
    d_f: int = 128
    K: int = Field(32, ge=1)
    k: int = Field(16, ge=1)
    heads: int = 8
    decoder_heads: int = 6
    layers: int = Field(3, ge=1)
    fourier: int = Field(6, ge=1)
    fusion: Literal["bico", "concat", "geometry", "points"] = "bico"


class LossParams(Block):
    """Weights of Eq. 15 and the temperature of Eq. 9."""

    mask: float = 1.0
    part: float = 0.5
    text: float = 1.0
    cov: float = 0.5
    overlap: float = 0.1
    global_: float = Field(1.0, alias="global")
    tau: float = Field(0.07, gt=0)


class TrainParams(Block):
    """Optimization (sections 3.4 and 9)."""

    points: int = Field(1024, ge=1)
    point_balance: float = Field(0.0, ge=0, le=1)
    epochs: int = Field(16, ge=1)
    batch_size: int = Field(8, ge=1)
    lr: float = Field(3e-4, gt=0)
    lr_min: float = Field(5e-6, ge=0)
    weight_decay: float = Field(1e-2, ge=0)
    name_prompt_rate: float = Field(0.5, ge=0, le=1)
    text_negatives: Literal["shape", "category"] = "shape"
    class_negatives: Literal["batch", "all"] = "batch"
    model: ModelParams = ModelParams()
    loss: LossParams = LossParams()

    def over(self, changes: dict[str, Any]) -> "TrainParams":
        """The same block with some keys changed, those of ``model`` and ``loss`` one by one.

        Raises:
            ValidationError: an unknown key, or a value that is out of range.
        """
        own = self.model_dump(by_alias=True)
        inner = {name: own[name] | changes.get(name, {}) for name in ("model", "loss")}
        return TrainParams.model_validate(own | changes | inner)


class EvaluateParams(Block):
    """Table 2: points a shape and the bootstrap."""

    points: int = Field(2048, ge=1)
    bootstrap: int = Field(1000, ge=10)
    confidence: float = Field(0.95, gt=0, lt=1)


class ComparisonParams(Block):
    """What is trained to stand beside ALIGN-Parts in Table 2, and the seeds of training.

    "alignparts" trains ALIGN-Parts itself again with those of the seeds that are not ``base.seed``.
    """

    methods: tuple[Literal["partfield_mpnet", "find3d", "alignparts"], ...] = ("partfield_mpnet", "find3d")
    seeds: tuple[int, ...] = Field((0,), min_length=1)


class BaselineParams(Block):
    """Settings of the trained baselines."""

    partfield_mpnet: PartFieldMPNetParams = PartFieldMPNetParams()
    find3d: Find3DParams = Find3DParams()


class VariantParams(Block):
    """A row of Table 3 or a point of a curve: what differs from the block ``train``.

    ``share`` is that of the training shapes; ``baseline`` is trained instead of ALIGN-Parts (Table 3's sixth
    row). ``setting`` and ``value`` say which curve a point lies on, and where.
    """

    label: str
    baseline: Literal["partfield_mpnet"] | None = None
    setting: str = ""
    value: float = 0
    train: dict[str, Any] = {}
    model: dict[str, Any] = {}
    loss: dict[str, float] = {}
    share: float = Field(1.0, gt=0, le=1)

    def applied(self, params: TrainParams) -> TrainParams:
        """The training that this variant asks for.

        Raises:
            ValidationError: an unknown key, or a value that is out of range.
        """
        return params.over(self.train | {"model": self.model, "loss": self.loss})


class AblationParams(Block):
    """Table 3 and the curves: every variant with every seed, on some categories and with fewer epochs."""

    rows: tuple[str, ...] = ("full",)
    curves: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    curve_seeds: tuple[int, ...] = (0,)
    categories: tuple[str, ...] = ()
    train: dict[str, Any] = {}

    def base(self, params: TrainParams) -> TrainParams:
        """The training that all variants start from."""
        return params.over(self.train)


class GeneralizationParams(Block):
    """Fine-tuning on few shapes of unseen categories, fewer points, and disturbed inputs.

    The strengths are those of :data:`alignparts.corpus.mesh.perturb.STRENGTH`.
    """

    shots: tuple[int, ...] = Field((1, 2, 4), min_length=1)
    steps: int = Field(40, ge=1)
    lr: float = Field(5e-4, gt=0)
    points: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
    rotation: tuple[float, ...] = (30, 90)
    noise: tuple[float, ...] = (0.01, 0.03)
    decimation: tuple[float, ...] = (0.5, 0.9)
    texture: tuple[float, ...] = (1,)


class ConfidenceParams(Block):
    """Calibration of the confidences, the promise for what is accepted, and shifts of the inputs."""

    fit_share: float = Field(0.5, gt=0, lt=1)
    training: int = Field(400, ge=2)
    error: float = Field(0.2, gt=0, lt=1)
    certainty: float = Field(0.98, gt=0, lt=1)
    errors: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    splits: int = Field(100, ge=1)
    bootstrap: int = Field(200, ge=1)
    noise: tuple[float, ...] = (0.01, 0.03)


class RetrainParams(Block):
    """The model trained on with reviewed shapes: what an epoch sees, old ones among them, and how long."""

    shapes: int = Field(360, ge=1)
    copies: int = Field(4, ge=1)
    steps: int = Field(540, ge=1)
    lr: float = Field(2e-4, gt=0)


class BenchParams(Block):
    """Sizes of the benchmark (`make bench`)."""

    points: tuple[int, ...] = (1024, 4096, 10_000, 16_384, 65_536, 102_400)
    batches: tuple[int, ...] = (1, 4)
    parts: tuple[int, ...] = (4, 8, 16)
    stage_points: int = Field(10_000, ge=16)
    repetitions: int = Field(3, ge=1)


class Params(Block):
    """All of params.yaml."""

    base: Base = Base()
    corpus: CorpusParams = CorpusParams()
    ontology: OntologyParams = OntologyParams()
    features: FeatureParams = FeatureParams()
    train: TrainParams = TrainParams()
    evaluate: EvaluateParams = EvaluateParams()
    comparison: ComparisonParams = ComparisonParams()
    baselines: BaselineParams = BaselineParams()
    ablation: AblationParams = AblationParams()
    ablations: dict[str, VariantParams] = {"full": VariantParams(label="ALIGN-Parts")}
    confidence: ConfidenceParams = ConfidenceParams()
    generalization: GeneralizationParams = GeneralizationParams()
    texparts: TexPartsParams = TexPartsParams()
    retrain: RetrainParams = RetrainParams()
    bench: BenchParams = BenchParams()

    @model_validator(mode="after")
    def _variants_are_trainable(self) -> "Params":
        base = self.ablation.base(self.train)
        for name in (*self.ablation.rows, *self.ablation.curves):
            if name not in self.ablations:
                raise ValueError(f"ablation names '{name}', which ablations lacks")
        for name, variant in self.ablations.items():
            try:
                variant.applied(base)
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"ablations.{name}: {key}: {first['msg']}") from None
        return self


def parse_params(blocks: dict[str, Any], source: str = "params.yaml") -> Params:
    """Validate the blocks of params.yaml.

    Raises:
        AlignPartsError: an unknown key or a value out of range; the message names file and key.
    """
    try:
        return Params.model_validate(blocks)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        if first["type"] == "extra_forbidden":
            raise AlignPartsError(
                f"{source}: unknown key '{key}'; known keys of this block: {_known_keys(first['loc'])}"
            ) from None
        raise AlignPartsError(f"{source}: {key}: {first['msg']} (got {first['input']!r})") from None


def load_params(path: Path) -> Params:
    """Read and validate a params.yaml."""
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a params.yaml")
    try:
        blocks = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise AlignPartsError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(blocks, dict):
        raise AlignPartsError(f"{path}: expected a mapping of blocks, got {type(blocks).__name__}")
    return parse_params(blocks, str(path))


def _known_keys(location: tuple[int | str, ...]) -> str:
    model: Any = Params
    for name in location[:-1]:
        model = model.model_fields[name].annotation
    return ", ".join(field.alias or name for name, field in model.model_fields.items())


SMOKE: dict[str, Any] = {
    "corpus": {
        "shapes_per_category": 2,
        "test_per_category": 2,
        "find3d_test": 2,
        "heldout_shapes": 2,
        "points": 512,
        "validation_fraction": 0.3,
    },
    "features": {
        "views": 4,
        "resolution": 56,
        "geometry": {"epochs": 1},
        "appearance": {"steps": 4, "batch_size": 4},
    },
    "train": {"points": 256, "epochs": 1},
    "evaluate": {"points": 512, "bootstrap": 50},
    "baselines": {
        "partfield_mpnet": {"points": 128, "draws": 1, "epochs": 2},
        "find3d": {"points": 128, "kept": 256, "epochs": 1},
    },
    "ablation": {
        "rows": ["no_cov_ov", "full"],
        "curves": ["shapes_50"],
        "categories": ["chair", "mug"],
        "train": {"model": {"layers": 1}},
    },
    "ablations": {
        "no_cov_ov": {"label": "No L_cov, L_ov", "loss": {"cov": 0, "overlap": 0}},
        "full": {"label": "ALIGN-Parts"},
        "shapes_50": {"label": "half of the shapes", "setting": "shapes", "value": 0.5, "share": 0.5},
    },
    "confidence": {"training": 8, "errors": [0.05, 0.5], "splits": 5, "bootstrap": 20, "noise": [0.03]},
    "generalization": {
        "shots": [1],
        "steps": 2,
        "points": [128, 256],
        "rotation": [90],
        "noise": [],
        "decimation": [0.9],
    },
    "texparts": {"shapes": 6, "unseen": 2, "points": 256, "clusters": [2, 4], "thumbnail": 64},
    "retrain": {"shapes": 8, "copies": 1, "steps": 2},
    "bench": {"points": [256, 512], "batches": [2], "parts": [3], "stage_points": 256, "repetitions": 1},
}
"""What a notebook runs with on its own: everything, in seconds."""
