"""Lets a version of the model become the champion only if its accuracy holds, on rows that it has not learned from.

    python gate.py --repo shop --training-set returns_2 --labels data/labels/2025-09.parquet 3

It must be right in 90 % of the rows, and as good as the champion on the same rows. Then its features are pinned, and MLflow's
alias champion moves to it. Otherwise nothing changes, and the exit status is 4. It prints both accuracies as a line of JSON.
"""

import argparse
import json
import sys
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from train import MODEL, held_out

import fstore
import fstore.mlflow

LEAST = 0.9
TOLERANCE = 0.005  # by how much the accuracy may be below the champion's


def candidates_accuracy(repo: fstore.Repo, version: str, training_set: str, labels: pd.DataFrame) -> float:
    """Returns the accuracy of a version that is not pinned yet, with the features that it would be pinned to."""
    ts = repo.training_set(training_set)
    model = mlflow.sklearn.load_model(f"models:/{MODEL}/{version}")
    rows = repo.features(labels, features=locked(ts.lock)).to_pandas()
    return float((model.predict(rows[ts.features]) == rows["returned"]).mean())


def locked(lock: dict[str, Any]) -> list[str]:
    """Returns the features of a training set in the versions that its lock has. The service may have others by now."""
    return ["{name}@{version}".format(**f["view"]) + f".{f['feature']}={f['name']}" for f in lock["features"]]


def champions_accuracy(repo: fstore.Repo, labels: pd.DataFrame) -> float | None:
    """Returns the accuracy of the champion, with the features that it is pinned to; None if there is no champion."""
    try:
        mlflow.MlflowClient().get_model_version_by_alias(MODEL, "champion")
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no such model, or no such alias
            return None
        raise  # MLflow is away, or refuses: there may well be a champion
    rows = fstore.score_batch(f"models:/{MODEL}@champion", labels, repo=repo).to_pandas()
    return float((rows["prediction"] == rows["returned"]).mean())


def gate(repo: fstore.Repo, version: str, training_set: str, labels: pd.DataFrame) -> dict[str, object]:
    """Judges a version, and makes it the champion if it passes."""
    labels = labels[held_out(labels)]
    accuracy, champion = (
        candidates_accuracy(repo, version, training_set, labels),
        champions_accuracy(repo, labels),
    )
    passed = accuracy >= max(LEAST, (champion or 0) - TOLERANCE)
    client = mlflow.MlflowClient()
    client.set_model_version_tag(MODEL, version, "accuracy", f"{accuracy:.4f}")
    client.set_model_version_tag(MODEL, version, "gate", "passed" if passed else "refused")
    if passed:
        fstore.mlflow.pin(f"models:/{MODEL}/{version}", training_set, repo=repo)
        client.set_registered_model_alias(MODEL, "champion", version)
    return {
        "version": version,
        "passed": passed,
        "accuracy": accuracy,
        "champion": champion,
        "rows": len(labels),
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("version")
    arguments.add_argument("--repo", default=".")
    arguments.add_argument("--training-set", required=True)
    arguments.add_argument("--labels", required=True)
    given = arguments.parse_args()
    shop = fstore.Repo(given.repo)
    verdict = gate(shop, given.version, given.training_set, pd.read_parquet(shop.path / given.labels))
    print(json.dumps(verdict))
    sys.exit(0 if verdict["passed"] else 4)
