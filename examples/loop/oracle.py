"""Holds every answer that load.py got to the engine: the score must be the one that the model version gives offline, to the last bit.

    python oracle.py --repo shop --run 2025-10-01T00:00:00Z,START,END answers.jsonl…

--run names a run of materialize: its instant, and when it began and ended (seconds since 1970). An answer that was in flight
meanwhile may have values of that instant already. It prints, as JSON, how many scores each version gave, and up to ten that are wrong.
"""

import argparse
import itertools
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

import fstore


class Oracle:
    """What each version of the model says of each customer, computed from the sources."""

    def __init__(self, repo: fstore.Repo, customers: list[int]) -> None:
        self.repo, self.customers = repo, customers
        self.row = {customer: n for n, customer in enumerate(customers)}
        self.features = cache(self._features)
        self.scores = cache(self._scores)

    def _features(self, model: str, instant: str) -> pd.DataFrame:
        """Returns the features that a version is pinned to, as of an instant."""
        rows = pd.DataFrame({"customer_id": self.customers, "event_timestamp": pd.Timestamp(instant)})
        got = self.repo.features(rows, model=model).to_pandas()
        return got[[c for c in got.columns if c not in rows.columns]]

    def _scores(self, model: str, instants: tuple[tuple[str, str], ...]) -> np.ndarray:
        """Returns the score of every customer, with the features of each view as of its own instant."""
        name, version = model.split("@")
        pipeline = mlflow.sklearn.load_model(f"models:/{name}/{version}")
        of_view = dict(instants)
        frame = self.features(model, instants[0][1]).copy()
        for feature, view in self.views(model).items():
            frame[feature] = self.features(model, of_view[view])[feature]
        return np.asarray(pipeline.predict_proba(frame)[:, 1])

    def views(self, model: str) -> dict[str, str]:
        """Returns the view version that each feature of a version comes from."""
        name, version = model.split("@")
        (pin,) = (p for p in self.repo.models if p["model"] == {"name": name, "version": version})
        views = [use["view"] for use in pin["uses"]]
        return {f["name"]: "{name}@{version}".format(**views[f["use"]]) for f in pin["outputs"]}

    def right(self, line: dict[str, Any], runs: list[tuple[str, float, float]]) -> list[bool]:
        """Tells of each score in an answer whether it is one that the version may have given."""
        answer = line["answer"]
        in_flight = [at for at, start, end in runs if line["sent"] < end and start < line["answered"]]
        choices = [
            [(view, at) for at in dict.fromkeys([p, *in_flight])]
            for view, p in sorted(answer["published"].items())
        ]
        possible = [self.scores(answer["model"], c) for c in itertools.product(*choices)]
        where = [self.row[c] for c in line["customer_id"]]
        return [
            any(p[n] == score for p in possible) for n, score in zip(where, answer["scores"], strict=True)
        ]


def judge(repo: fstore.Repo, files: list[Path], runs: list[tuple[str, float, float]]) -> dict[str, Any]:
    """Counts the right scores by version, and collects what is wrong or failed."""
    lines = [json.loads(text) for file in files for text in file.read_text().splitlines()]
    oracle = Oracle(repo, sorted({c for line in lines for c in line["customer_id"]}))
    right: Counter[str] = Counter()
    bad = []
    for line in lines:
        if line["status"] == 200 and all(oracle.right(line, runs)):
            right[line["answer"]["model"]] += len(line["customer_id"])
        else:
            bad.append(line)
    waited = [line["answered"] - line["sent"] for line in lines]
    return {
        "requests": len(lines),
        "right": right,
        "bad": len(bad),
        "first": bad[:10],
        "p99": float(np.quantile(waited, 0.99)),
    }


def run(text: str) -> tuple[str, float, float]:
    """Reads INSTANT,START,END."""
    instant, start, end = text.split(",")
    return instant, float(start), float(end)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("answers", nargs="+", type=Path)
    arguments.add_argument("--repo", default=".")
    arguments.add_argument("--run", action="append", type=run, default=[])
    given = arguments.parse_args()
    print(json.dumps(judge(fstore.Repo(given.repo), given.answers, given.run)))
