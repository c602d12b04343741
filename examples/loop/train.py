"""Trains a model on a training set, logs the run to MLflow, and registers a new version of the model returns.

    python train.py --repo shop returns_1

It prints the version. gate.py decides what becomes of it.
"""

import argparse

import mlflow
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import fstore

MODEL = "returns"


def held_out(rows: pd.DataFrame) -> pd.Series:
    """Tells which rows the model must not learn from: those of every fifth customer. gate.py tests on them."""
    return rows["customer_id"] % 5 == 0


def fit(features: pd.DataFrame, label: pd.Series) -> Pipeline:
    """Returns a pipeline that takes a frame of the features."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = make_column_transformer(
        (words, make_column_selector(dtype_exclude="number")), remainder="passthrough"
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=60, random_state=0)).fit(
        features, label
    )


def train(repo: fstore.Repo, training_set: str) -> str:
    """Returns the version of the model that has learned from a training set."""
    ts = repo.training_set(training_set)
    rows = ts.to_pandas()
    rows = rows[~held_out(rows)]
    features = rows[ts.features]
    mlflow.set_experiment(MODEL)
    with mlflow.start_run():
        model = fit(features, rows[ts.label])
        ts.log_to_mlflow()  # what it learned from
        mlflow.log_metric("rows", len(rows))
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=MODEL,
            serialization_format="cloudpickle",
            signature=infer_signature(features, model.predict(features)),
            pip_requirements=[
                f"scikit-learn=={sklearn.__version__}"
            ],  # MLflow would load the model to find out
        )
    return str(logged.registered_model_version)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("training_set")
    arguments.add_argument("--repo", default=".")
    given = arguments.parse_args()
    print(train(fstore.Repo(given.repo), given.training_set))
