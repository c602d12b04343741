"""The training set of these tests."""

from __future__ import annotations

import pyarrow.parquet as pq

import fstore


def churn(repo: fstore.Repo, name: str = "churn_2025") -> fstore.TrainingSet:
    labels = pq.read_table(repo.path / "data/labels.parquet")
    return repo.training_set(name, service="churn", labels=labels, label="reordered")
