"""Performance: the figures of scikit-learn, on the same rows."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

CLOSE = 1e-12


def performance(binary: Path, folder: Path, frame: pd.DataFrame, *args: str) -> dict[str, Any]:
    """What fstore outcomes performance prints of rows."""
    path = folder / "scored.parquet"
    frame.to_parquet(path)
    command = [
        str(binary),
        "outcomes",
        "performance",
        str(path),
        "--label",
        "y",
        "--prediction",
        "p",
        "--output",
        "json",
    ]
    out = subprocess.run([*command, *args], check=True, capture_output=True, text=True, cwd=folder)
    answer: dict[str, Any] = json.loads(out.stdout)
    return answer


def close(got: float, want: float) -> bool:
    return math.isclose(got, want, rel_tol=CLOSE, abs_tol=CLOSE)


def scored(case: str, rows: int) -> pd.DataFrame:
    """Labels and scores: all different, with many ties, on the edges of bins, or with zeros and ones."""
    rng = np.random.default_rng([7, *case.encode()])
    p = rng.random(rows)
    if case == "ties":
        p = np.round(p, 1)
    elif case == "edges":
        p = rng.choice(np.linspace(0, 1, 11), rows)
    elif case == "certain":
        p = np.where(rng.random(rows) < 0.4, np.round(p), p)
    y = (rng.random(rows) < 0.1 + 0.7 * p).astype(int)
    at = pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(rng.integers(0, 21 * 86400, rows), unit="s")
    return pd.DataFrame({"event_timestamp": at, "y": y, "p": p})


def expected(y: np.ndarray[Any, Any], p: np.ndarray[Any, Any], threshold: float) -> dict[str, float]:
    said = p >= threshold
    # The bins of calibration_curve, with the rows of each.
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], p)
    ece = sum(abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    return {
        "positives": float(y.mean()),
        "accuracy": metrics.accuracy_score(y, said),
        "precision": metrics.precision_score(y, said),
        "recall": metrics.recall_score(y, said),
        "auc": metrics.roc_auc_score(y, p),
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier_score_loss(y, p),
        "ece": float(ece),
    }


@pytest.mark.parametrize("case", ["different", "ties", "edges", "certain"])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_binary_metrics_are_those_of_scikit_learn(
    binary: Path, tmp_path: Path, case: str, threshold: float
) -> None:
    frame = scored(case, 5000)
    got = performance(binary, tmp_path, frame, "--threshold", str(threshold), "--by", "week")
    y, p = frame["y"].to_numpy(), frame["p"].to_numpy()
    want = expected(y, p, threshold)
    assert got["task"] == "binary"
    assert got["current"]["rows"] == 5000
    assert set(got["current"]["metrics"]) == set(want)
    for name, value in want.items():
        assert close(got["current"]["metrics"][name], value), name
    positives, scores = calibration_curve(y, p, n_bins=10, strategy="uniform")
    bins = [b for b in got["current"]["calibration"] if b["rows"] > 0]
    assert len(bins) == len(scores)
    for b, positive, score in zip(bins, positives, scores, strict=True):
        assert close(b["positives"], positive)
        assert close(b["predicted"], score)
    assert len(got["windows"]) == 3
    for w in got["windows"]:
        inside = frame[(frame.event_timestamp >= w["from"]) & (frame.event_timestamp < w["to"])]
        for name, value in expected(inside["y"].to_numpy(), inside["p"].to_numpy(), threshold).items():
            assert close(w["metrics"][name], value), (w["from"], name)


def test_metrics_of_amounts_are_those_of_scikit_learn(binary: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    y = rng.lognormal(3, 2, 3000)
    frame = pd.DataFrame({"y": y, "p": y * 1.1 + rng.normal(0, 5, 3000)})
    frame.loc[:9, "y"] = None  # without labels
    got = performance(binary, tmp_path, frame)
    known = frame.dropna()
    assert got["task"] == "regression"
    assert got["current"]["left_out"] == 10
    m = got["current"]["metrics"]
    assert close(m["mae"], metrics.mean_absolute_error(known.y, known.p))
    assert close(m["rmse"], metrics.root_mean_squared_error(known.y, known.p))
    assert close(m["bias"], float((known.p - known.y).mean()))


def test_the_difference_from_a_reference(binary: Path, tmp_path: Path) -> None:
    frame, reference = scored("different", 1000), scored("ties", 1000)
    reference.to_csv(tmp_path / "reference.csv", index=False)
    got = performance(binary, tmp_path, frame, "--reference", "reference.csv")
    now = expected(frame["y"].to_numpy(), frame["p"].to_numpy(), 0.5)
    was = expected(reference["y"].to_numpy(), reference["p"].to_numpy(), 0.5)
    for name in now:
        assert close(got["difference"][name], now[name] - was[name]), name


def test_truths_are_labels(binary: Path, tmp_path: Path) -> None:
    frame = scored("different", 500)
    numbers = performance(binary, tmp_path, frame)
    truths = performance(binary, tmp_path, frame.assign(y=frame.y == 1))
    assert truths["current"]["metrics"] == numbers["current"]["metrics"]
