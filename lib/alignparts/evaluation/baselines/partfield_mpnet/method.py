"""PartField+MPNet behind the common interface: category, count, clusters, names (section 12.1)."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetModel
from alignparts.evaluation.baselines.partfield_mpnet.soft_kmeans import TEMPERATURE, cluster
from alignparts.evaluation.methods import MPNET, Given
from alignparts.naming.inference import category_candidates
from alignparts.naming.prediction import Candidate, Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary


class PartFieldMPNet:
    """The trained network as a method.

    Args:
        model: the network.
        encode: maps texts to embeddings of length 1, with the encoder that the model was trained with.
        vocabulary: categories, their parts and descriptions.
        seed: seed of k-means.
        temperature: temperature of soft k-means.
    """

    label = MPNET

    def __init__(
        self,
        model: PartFieldMPNetModel,
        encode: Encode,
        vocabulary: Vocabulary,
        *,
        seed: int = 0,
        temperature: float = TEMPERATURE,
    ) -> None:
        self.model, self.encode, self.vocabulary = model.eval(), encode, vocabulary
        self.seed, self.temperature = seed, temperature
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment and name one shape.

        Without given names the candidates are the category's, as the vocabulary describes them; without a
        given category it is the one whose projected text is nearest to the projected global feature. The
        number of soft k-means clusters is the given one, or the count head's. Each cluster takes one name by
        exact assignment on the cosines of projected centers and texts; clusters beyond the names take the
        nearest.

        Args:
            arrays: ``geometry`` (n, d_g) and ``appearance`` (n, d_a) are read.
            given: category, names and number of parts, as far as they are known.

        Raises:
            AlignPartsError: an array is missing, empty, not finite or of another width than the model's; an
                unknown category; no names; fewer than one part.
        """
        geometry, appearance = self._features(arrays)
        shape, count = self.model.describe(torch.cat([geometry, appearance], dim=-1).mean(0, keepdim=True))
        category, candidates = given.category or "", [Candidate(name) for name in given.names or ()]
        if given.names is None:
            category = self.vocabulary.resolve_category(given.category or self._category(shape))
            candidates = category_candidates(self.vocabulary, category)
        if not candidates:
            raise AlignPartsError("PartField+MPNet: no candidate names to choose from")
        parts = int(count.argmax()) + 1 if given.parts is None else given.parts
        fused = self.model.fuse(geometry, appearance).float().cpu().numpy()
        centers, point_part = cluster(fused, parts, self.temperature, seed=self.seed)
        texts = self._projected([candidate.text for candidate in candidates])
        local = F.normalize(
            self.model.local(torch.from_numpy(centers.astype(np.float32)).to(self._device)), dim=-1
        )
        chosen = assign((local @ texts.T).float().cpu().numpy())
        names = [candidates[index].name for index in chosen]
        return Prediction.of_names(point_part, names, category, local.float().cpu().numpy())

    def _category(self, shape: Tensor) -> str:
        names = self.vocabulary.categories
        if not names:
            raise AlignPartsError("the vocabulary has no category")
        texts = self._projected([self.vocabulary.category_description(name) for name in names])
        return names[int((shape[0] @ texts.T).argmax())]

    def _projected(self, texts: list[str]) -> Tensor:
        """Return unit vectors of texts in the latent space."""
        vectors = torch.from_numpy(np.asarray(self.encode(texts), dtype=np.float32)).to(self._device)
        if vectors.shape[1] != self.model.config.d_t:
            raise AlignPartsError(
                f"text embeddings are {vectors.shape[1]} wide, the model's {self.model.config.d_t}; "
                "take the text encoder that it was trained with"
            )
        return F.normalize(self.model.text(vectors), dim=-1)

    def _features(self, arrays: Mapping[str, np.ndarray]) -> list[Tensor]:
        config = self.model.config
        tensors = []
        for name, width in (("geometry", config.d_g), ("appearance", config.d_a)):
            if name not in arrays:
                raise AlignPartsError(f"features: '{name}' is missing; expected geometry and appearance")
            values = np.asarray(arrays[name], dtype=np.float32)
            if values.ndim != 2 or not len(values) or values.shape[1] != width:
                raise AlignPartsError(
                    f"features: {name} is {values.shape}, the model was made for (points, {width}); "
                    "take the encoders that it was trained with"
                )
            if not np.isfinite(values).all():
                raise AlignPartsError(f"features: {name}: expected finite numbers; extract it again")
            tensors.append(torch.from_numpy(values).to(self._device))
        first, second = map(len, tensors)
        if first != second:
            raise AlignPartsError(f"features: geometry has {first} rows, appearance {second}")
        return tensors


def assign(cosines: Float[np.ndarray, "k m"]) -> list[int]:
    """Return the name (column) of every cluster (row), by exact assignment; the nearest for clusters left."""
    chosen = cosines.argmax(axis=1)
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    chosen[rows] = columns
    return [int(index) for index in chosen]
