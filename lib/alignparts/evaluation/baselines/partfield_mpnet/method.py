"""PartField+MPNet behind the common interface: category, count, clusters, names (section 12.1)."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.inputs import shape_tensors, text_tensor
from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetModel
from alignparts.evaluation.baselines.partfield_mpnet.soft_kmeans import cluster
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
    """

    label = MPNET

    def __init__(
        self, model: PartFieldMPNetModel, encode: Encode, vocabulary: Vocabulary, *, seed: int = 0
    ) -> None:
        self.model, self.encode, self.vocabulary, self.seed = model.eval(), encode, vocabulary, seed
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment and name one shape by its ``geometry`` (n, d_g) and ``appearance`` (n, d_a).

        Without given names the candidates are the category's, as the vocabulary describes them; without a
        given category it is the one whose projected text is nearest to the projected global feature. The
        number of soft k-means clusters is the given one, or the count head's. Each cluster takes one name by
        exact assignment on the cosines of projected centers and texts; clusters beyond the names take the
        nearest.

        Raises:
            AlignPartsError: unfit arrays, an unknown category, no names, or fewer than one part.
        """
        c = self.model.config
        both = shape_tensors(arrays, self._device, geometry=c.d_g, appearance=c.d_a)
        features = torch.cat(both, dim=-1)
        shape, count = self.model.describe(features.mean(0, keepdim=True))
        category, candidates = given.category or "", [Candidate(name) for name in given.names or ()]
        if given.names is None:
            category = self.vocabulary.resolve_category(given.category or self._category(shape))
            candidates = category_candidates(self.vocabulary, category)
        if not candidates:
            raise AlignPartsError("PartField+MPNet: no candidate names to choose from")
        parts = int(count.argmax()) + 1 if given.parts is None else given.parts
        fused = self.model.fuse(features).float().cpu().numpy()
        centers, point_part = cluster(fused, parts, seed=self.seed)
        texts = self._projected([candidate.text for candidate in candidates])
        local = self.model.local(torch.from_numpy(centers.astype(np.float32)).to(self._device))
        local = F.normalize(local, dim=-1)
        names = [candidates[index].name for index in assign((local @ texts.T).float().cpu().numpy())]
        return Prediction.of_names(point_part, names, category, local.float().cpu().numpy())

    def _category(self, shape: Tensor) -> str:
        """Return the category whose projected text is nearest to a projected shape."""
        names = self.vocabulary.categories
        texts = self._projected([self.vocabulary.category_description(name) for name in names])
        return names[int((shape[0] @ texts.T).argmax())]

    def _projected(self, texts: list[str]) -> Tensor:
        """Return unit vectors of texts in the latent space."""
        vectors = text_tensor(self.encode, texts, self.model.config.d_t)
        return F.normalize(self.model.text(vectors.to(self._device)), dim=-1)


def assign(cosines: Float[np.ndarray, "k m"]) -> list[int]:
    """Return the name (column) of every cluster (row), by exact assignment; the nearest for clusters left."""
    chosen = cosines.argmax(axis=1)
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    chosen[rows] = columns
    return chosen.tolist()
