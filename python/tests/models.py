"""A model trained on the sample repo by examples/serving/train.py, for the tests of examples/serving."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import joblib
from train import train

import fstore
from tests.conftest import serving

AT = datetime(2025, 12, 1, tzinfo=timezone.utc)  # the sample is materialized to this instant
FEATURES = {
    "1": [
        "customer_orders.*",
        "customer_large_orders.large_order_value=last_large_order",
        "customer_totals.*",
        "customer_profile.*",
        "shop.share_returned=shop_share_returned",
    ]
}
FEATURES["2"] = FEATURES["1"][:-1]
KNOWN = [12003, 12004, 12005, 12010, 12042, 12117, 12250]


@dataclass(frozen=True)
class Trained:
    """A repo with two versions of the model churn, served as of AT."""

    address: str
    folder: Path
    """The folder of the models."""
    repo: fstore.Repo

    def expected(self, customers: list[int], version: str) -> list[float]:
        """Returns what a version predicts from the features that a training set has at AT."""
        rows = {"customer_id": customers, "event_timestamp": [AT] * len(customers)}
        features = self.repo.features(rows, features=FEATURES[version]).to_pandas()
        pipeline = joblib.load(self.folder / "churn" / f"{version}.joblib")
        scores = pipeline.predict_proba(features.drop(columns=list(rows)))
        return [float(score) for score in scores[:, 1]]


@contextmanager
def trained(binary: Path, sample: Path, folder: Path) -> Iterator[Trained]:
    """Trains two versions of the model churn, and serves a copy of the sample repo. The champion has fewer features."""
    path, models = shutil.copytree(sample, folder / "shop"), folder / "models"
    repo = fstore.Repo(path, binary=binary)
    train(repo, models, "1")
    definitions = path / "services.yaml"
    definitions.write_text(definitions.read_text().replace("  - {ref: shop.*, prefix: shop_}\n", "", 1))
    repo.apply(breaking=True)
    train(repo, models, "2")
    with serving(binary, path, "--at", AT.isoformat()) as address:
        yield Trained(address, models, repo)


def free_port() -> int:
    """Returns a port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def ask(url: str, body: object = None) -> tuple[int, Any]:
    """Returns the status and the JSON of a GET, or of a POST if there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
