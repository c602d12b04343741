"""examples/loop/gate.py compares with the champion unless there is none."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from tests.conftest import ROOT


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, with the train.py beside it: examples/serving has another."""
    monkeypatch.syspath_prepend(ROOT / "examples/loop")
    monkeypatch.delitem(sys.modules, "train", raising=False)
    return importlib.import_module("gate")


@pytest.mark.usefixtures("server_in_use")
def test_a_model_without_a_champion(gate: Any) -> None:
    labels = pd.DataFrame()
    assert gate.champions_accuracy(None, labels) is None  # the model is not in MLflow
    mlflow.MlflowClient().create_registered_model(gate.MODEL)
    try:
        assert gate.champions_accuracy(None, labels) is None  # it has no such alias
    finally:
        mlflow.MlflowClient().delete_registered_model(gate.MODEL)


@pytest.mark.parametrize("code", ["TEMPORARILY_UNAVAILABLE", "PERMISSION_DENIED", "INTERNAL_ERROR"])
def test_a_champion_that_mlflow_does_not_tell_is_not_none(
    gate: Any, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MlflowException("away", getattr(mlflow.protos.databricks_pb2, code))

    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version_by_alias", fails)
    with pytest.raises(MlflowException, match="away"):
        gate.champions_accuracy(None, pd.DataFrame())
