"""examples/serving/bento_service.py answers over HTTP what the model would predict in training."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.models import KNOWN, Trained, ask, free_port, started


@pytest.fixture(scope="module")
def service(churn: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "bento_service:Churn",
    ]
    where = {
        "FEATURES": churn.address,
        "MODELS": str(churn.folder),
        "BENTOML_HOME": str(tmp_path_factory.mktemp("bentoml")),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with started(command, "Starting production HTTP BentoServer", where):
        yield f"http://127.0.0.1:{port}"


def test_an_alias_predicts_with_its_version_as_in_training(churn: Trained, service: str) -> None:
    customers = [*KNOWN, 99999]  # nobody
    for asked, version in (({}, "2"), ({"model": "churn/1"}, "1")):
        status, answer = ask(f"{service}/predict", {"customer_id": customers, **asked})
        assert (status, answer["model"]) == (200, f"churn@{version}")
        assert answer["scores"] == churn.expected(customers, version)


def test_mistakes_of_callers_are_told_apart(service: str) -> None:
    assert ask(f"{service}/predict", {"customer_id": [1], "model": "churn@nope"})[0] == 404
    assert ask(f"{service}/predict", {"customer_id": [1], "model": "churn"})[0] == 400
