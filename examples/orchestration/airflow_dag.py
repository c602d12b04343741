"""Updates the online store every hour, one task per view, then compares a sample of keys with the offline result.

Workers need the fstore command on PATH, and FSTORE_REPO with the absolute path of the feature repo: a task runs in a folder of its own.
"""

import json
import re
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, RetryDecision, RetryPolicy, task

# The views of the service churn in the sample repo.
VIEWS = ["customer_orders", "customer_large_orders", "customer_totals", "customer_profile", "shop"]

# The end of the interval. A run that something else triggers may have no interval; then this is when it was due.
TO = "{{ data_interval_end | default(dag_run.run_after, true) | ts }}"


class ByExitStatus(RetryPolicy):
    """Fails at once where somebody must look: usage, definition, check, conflict, permission. Anything else is retried."""

    def evaluate(self, exception, try_number, max_tries, context=None):
        """Reads the status from the message of BashOperator."""
        status = re.search(r"exit code ([23457])\b", str(exception))
        if status is None:
            return RetryDecision.default()
        return RetryDecision.fail(f"fstore exited with status {status[1]}; a retry would not help")


with DAG(
    "features",
    schedule="@hourly",
    start_date=datetime(2025, 12, 1),
    max_active_runs=1,  # an earlier instant than the published one is refused
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "retry_policy": ByExitStatus()},
) as dag:
    verify = BashOperator(task_id="verify", bash_command="fstore verify --service churn --sample 1000")

    @task
    def report(published: dict) -> str:
        """Takes what materialize printed last, a line of JSON, from XCom."""
        name, written = published["view"]["name"], published["written"]
        return f"{name}: {written} keys written as of {published['published']}"

    for view in VIEWS:
        materialize = BashOperator(
            task_id=f"materialize_{view}",
            bash_command=f"fstore materialize {view} --to {TO} --wait 10m --output json",
            output_processor=json.loads,
        )
        materialize >> verify
        report.override(task_id=f"report_{view}")(materialize.output)
