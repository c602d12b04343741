"""Trains a model on a training set of the sample repo, pins its features to the model's version, and makes it the champion.

    python train.py shop models 1
"""

import sys
from pathlib import Path

import joblib
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import fstore


def train(repo: fstore.Repo, models: Path, version: str) -> None:
    """Writes models/churn/VERSION.joblib, a pipeline that takes a frame of the features."""
    labels = repo.path / "data" / "labels.parquet"
    ts = repo.training_set(f"churn_{version}", service="churn", labels=labels, label="reordered")
    frame = ts.to_pandas()
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(
        make_column_transformer(
            (one_hot, make_column_selector(dtype_exclude=["number", "bool"])), remainder="passthrough"
        ),
        RandomForestClassifier(max_depth=6, random_state=0),
    )
    model.fit(frame[ts.features], frame[ts.label])
    (models / "churn").mkdir(parents=True, exist_ok=True)
    joblib.dump(model, models / "churn" / f"{version}.joblib")
    repo.pin_model("churn", version, training_set=ts)
    repo.alias("churn", "champion", version)


if __name__ == "__main__":
    train(fstore.Repo(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
