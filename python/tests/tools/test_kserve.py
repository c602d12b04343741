"""KServe runs examples/serving/transformer.py in front of Seldon's MLServer; the predictions are those of training."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.models import KNOWN, Trained, ask, free_port, started

MLSERVER = os.environ["FSTORE_MLSERVER"]  # the Python of an environment with MLServer


@pytest.fixture(scope="module")
def predictor(churn: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLServer with version 2 of the model; it answers probabilities."""
    folder = tmp_path_factory.mktemp("mlserver")
    shutil.copy(churn.folder / "churn/2.joblib", folder / "model.joblib")
    model = {
        "name": "churn",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "extra": {"predict_fn": "predict_proba"}},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    port = free_port()
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    command = ["-c", "import mlserver.cli; mlserver.cli.main()", "start", str(folder)]
    with started([MLSERVER, *command], "Uvicorn running on"):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def transformer(churn: Trained, predictor: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "transformer.py", "--model_name", "churn", "--predictor_protocol", "v2"]
    ports = ["--predictor_host", predictor, "--http_port", str(port), "--grpc_port", str(free_port())]
    where = {"FEATURES": churn.address, "MODEL": "churn/2"}
    with started([*command, *ports], "Uvicorn running on", where):
        yield f"http://127.0.0.1:{port}/v2/models/churn/infer"


def keys(*customers: int | None) -> dict[str, object]:
    column = {"name": "customer_id", "shape": [len(customers)], "datatype": "INT64", "data": customers}
    return {"inputs": [column]}


def test_keys_go_in_and_the_scores_of_training_come_out(churn: Trained, transformer: str) -> None:
    status, answer = ask(transformer, keys(*KNOWN))
    assert status == 200, answer
    (scores,) = answer["outputs"]
    assert scores["shape"] == [len(KNOWN), 2]
    assert scores["data"][1::2] == churn.expected(KNOWN, "2")


def test_what_a_tensor_cannot_hold_is_refused(transformer: str) -> None:
    status, answer = ask(transformer, keys(99999))  # nobody, so the country is null
    assert (status, "null" in json.dumps(answer)) == (400, True)
    wrong = {"inputs": [{"name": "customer", "shape": [1], "datatype": "INT64", "data": [1]}]}
    assert ask(transformer, wrong)[0] == 400
