"""examples/flights does what its README shows, here with four months of flights, and every value in it is right."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import flights_oracle
import joblib
import pandas as pd
import pytest
from fastapi.testclient import TestClient

import fstore

EXAMPLE = Path(__file__).parents[3] / "examples" / "flights"
SINCE = "2013-09-01"
NOW = pd.Timestamp("2013-12-05T22:00Z")


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory, binary: Path) -> Path:
    """The folder of the example, after its job."""
    folder = tmp_path_factory.mktemp("flights") / "flights"
    shutil.copytree(
        EXAMPLE, folder, ignore=shutil.ignore_patterns("data", ".fstore", "training_sets", "*.joblib")
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "FSTORE_BINARY": str(binary), "PORT": str(port)}
    done = subprocess.run(
        [sys.executable, "job.py", SINCE],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "output.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="session")
def repo(example: Path, binary: Path) -> fstore.Repo:
    return fstore.Repo(example, binary=binary)


def test_every_value_is_what_the_oracle_says(example: Path, repo: fstore.Repo) -> None:
    ts = repo.training_set("late_2013")
    rows = ts.to_pandas().sample(1000, random_state=1)
    oracle = flights_oracle.Oracle(example / "data")
    instants = flights_oracle.micros(rows[ts.timestamp])
    wrong = []
    for label, at in zip(rows.to_dict("records"), instants, strict=True):
        want = oracle.features(label, at)
        assert sorted(want) == sorted(ts.features)
        got = {name: None if pd.isna(label[name]) else label[name] for name in want}
        wrong += [(label, at, name, got[name], want[name]) for name in want if got[name] != want[name]]
    assert wrong == []


def test_what_is_served_is_what_is_trained_on(repo: fstore.Repo) -> None:
    keys = keys_of(repo)
    labels = keys.assign(event_timestamp=NOW)
    trained = repo.training_set("as_of_now", service="arrival", labels=labels).to_arrow()
    with repo.serve(at=NOW.to_pydatetime()) as client:
        served = client.online(model="late@champion", entities=keys)
    assert len(served.features) == 30
    table = served.to_arrow(keys=False)
    assert table.schema == trained.select(served.features).schema
    assert [name for name in served.features if bits(table[name]) != bits(trained[name])] == []
    assert 0 < sum(column.null_count for column in table.columns) < table.num_rows * 30


def test_the_app_predicts_from_what_the_model_was_trained_on(
    example: Path, repo: fstore.Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ts = repo.training_set("late_2013")
    rows = ts.to_pandas()
    rows = rows[rows[ts.timestamp] == NOW]
    assert ts.entities == ["origin", "dest", "carrier", "tailnum", "distance"]
    want = joblib.load(example / "late.joblib").predict_proba(rows[ts.features])[:, 1].tolist()
    assert len(want) > 0
    monkeypatch.syspath_prepend(str(example))
    with repo.serve(at=NOW.to_pydatetime()) as client:
        monkeypatch.setenv("FSTORE", client.address)
        with TestClient(importlib.import_module("app").app) as http:
            app = importlib.import_module("app")
            asked = rows[ts.entities].to_dict("records")
            assert http.post("/predict", json=asked).json() == want
            unknown = {**asked[0], "tailnum": None}
            (score,) = http.post("/predict", json=[unknown]).json()
            keys = pd.DataFrame([unknown]).astype({"tailnum": "object"})
            frame = client.online(model="late@champion", entities=keys).to_pandas(keys=False)
            assert score == app.model.predict_proba(frame)[0, 1]
            monkeypatch.setattr(app, "model", OutsideOfTheLoop(app.model))
            assert http.post("/predict", json=asked).json() == want
    printed = (example / "output.txt").read_text().splitlines()
    assert [line.split()[-1] for line in printed[-1 - len(want) : -1]] == [f"{p:.6f}" for p in want]


class OutsideOfTheLoop:
    """A model that predicts only in a thread without an event loop, which it would stop."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return self.model.predict_proba(frame)


def keys_of(repo: fstore.Repo) -> pd.DataFrame:
    """Returns 200 keys, with planes and routes that have no flights."""
    ts = repo.training_set("late_2013")
    rows: Any = ts.to_pandas()[ts.entities].sample(200, random_state=2)
    rows.iloc[0, rows.columns.get_loc("tailnum")] = None
    rows.iloc[1, rows.columns.get_loc("tailnum")] = "N0"
    rows.iloc[2, rows.columns.get_loc("dest")] = "XXX"
    return pd.DataFrame(rows).reset_index(drop=True)


def bits(column: Any) -> list[int | None]:
    """Returns the values of a column of integers or floats as they are in memory: 0.0 is not -0.0."""
    return column.combine_chunks().view("int64").to_pylist()  # type: ignore[no-any-return]
