"""Updates the online store and makes a training set as a Prefect flow.

    python prefect_flow.py shop 2025-12-01    # once
    python prefect_flow.py shop               # every night, or as $CRON says, until it is stopped
"""

import os
import sys
from datetime import datetime, timezone

from prefect import flow, task
from prefect.runtime import flow_run

import fstore


def may_succeed_later(task, run, state) -> bool:
    """Fails at once where somebody must look, by the exit status of the command; anything else is retried."""
    error = state.result(raise_on_failure=False)
    return getattr(error, "exit_status", 1) in (1, 6)


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


def in_utc(instant: datetime) -> datetime:
    """Returns an instant in UTC; one without an offset is in UTC already."""
    return instant.astimezone(timezone.utc) if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


@flow(log_prints=True)
def features(repo: str, to: datetime | None = None) -> str:
    """Publishes features as of an instant, by default the one the run was scheduled for, then makes the day's training set."""
    to = in_utc(to or flow_run.scheduled_start_time)
    print(materialize(repo, to))
    return training_set(repo, f"churn_{to:%Y_%m_%d}", f"{repo}/data/labels.parquet")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(features(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
    else:
        features.serve("nightly", cron=os.environ.get("CRON", "0 0 * * *"), parameters={"repo": sys.argv[1]}, limit=1)
