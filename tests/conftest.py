"""What all tests share."""

import matplotlib
import pytest
import torch

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Toy tensors are slower on several threads; a test that trains says how many it takes."""
    torch.set_num_threads(1)
