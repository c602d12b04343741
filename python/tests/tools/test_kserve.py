"""KServe runs examples/serving/transformer.py in front of Seldon's MLServer; the predictions are those of training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kserve
import kubernetes
import pytest
import yaml

from tests.conftest import ROOT, started
from tests.models import KNOWN, Trained, ask, free_port

MLSERVER = os.environ["FSTORE_MLSERVER"]  # the Python of an environment with MLServer

SERVICE = yaml.safe_load((ROOT / "examples/serving/inference_service.yaml").read_text())
(CONTAINER,) = SERVICE["spec"]["transformer"]["containers"]


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


def test_a_flag_that_kserve_does_not_have_is_an_error() -> None:
    command = [sys.executable, *CONTAINER["command"][1:], "--modle_name", "churn"]
    where = ROOT / "examples/serving"
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "--modle_name" in done.stderr) == (2, True), done.stderr


@contextmanager
def transforming(predictor: str, features: str) -> Iterator[str]:
    """Runs the transformer as KServe does, with features from an address, and gives the URL of the model."""
    port = free_port()
    assert CONTAINER["command"][0] == "python"
    command = [sys.executable, *CONTAINER["command"][1:], *CONTAINER["args"]]
    ports = ["--predictor_host", predictor, "--http_port", str(port), "--grpc_port", str(free_port())]
    where = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
    with started([*command, *ports], "Uvicorn running on", where | {"FEATURES": features}):
        yield f"http://127.0.0.1:{port}/v2/models/churn/infer"


@pytest.fixture(scope="module")
def transformer(churn: Trained, predictor: str) -> Iterator[str]:
    with transforming(predictor, churn.address) as url:
        yield url


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


def test_features_that_are_away_may_be_back_later(predictor: str) -> None:
    with transforming(predictor, f"127.0.0.1:{free_port()}") as url:
        assert ask(url, keys(12003))[0] == 503


def check(content: Any, kind: str) -> None:
    """Checks that KServe or Kubernetes has a type, such as list[V1Container], with the members that content has."""
    if kind.startswith("list["):
        for item in content:
            check(item, kind[len("list[") : -1])
    elif model := getattr(kserve, kind, None):
        members = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
        for name, member in content.items():
            check(member, members[name])
    elif model := getattr(kubernetes.client, kind, None):
        read = model.from_dict(content)  # what the type does not have is left out
        assert kubernetes.client.ApiClient().sanitize_for_serialization(read) == content
    else:
        assert type(content).__name__ == kind


def test_kserve_takes_the_inference_service() -> None:
    check(SERVICE, "V1beta1InferenceService")
