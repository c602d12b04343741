"""`Repo.drift` runs the command, and returns what it found as pandas does tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import fstore
from tests.conftest import fstore as run


def test_drift_of_a_file(repo: Path, binary: Path) -> None:
    made = ["--service", "churn", "--labels", str(repo / "data/labels.parquet")]
    run(binary, "training-set", "create", "churn", *made, "--out", str(repo / "churn.parquet"), repo=repo)
    rows = pd.read_parquet(repo / "churn.parquet")
    rows["order_value"] *= 3
    rows.drop(columns="segment").to_parquet(repo / "current.parquet")
    found = fstore.Repo(repo, binary=binary).drift(
        "churn", repo / "current.parquet", window="90000d", by="month"
    )
    assert not found.drifted
    assert "of 8 judged features drifted." in repr(found)
    assert found["by"] == "month"
    scores = found.to_pandas().set_index("feature")
    assert scores.loc["order_value", "verdict"] == "drifted"
    assert scores.loc["order_value", "psi"] > 0.2
    assert scores.loc["segment", "verdict"] == "not_compared"
    assert pd.isna(scores.loc["segment", "psi"])
    with pytest.raises(fstore.NotFound, match="no served log"):
        fstore.Repo(repo, binary=binary).drift("churn", "served", service="churn", log="nowhere")
