"""examples/serving/fastapi_app.py answers over HTTP what the model would predict in training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import fastapi_app
import pytest
import uvicorn

from tests.models import KNOWN, Trained, ask, trained


@pytest.fixture(scope="module")
def churn(binary: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with trained(binary, sample, tmp_path_factory.mktemp("churn")) as model:
        yield model


@contextmanager
def running() -> Iterator[str]:
    """Runs the service in a thread, and gives its address."""
    listening = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: object = None) -> None:
            await super().startup()
            listening.set()

    server = Server(uvicorn.Config(fastapi_app.app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert listening.wait(60)
        yield "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def service(churn: Trained, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(fastapi_app, "FEATURES", churn.address)
    monkeypatch.setattr(fastapi_app, "MODELS", churn.folder)
    with running() as address:
        yield address


def test_an_alias_predicts_with_its_version_as_in_training(churn: Trained, service: str) -> None:
    customers = [*KNOWN, 99999]  # nobody
    for query, version in (("", "2"), ("?model=churn@champion", "2"), ("?model=churn/1", "1")):
        status, answer = ask(f"{service}/predict{query}", {"customer_id": customers})
        assert (status, answer["model"]) == (200, f"churn@{version}")
        assert answer["scores"] == churn.expected(customers, version)
        assert len(set(answer["scores"])) > 2
        assert answer["published"]["customer_totals@1"] == "2025-11-30T02:00:00Z"


def test_mistakes_of_callers_are_told_apart(service: str) -> None:
    status, answer = ask(f"{service}/predict?model=churn@nope", {"customer_id": [1]})
    assert (status, "nope" in answer["error"]) == (404, True)
    assert ask(f"{service}/predict?model=churn", {"customer_id": [1]})[0] == 400
    assert ask(f"{service}/predict", {"customer_id": ["x"]})[0] == 422


def test_health_knows_how_fresh_the_features_are(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for patience, want in ((timedelta(hours=26), (503, False)), (timedelta(days=36500), (200, True))):
        monkeypatch.setattr(fastapi_app, "MAX_AGE", patience)
        status, answer = ask(f"{service}/health")
        assert (status, answer["fresh"]) == want
        assert answer["published"]["customer_totals@1"] == "2025-11-30T02:00:00Z"


def test_a_feature_server_that_is_away_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi_app, "FEATURES", "127.0.0.1:1")
    with running() as service:
        for status, answer in (ask(f"{service}/predict", {"customer_id": [1]}), ask(f"{service}/health")):
            assert (status, "127.0.0.1:1" in answer["error"]) == (503, True)
