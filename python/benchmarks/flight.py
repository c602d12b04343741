"""Measures reading a training set from a server, and what making one costs the look-ups.

    python benchmarks/flight.py read FOLDER               # rows to a pyarrow.Table: local file, bytes, batches
    python benchmarks/flight.py lookups FOLDER            # p99 of look-ups, without and with a training set that runs

FOLDER gets a repo with a training set of --rows rows x 20 columns (10,000,000; 1.5 GB), unless FOLDER is there. Each command
measures --runs times (3), and then prints the median of the ratios.

`read` prints seconds of each way, in one run, and its rate beside that of pyarrow reading the file. `lookups` puts the
server and the caller on one core and the command that makes training sets on another, on Linux.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.parquet as pq

import fstore

sys.path.insert(0, str(Path(__file__).parents[1]))
import contextlib

from tests.conftest import fstore as run
from tests.conftest import serving

KEYS, FEATURES, NAME, ROWS = 100_000, 17, "wide", 10_000_000
START = int(datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp()) * 1_000_000
DAY = 86_400_000_000


def make(binary: Path, folder: Path, rows: int) -> None:
    """Makes the folder. It gets its name when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        whole = Path(temporary) / folder.name
        _fill(binary, whole, rows)
        whole.rename(folder)


def _fill(binary: Path, folder: Path, rows: int) -> None:
    folder.mkdir()
    random = np.random.default_rng(1)
    utc = pa.timestamp("us", "UTC")
    columns = {
        "user_id": pa.array(np.arange(KEYS)),
        "updated_at": pa.array(np.full(KEYS, START), utc),
        **{f"f{i}": pa.array(random.random(KEYS)) for i in range(FEATURES)},
    }
    pq.write_table(pa.table(columns), folder / "wide.parquet")
    run(binary, "init", str(folder / "repo"), "--from", str(folder / "wide.parquet"))
    run(binary, "apply", "--yes", repo=folder / "repo")
    labels = {
        "user_id": pa.array(random.integers(0, KEYS, rows)),
        "event_timestamp": pa.array(START + DAY + random.integers(0, DAY, rows), utc),
        "target": pa.array(random.random(rows) < 0.5),
    }
    pq.write_table(pa.table(labels), folder / "labels.parquet")
    (folder / "repo/training_sets").mkdir(exist_ok=True)
    create = [
        "training-set",
        "create",
        NAME,
        "--features",
        "wide_features.*",
        "--labels",
        str(folder / "labels.parquet"),
    ]
    run(binary, *create, "--out", str(folder / f"repo/training_sets/{NAME}.parquet"), repo=folder / "repo")


def read(binary: Path, folder: Path) -> dict[str, float]:
    """Returns the rate of each way as a share of that of reading the file."""
    repo = folder / "repo"
    file = repo / f"training_sets/{NAME}.parquet"
    with serving(binary, repo, "--offline") as address, fstore.Client(address, timeout=60) as client:
        first = _seconds(lambda: client.training_set(NAME).to_arrow())  # the server reads the digest once
        flight = fl.connect(f"grpc://{address}")

        def batches() -> pa.Table:
            info = flight.get_flight_info(fl.FlightDescriptor.for_path("training_sets", NAME))
            return flight.do_get(info.endpoints[0].ticket).read_all()

        local = _seconds(lambda: pq.ParquetFile(file).read())
        ways = {
            "fstore.Client, first time": first,
            "fstore.Client, as bytes": _seconds(lambda: client.training_set(NAME).to_arrow()),
            "pyarrow.flight, batches": _seconds(batches),
        }
        again = _seconds(lambda: pq.ParquetFile(file).read())
    local = (local + again) / 2
    print(f"{file.stat().st_size / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")
    print(f"{'pyarrow reads the file':28} {local:6.2f} s")
    for name, took in ways.items():
        print(f"{name:28} {took:6.2f} s   {local / took:.2f} x the rate of the file")
    return {name: local / took for name, took in ways.items()}


def _seconds(what: Callable[[], pa.Table]) -> float:
    begun = time.perf_counter()
    table = what()
    took = time.perf_counter() - begun
    assert table.num_columns == FEATURES + 3, table.schema
    return took


def lookups(binary: Path, folder: Path, seconds: float) -> dict[str, float]:
    """Asks one look-up after another, without and with a training set that is being made."""
    repo = folder / "repo"
    run(binary, "materialize", "--to", "2025-01-02", repo=repo)
    os.sched_setaffinity(0, {0})  # the server inherits it
    print(f"load {os.getloadavg()[0]:.1f}")
    with serving(binary, repo, "--offline") as address, fstore.Client(address) as client:
        ask = {"features": "wide_features.*", "entities": {"user_id": list(range(10))}}
        _times(client, ask, 1)
        without = _times(client, ask, seconds)
        done = threading.Event()
        begun = threading.Event()
        maker = threading.Thread(target=_make, args=(address, folder, begun, done))
        maker.start()
        begun.wait()
        during = _times(client, ask, seconds, done)
        still = not done.is_set()
        maker.join()
        after = _times(client, ask, seconds)
    for name, times in (("without", without), ("with a training set", during), ("without, again", after)):
        cuts = quantiles(times, n=1000)
        print(
            f"{name:22} {len(times):6d} look-ups   p50 {cuts[499] * 1e3:.2f} ms   p99 {cuts[989] * 1e3:.2f} ms"
        )
    print("the training set was made all the while" if still else "the training set was done before the end")
    base = (quantiles(without, n=100)[98] + quantiles(after, n=100)[98]) / 2
    return {"p99 with / without": quantiles(during, n=100)[98] / base}


def _times(
    client: fstore.Client, ask: dict, seconds: float, until: threading.Event | None = None
) -> list[float]:
    times = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end and not (until and until.is_set()):
        client.online(**ask)
        times.append(time.perf_counter() - now)
        time.sleep(0.0005)
    return times


def _make(address: str, folder: Path, begun: threading.Event, done: threading.Event) -> None:
    """Makes a training set through a process of its own, and moves the command to another core."""
    name = "again_" + hashlib.sha256(os.urandom(8)).hexdigest()[:8]
    code = (
        "import fstore, pathlib, sys\n"
        "with fstore.Client(sys.argv[1], timeout=60) as c:\n"
        "    c.training_set(sys.argv[2], features='wide_features.*', labels=pathlib.Path(sys.argv[3]))\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code, address, name, str(folder / "labels.parquet")])
    os.sched_setaffinity(caller.pid, {1})
    while caller.poll() is None:
        for pid in _creating():
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread), {1})
            begun.set()
        time.sleep(0.05)
    begun.set()
    done.set()


def _creating() -> list[int]:
    found = subprocess.run(
        ["pgrep", "-f", "progress=json training-set create again_"], capture_output=True, text=True
    )
    return [int(pid) for pid in found.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["read", "lookups"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", type=Path, default=Path(__file__).parents[2] / "bin" / "fstore")
    parser.add_argument("--rows", type=int, help=f"rows of a new FOLDER ({ROWS:,})")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    binary = args.binary.resolve()
    if not args.folder.exists():
        make(binary, args.folder, args.rows or ROWS)
    elif args.rows is not None:
        parser.error(f"{args.folder} has its rows already: leave out --rows, or name another folder")
    ratios: dict[str, list[float]] = {}
    for _ in range(args.runs):
        found = (
            read(binary, args.folder) if args.what == "read" else lookups(binary, args.folder, args.seconds)
        )
        for name, ratio in found.items():
            ratios.setdefault(name, []).append(ratio)
    for name, each in ratios.items():
        print(f"{name:28} median of {len(each)}: {median(each):.2f}  ({', '.join(f'{r:.2f}' for r in each)})")


if __name__ == "__main__":
    main()
