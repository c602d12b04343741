"""examples/serving/fastapi_app.py answers over HTTP what the model would predict in training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from models import KNOWN, Trained, ask, started, trained

UVICORN = [sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log", "fastapi_app:app"]


@pytest.fixture(scope="module")
def churn(binary: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with trained(binary, sample, tmp_path_factory.mktemp("churn")) as model:
        yield model


def url(line: str) -> str:
    """Returns the address in uvicorn's "Uvicorn running on http://127.0.0.1:41234 (…)"."""
    return line.split(" on ")[1].split()[0]


@pytest.fixture(scope="module")
def service(churn: Trained) -> Iterator[str]:
    where = {"FEATURES": churn.address, "MODELS": str(churn.folder)}
    with started(UVICORN, "Uvicorn running on", where) as line:
        yield url(line)


def test_an_alias_predicts_with_its_version_as_in_training(churn: Trained, service: str) -> None:
    customers = [*KNOWN, 99999]  # nobody
    status, answer = ask(f"{service}/predict", {"customer_id": customers})
    assert (status, answer["model"]) == (200, "churn@2")
    assert answer["scores"] == churn.expected(customers, "2")
    assert len(set(answer["scores"])) > 2
    assert answer["published"]["customer_totals@1"] == "2025-11-30T02:00:00Z"
    status, answer = ask(f"{service}/predict?model=churn/1", {"customer_id": customers})
    assert (status, answer["model"]) == (200, "churn@1")
    assert answer["scores"] == churn.expected(customers, "1")


def test_mistakes_of_callers_are_told_apart(service: str) -> None:
    status, answer = ask(f"{service}/predict?model=churn@nope", {"customer_id": [1]})
    assert (status, "nope" in answer["error"]) == (404, True)
    assert ask(f"{service}/predict?model=churn", {"customer_id": [1]})[0] == 400
    assert ask(f"{service}/predict", {"customer_id": ["x"]})[0] == 422


def test_health_knows_how_fresh_the_features_are(churn: Trained, service: str) -> None:
    status, answer = ask(f"{service}/health")
    assert (status, answer["fresh"]) == (503, False)
    assert answer["published"]["customer_totals@1"] == "2025-11-30T02:00:00Z"
    patient = {"FEATURES": churn.address, "MODELS": str(churn.folder), "MAX_AGE_HOURS": "1e6"}
    with started(UVICORN, "Uvicorn running on", patient) as line:
        assert ask(f"{url(line)}/health")[0] == 200


def test_a_feature_server_that_is_away_is_503() -> None:
    with started(UVICORN, "Uvicorn running on", {"FEATURES": "127.0.0.1:1"}) as line:
        for status, answer in (ask(f"{url(line)}/predict", {"customer_id": [1]}), ask(f"{url(line)}/health")):
            assert (status, "127.0.0.1:1" in answer["error"]) == (503, True)
