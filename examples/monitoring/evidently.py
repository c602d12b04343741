"""Evidently reads what fstore has: the training set of a model as reference, and the served log as current rows.

python examples/monitoring/evidently.py churn_2025.lock.json served/models/churn@7 --days 7 --html report.html

Both are Parquet files with columns named like the features, so nothing is converted. It prints a line for each feature.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
# This file has the library's name, so the import must not look here.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != HERE]
os.environ.setdefault("DO_NOT_TRACK", "1")  # or Evidently reports its use

from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402

NUMBERS = {"int32", "int64", "float32", "float64"}
CATEGORIES = {"string", "bool"}


def types_of(lock: dict) -> dict[str, str]:
    """The features that Evidently compares, with their types: instants and lists are left out."""
    types = {f["name"]: f["type"] for f in lock["features"]}
    return {name: t for name, t in types.items() if t in NUMBERS | CATEGORIES}


def reference_of(lock_file: Path, lock: dict, columns: list[str]) -> pd.DataFrame:
    """The training set, which must be the file of its lock."""
    beside = lock_file.with_name(lock_file.name.removesuffix(".lock.json") + ".parquet")
    file = beside if beside.exists() else Path(lock["output"]["path"])
    if hashlib.sha256(file.read_bytes()).hexdigest() != lock["output"]["sha256"]:
        sys.exit(f"{file} is not the training set of {lock_file}: it has changed")
    return pd.read_parquet(file, columns=columns)


def served_in(folder: Path, columns: list[str], days: float | None) -> pd.DataFrame:
    """The answers in the sealed files of a list of features: all, or those of the last days before the last."""
    files = sorted(folder.glob("*.parquet"))  # beside them are the streams of servers that run
    if not files:
        sys.exit(f"{folder} has no sealed file yet: a server seals its rows each hour, and when it ends")
    rows = pd.concat([pd.read_parquet(f, columns=["_at", *columns]) for f in files], ignore_index=True)
    if days is not None:
        rows = rows[rows["_at"] > rows["_at"].max() - pd.Timedelta(days=days)]
    return rows.drop(columns="_at")


def dataset(rows: pd.DataFrame, types: dict[str, str]) -> Dataset:
    """Rows as Evidently takes them."""
    definition = DataDefinition(
        numerical_columns=[name for name, t in types.items() if t in NUMBERS],
        categorical_columns=[name for name, t in types.items() if t in CATEGORIES],
    )
    return Dataset.from_pandas(rows, data_definition=definition)


def main() -> None:
    """Compares what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lock", type=Path, help="lock of the training set")
    parser.add_argument("served", type=Path, help="folder of a model or a service in the served log")
    parser.add_argument("--days", type=float, help="only answers of this many days up to the last")
    parser.add_argument("--html", type=Path, help="write Evidently's report to this file")
    args = parser.parse_args()
    lock = json.loads(args.lock.read_text())
    types = types_of(lock)
    reference = reference_of(args.lock, lock, list(types))
    current = served_in(args.served, list(types), args.days)
    print(f"{len(current)} answers against {len(reference)} rows of {lock['name']}")
    result = Report([DataDriftPreset()]).run(dataset(current, types), dataset(reference, types))
    for metric in result.dict()["metrics"]:
        config = metric["config"]
        if "column" in config:
            over = metric["value"] >= config["threshold"]
            if "p_value" in config["method"]:
                over = metric["value"] <= config["threshold"]
            verdict = "drifted" if over else "stable"
            print(f"{config['column']}: {verdict} ({config['method']} {metric['value']:.3f})")
    if args.html:
        result.save_html(str(args.html))


if __name__ == "__main__":
    main()
