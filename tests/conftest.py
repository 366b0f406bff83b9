"""What all tests share."""

import matplotlib
import pytest
import torch
from hypothesis import settings

matplotlib.use("agg")
# A busy machine must not fail a test that asks for no time.
settings.register_profile("timeless", deadline=None)
settings.load_profile("timeless")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Toy tensors are slower on several threads; a test that trains says how many it takes."""
    torch.set_num_threads(1)
