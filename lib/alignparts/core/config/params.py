"""params.yaml as frozen models, one per block. It is the only source of values: fields have no defaults."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from alignparts.core import paths
from alignparts.core.config.baselines import Find3DParams, PartFieldMPNetParams
from alignparts.core.config.block import Block
from alignparts.core.config.texparts import TexPartsParams
from alignparts.core.errors import AlignPartsError

T = TypeVar("T")


class Base(Block):
    """Settings that every stage shares."""

    seed: int
    threads: int = Field(ge=1)
    workers: int = Field(ge=1)
    scheduler: str | None


class CorpusParams(Block):
    """Sizes of the embedded corpus and its splits (section 3.4)."""

    shapes_per_category: int = Field(ge=1)
    test_per_category: int = Field(ge=0)
    find3d_test: int = Field(ge=0)
    heldout_shapes: int = Field(ge=0)
    heldout: tuple[str, ...]
    validation_fraction: float = Field(ge=0, lt=1)
    dialects: dict[Literal["partnet", "compat", "find3d"], float]
    free_yaw: float = Field(ge=0, le=1)
    points: int = Field(ge=16)

    @model_validator(mode="after")
    def _shares_add_up(self) -> "CorpusParams":
        if abs(sum(self.dialects.values()) - 1) > 1e-6:
            raise ValueError("dialects: the shares must add up to 1")
        return self


class OntologyParams(Block):
    """Vocabulary compression (sections 4.1 and 9.4).

    Prices are per million tokens in and out; without them the cost of asking stays unknown.
    """

    text_encoder: str
    compare_encoders: tuple[str, ...]
    threshold: float = Field(gt=0, lt=1)
    review_threshold: float = Field(gt=0, lt=1)
    llm: str
    llm_model: str
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
    """Geometry encoder: a checkpoint, or the training of the small one."""

    checkpoint: str | None
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)


class AppearanceParams(Block):
    """Appearance encoder: a checkpoint, or the training of the small one."""

    checkpoint: str | None
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    lr: float = Field(gt=0)


class FeatureParams(Block):
    """Renders and the two frozen encoders (section 3.1)."""

    views: int = Field(ge=1)
    resolution: int = Field(ge=14)
    geometry: GeometryParams
    appearance: AppearanceParams


class ModelParams(Block):
    """Sizes of ALIGN-Parts that the data do not fix (section 8.1)."""

    d_m: int
    d_f: int
    K: int = Field(ge=1)
    k: int = Field(ge=1)
    heads: int
    decoder_heads: int
    layers: int = Field(ge=1)
    fourier: int = Field(ge=1)
    fusion: Literal["bico", "concat", "geometry", "points"]


class LossParams(Block):
    """Weights of Eq. 15 and the temperature of Eq. 9."""

    mask: float
    part: float
    text: float
    cov: float
    overlap: float
    global_: float = Field(alias="global")
    tau: float = Field(gt=0)


class TrainParams(Block):
    """Optimization (sections 3.4 and 9)."""

    points: int = Field(ge=1)
    point_balance: float = Field(ge=0, le=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    lr_min: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    name_prompt_rate: float = Field(ge=0, le=1)
    text_negatives: Literal["shape", "category"]
    class_negatives: Literal["batch", "all"]
    model: ModelParams
    loss: LossParams

    def over(self, changes: dict[str, Any]) -> "TrainParams":
        """Return the block with some keys changed, those of ``model`` and ``loss`` one by one.

        Raises:
            ValidationError: an unknown key, or a value that is out of range.
        """
        own = self.model_dump(by_alias=True)
        inner = {name: own[name] | changes.get(name, {}) for name in ("model", "loss")}
        return TrainParams.model_validate(own | changes | inner)


class EvaluateParams(Block):
    """Evaluation: points per shape and the bootstrap."""

    points: int = Field(ge=1)
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
    """Changes to the block ``train`` that make a row of Table 3 or a point of a curve.

    Attributes:
        label: name in tables and figures.
        baseline: trained instead of ALIGN-Parts (Table 3's sixth row).
        setting: curve that the point lies on.
        value: place on that curve.
        train: changed keys of the block ``train``.
        model: changed keys of ``train.model``.
        loss: changed keys of ``train.loss``.
        share: share of the training shapes.
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
        """Return the training block of this variant.

        Raises:
            ValidationError: an unknown key, or a value that is out of range.
        """
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
        """Return the training block that all variants start from."""
        return params.over(self.train)


class GeneralizationParams(Block):
    """Fine-tuning on few shapes of unseen categories, fewer points, and disturbed inputs.

    The strengths are those of :data:`alignparts.corpus.mesh.perturb.STRENGTH`.
    """

    shots: tuple[int, ...] = Field(min_length=1)
    steps: int = Field(ge=1)
    lr: float = Field(gt=0)
    points: tuple[int, ...]
    rotation: tuple[float, ...]
    noise: tuple[float, ...]
    decimation: tuple[float, ...]
    texture: tuple[float, ...]


class ConfidenceParams(Block):
    """Calibration of the confidences, the promise for what is accepted, and shifts of the inputs."""

    fill: bool
    fit_share: float = Field(gt=0, lt=1)
    training: int = Field(ge=2)
    error: float = Field(gt=0, lt=1)
    certainty: float = Field(gt=0, lt=1)
    errors: tuple[float, ...]
    splits: int = Field(ge=1)
    bootstrap: int = Field(ge=1)
    disturbed: int = Field(ge=1)
    noise: tuple[float, ...]


class RetrainParams(Block):
    """Training continued with reviewed shapes: shapes per epoch, old ones among them, and steps."""

    shapes: int = Field(ge=1)
    copies: int = Field(ge=1)
    steps: int = Field(ge=1)
    lr: float = Field(gt=0)


class BenchParams(Block):
    """Sizes of the benchmark (`make bench`)."""

    networks: Literal["paper", "small"]
    points: tuple[int, ...]
    batches: tuple[int, ...]
    parts: tuple[int, ...]
    stage_points: int = Field(ge=16)
    shapes: int = Field(ge=1)
    views: int = Field(ge=1)
    resolution: int = Field(ge=14)
    repetitions: int = Field(ge=1)


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
    bench: BenchParams


def parse_params(blocks: Mapping[str, Any], source: str = "params.yaml") -> Params:
    """Validate the blocks of a settings file, the variants of Table 3 to their last key.

    Raises:
        AlignPartsError: a missing or unknown key, or a value out of range; the message names file and key.
    """
    params = _checked(partial(Params.model_validate, blocks), source)
    base = _checked(partial(params.ablation.base, params.train), source, "ablation.train")
    for name in (*params.ablation.rows, *params.ablation.curves):
        if name not in params.ablations:
            known = ", ".join(params.ablations)
            raise AlignPartsError(f"{source}: ablation names '{name}', which ablations lacks; it has {known}")
    for name, variant in params.ablations.items():
        _checked(partial(variant.applied, base), source, f"ablations.{name}")
    return params


def load_params(path: Path | None = None) -> Params:
    """Read and validate a settings file.

    Args:
        path: the file; None takes the checkout's params.yaml, or the packaged one where there is no checkout.

    Raises:
        AlignPartsError: no such file, no YAML mapping, or settings that :func:`parse_params` refuses.
    """
    if path is None:
        path = paths.PARAMS if paths.PARAMS.is_file() else paths.RESOURCES / "params.yaml"
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a params.yaml")
    try:
        blocks = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise AlignPartsError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(blocks, dict):
        raise AlignPartsError(f"{path}: expected a mapping of blocks, got {type(blocks).__name__}")
    return parse_params(blocks, str(path))


def restricted(params: Params, keys: Sequence[str]) -> Params:
    """Return only what ``keys`` name ("base", "corpus.points"); reading anything else is an AttributeError.

    A stage then cannot depend on a setting that dvc.yaml does not list for it.
    """
    tree: dict[str, Any] = {}
    for key in keys:
        node = tree
        for part in key.split("."):
            node = node.setdefault(part, {})
    return _pick(params, tree)


def _pick(block: Any, tree: dict[str, Any]) -> Any:
    if not tree or not isinstance(block, Block):
        return block
    values = {name: _pick(getattr(block, name), inner) for name, inner in tree.items()}
    return type(block).model_construct(_fields_set=set(values), **values)


def _checked(validate: Callable[[], T], source: str, prefix: str = "") -> T:
    try:
        return validate()
    except ValidationError as error:
        first = error.errors()[0]
        location = [str(part) for part in first["loc"]]
        # Variants are validated as the block that they change.
        inside = location if not prefix else ["train", *location]
        key = ".".join([*filter(None, [prefix]), *location]) or "(top level)"
        if first["type"] == "extra_forbidden":
            raise AlignPartsError(
                f"{source}: unknown key '{key}'; known keys of this block: {_known_keys(inside[:-1])}"
            ) from None
        if first["type"] == "missing":
            raise AlignPartsError(f"{source}: key '{key}' is missing") from None
        raise AlignPartsError(f"{source}: {key}: {first['msg']} (got {first['input']!r})") from None


def _known_keys(location: Sequence[str]) -> str:
    """Return the keys of the block at ``location``; a mapping by name holds blocks of one kind."""
    model: Any = Params
    for name in location:
        if isinstance(model, type) and issubclass(model, Block):
            model = next(
                field.annotation for key, field in model.model_fields.items() if name in (key, field.alias)
            )
        else:
            model = get_args(model)[1]
    return ", ".join(field.alias or name for name, field in model.model_fields.items())
