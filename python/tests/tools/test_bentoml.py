"""examples/serving/bento_service.py answers over HTTP what the model would predict in training."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import started
from tests.models import KNOWN, Trained, ask, free_port


@contextmanager
def service_of(churn: Trained, address: str, home: Path) -> Iterator[str]:
    """Serves with BentoML on a free port, with features from an address, and gives the URL."""
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
        "FEATURES": address,
        "MODELS": str(churn.folder),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with started(command, "Starting production HTTP BentoServer", where):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def service(churn: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with service_of(churn, churn.address, tmp_path_factory.mktemp("bentoml")) as url:
        yield url


def test_an_alias_predicts_with_its_version_as_in_training(churn: Trained, service: str) -> None:
    customers = [*KNOWN, 99999]  # nobody
    for asked, version in (({}, "2"), ({"model": "churn/1"}, "1")):
        status, answer = ask(f"{service}/predict", {"customer_id": customers, **asked})
        assert (status, answer["model"]) == (200, f"churn@{version}")
        assert answer["scores"] == churn.expected(customers, version)
        assert len(set(answer["scores"])) > 2  # so that rows in another order would differ


def test_mistakes_of_callers_are_told_apart(service: str) -> None:
    assert ask(f"{service}/predict", {"customer_id": [1], "model": "churn@nope"})[0] == 404
    assert ask(f"{service}/predict", {"customer_id": [1], "model": "churn"})[0] == 400


def ready(url: str) -> int:
    """Returns the status of /readyz."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_it_is_ready_while_features_can_be_looked_up(churn: Trained, service: str, tmp_path: Path) -> None:
    assert ready(service) == 200
    with service_of(churn, f"127.0.0.1:{free_port()}", tmp_path) as without:
        assert ready(without) == 503
        assert ask(f"{without}/predict", {"customer_id": [12003]})[0] == 503
