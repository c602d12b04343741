"""A Kubeflow pipeline: a component that makes a training set, and one that trains on it.

    python kfp_pipeline.py        # writes training.yaml, which `kfp pipeline create` uploads
"""

from kfp import compiler, dsl, kubernetes

PACKAGES = ["fstore-sdk[local]", "pandas", "scikit-learn"]
VOLUME = "features"  # your PersistentVolumeClaim, with the feature repo and the labels; steps see it at /features


@dsl.component(base_image="python:3.12-slim", packages_to_install=PACKAGES)
def training_set(
    repo: str,
    name: str,
    service: str,
    labels: str,
    label: str,
    rows: dsl.Output[dsl.Dataset],
    lock: dsl.Output[dsl.Artifact],
):
    """Makes a training set, or finds the one made from the same inputs. Its digest is metadata of the artifact."""
    import shutil

    import fstore

    made = fstore.Repo(repo).training_set(name, service=service, labels=labels, label=label)
    shutil.copy(made.path, rows.path)
    shutil.copy(made.lock_path, lock.path)
    rows.metadata.update(fstore_name=made.name, digest=made.digest, features=made.features, label=made.label)


@dsl.component(base_image="python:3.12-slim", packages_to_install=PACKAGES)
def train(rows: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]) -> float:
    """Trains on the numbers of the training set, and returns the accuracy on its last quarter."""
    import joblib
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier

    frame = pd.read_parquet(rows.path).sort_values("event_timestamp")
    x, y = frame[rows.metadata["features"]].select_dtypes(["number", "bool"]), frame[rows.metadata["label"]]
    first = len(frame) * 3 // 4
    fitted = RandomForestClassifier(max_depth=6, random_state=0).fit(x[:first], y[:first])
    joblib.dump(fitted, model.path)
    model.metadata["training_set"] = rows.metadata["digest"]
    return fitted.score(x[first:], y[first:])


@dsl.pipeline(name="churn")
def training(
    name: str, repo: str = "/features/shop", labels: str = "/features/shop/data/labels.parquet"
) -> float:
    """Makes a training set and trains on it. Returns the accuracy."""
    made = training_set(repo=repo, name=name, service="churn", labels=labels, label="reordered")
    made.set_caching_options(False)  # Kubeflow's cache compares paths; fstore compares what is in the files
    kubernetes.mount_pvc(made, pvc_name=VOLUME, mount_path="/features")
    return train(rows=made.outputs["rows"]).outputs["Output"]


if __name__ == "__main__":
    compiler.Compiler().compile(training, "training.yaml")
