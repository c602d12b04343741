"""What the tests of examples in other tools share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def churn(binary: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A repo with two versions of a model, which is served."""
    from tests.models import trained  # needs scikit-learn, which only some environments have

    with trained(binary, sample, tmp_path_factory.mktemp("churn")) as model:
        yield model
