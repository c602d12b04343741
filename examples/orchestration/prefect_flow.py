"""Updates the online store and makes a training set as a Prefect flow.

    python prefect_flow.py shop 2025-12-01
"""

import sys
from datetime import datetime, timezone

from prefect import flow, task

import fstore


def may_succeed_later(task, run, state) -> bool:
    """Reports whether a task failed because Redis or another service was away; other errors fail at once."""
    return isinstance(state.result(raise_on_failure=False), fstore.Unavailable)


@task(retries=5, retry_delay_seconds=[10, 30, 60, 300, 900], retry_condition_fn=may_succeed_later)
def materialize(repo: str, to: datetime) -> dict[str, str]:
    """Publishes every view as of an instant. Doing it again changes nothing."""
    done = fstore.Repo(repo).materialize(to=to, wait="10m")
    return {view["view"]["name"]: view["published"] for view in done}


@task(retries=5, retry_delay_seconds=60, retry_condition_fn=may_succeed_later)
def training_set(repo: str, name: str, labels: str) -> str:
    """Makes a training set, or finds the one made from the same inputs, and returns its digest."""
    made = fstore.Repo(repo).training_set(name, service="churn", labels=labels, label="reordered")
    return made.digest


@flow(log_prints=True)
def features(repo: str, to: datetime) -> str:
    """Publishes features, then makes the training set of the day from them."""
    print(materialize(repo, to))
    return training_set(repo, f"churn_{to:%Y_%m_%d}", f"{repo}/data/labels.parquet")


if __name__ == "__main__":
    print(features(sys.argv[1], datetime.fromisoformat(sys.argv[2]).replace(tzinfo=timezone.utc)))
