"""What all tests share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Toy tensors are slower on several threads; a test that trains says how many it takes."""
    torch.set_num_threads(1)
