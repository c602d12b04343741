"""Retrains a model when what it is served has drifted, and makes the new version the champion only if its accuracy holds.

Steps and scripts are those of `make loop`: train.py, gate.py and window.py of examples/loop. Workers need fstore, dvc and that
folder's Python environment on PATH, MLFLOW_TRACKING_URI, FSTORE_REPO with the absolute path of the feature repo, and LOOP with that of
the scripts. The feature repo must be one that all workers share. What was served is compared where the served log is:
`fstore skew --model returns@champion --since 24h`.
"""

import re
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, RetryDecision, RetryPolicy, chain

NOW = "{{ dag_run.run_after | ts }}"
MONTH = "{{ (dag_run.run_after - macros.timedelta(days=1)).strftime('%Y-%m') }}"  # on the first, the new month has no labels
SET = "returns_{{ dag_run.run_after.strftime('%Y%m%dT%H%M%S') | lower }}"
VERSION = "{{ ti.xcom_pull('train') }}"  # what train.py printed last

# Only the champion counts: older versions that are still pinned have drifted, too. Status 4 says that it has drifted. Without drift,
# status 99 skips this task and all that come after it.
ALERT = """set=$(fstore model show returns@champion --output json | jq -r .training_set)
status=0
fstore drift --reference "$set" --current store --fail-on 0.3 || status=$?
case $status in 4) exit 0 ;; 0) exit 99 ;; *) exit $status ;; esac"""

# Nothing goes on after a command that fails, also in a pipe.
STRICT = 'set -euo pipefail; cd "$FSTORE_REPO"'

STEPS = {
    "alert": ALERT,
    "training_set": f"python $LOOP/window.py {SET} {MONTH} {NOW} && dvc repro",
    "train": f"python $LOOP/train.py {SET}",
    "gate": f"python $LOOP/gate.py {VERSION} --training-set {SET} --labels data/labels/{MONTH}.parquet",
    "materialize": f"fstore materialize --wait 10m && fstore verify --model returns@{VERSION} --sample 1000",
    "move": "fstore model sync returns",
    "rebuild": f"fstore training-set verify {SET}",
}


class ByExitStatus(RetryPolicy):
    """Fails at once where somebody must look: usage, definition, check, conflict, permission. Anything else is retried."""

    def evaluate(self, exception, try_number, max_tries, context=None):
        """Reads the status from the message of BashOperator."""
        status = re.search(r"exit code ([23457])\b", str(exception))
        if status is None:
            return RetryDecision.default()
        return RetryDecision.fail(f"exit status {status[1]}; a retry would not help")


with DAG(
    "retrain",
    schedule="@daily",
    start_date=datetime(2025, 12, 1),
    catchup=False,
    max_active_runs=1,  # two runs must not move the alias at once
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "retry_policy": ByExitStatus()},
) as dag:
    chain(*(BashOperator(task_id=name, bash_command=f"{STRICT}\n{does}") for name, does in STEPS.items()))
