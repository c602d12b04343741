"""Checks every answer that load.py got against the engine: the score must be the one that the model version gives offline, to the last bit.

    python oracle.py --repo shop --run 2025-10-01T00:00:00Z,START,END answers.jsonl…

--run names a run of materialize: its instant, and when it began and ended (seconds since 1970). An answer that was in flight
meanwhile may have values of that instant already. It prints, as JSON, how many right scores each version gave, how many of all scores no
other version would have given, and up to ten answers that are wrong or failed.
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
from services import whole_lines

import fstore

Run = tuple[str, float, float]  # of materialize: instant, and when it began and ended


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

    def possible(self, line: dict[str, Any], model: str, runs: list[Run]) -> list[np.ndarray]:
        """Returns the scores that a version may have given to the customers of an answer, by what was published then."""
        in_flight = [at for at, start, end in runs if line["sent"] < end and start < line["answered"]]
        published = sorted(line["answer"]["published"].items())
        choices = [[(view, at) for at in dict.fromkeys([p, *in_flight])] for view, p in published]
        where = [self.row[c] for c in line["customer_id"]]
        return [self.scores(model, views)[where] for views in itertools.product(*choices)]

    def right(self, line: dict[str, Any], model: str, runs: list[Run]) -> np.ndarray:
        """Tells of each score in an answer whether a version may have given it."""
        got = np.asarray(line["answer"]["scores"])
        return np.logical_or.reduce([p == got for p in self.possible(line, model, runs)])


def judge(repo: fstore.Repo, files: list[Path], runs: list[Run]) -> dict[str, Any]:
    """Counts the right scores by version, those that no other version would have given, and what is wrong or failed."""
    lines = [json.loads(text) for file in files for text in whole_lines(file)]
    oracle = Oracle(repo, sorted({c for line in lines for c in line["customer_id"]}))
    answered = [line for line in lines if line["status"] == 200]
    right: Counter[str] = Counter()
    apart = 0
    bad = [line for line in lines if line["status"] != 200]
    for line in answered:
        model = line["answer"]["model"]
        if oracle.right(line, model, runs).all():
            right[model] += len(line["customer_id"])
        else:
            bad.append(line)
    for line in answered:
        others = [oracle.right(line, other, runs) for other in right if other != line["answer"]["model"]]
        apart += int((~np.logical_or.reduce(others)).sum()) if others else 0
    waited = [line["answered"] - line["sent"] for line in lines]
    return {
        "requests": len(lines),
        "right": right,
        "apart": apart,
        "bad": len(bad),
        "first": bad[:10],
        "p99": float(np.quantile(waited, 0.99)),
    }


def run(text: str) -> Run:
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
