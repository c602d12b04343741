"""What a look-up costs over the bare call of gRPC that carries the same bytes.

    python benchmarks/online.py [--binary bin/fstore] [--rounds 2000]

Makes a repo of 1,000 keys × 50 features (float64, int64, string, bool and timestamp, 1 in 20 null), serves it with
`fstore serve`, and measures in turn: the bare call (bytes in, bytes out), and the same look-up through Client. Prints
medians in microseconds and the difference.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq

import fstore
from fstore._lookup import GET
from fstore._transport import Transport
from fstore.v1 import feature_store_pb2 as pb

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.conftest import fstore as run
from tests.conftest import serving

ROWS = 1000
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
KINDS: list[tuple[int, pa.DataType, Callable[[random.Random], Any]]] = [
    (20, pa.float64(), lambda r: r.random()),
    (15, pa.int64(), lambda r: r.randrange(10**9)),
    (5, pa.string(), lambda r: f"value {r.randrange(1000)}"),
    (5, pa.bool_(), lambda r: r.random() < 0.5),
    (5, pa.timestamp("us", "UTC"), lambda r: START + timedelta(seconds=r.randrange(10**7))),
]


def make_repo(binary: Path, folder: Path) -> None:
    rng = random.Random(1)
    table = pa.table({"user_id": list(range(ROWS)), "updated_at": [START] * ROWS})
    for count, kind, value in KINDS:
        for _ in range(count):
            values = [None if rng.random() < 0.05 else value(rng) for _ in range(ROWS)]
            table = table.append_column(f"f{table.num_columns - 1}", pa.array(values, kind))
    folder.mkdir()
    pq.write_table(table, folder / "users.parquet")
    run(binary, "init", str(folder), "--from", str(folder / "users.parquet"))
    with open(folder / "definitions.yaml", "a") as file:
        file.write("---\nkind: feature_service\nname: wide\nfeatures: [users_features.*]\n")
    run(binary, "apply", "--yes", repo=folder)
    run(binary, "materialize", "--to", "2025-12-01", repo=folder)


def measure(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Returns the median of each way in microseconds; the ways take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + rounds // 10):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if i >= rounds // 10:
                times[name].append(time.perf_counter() - start)
    return {name: 1e6 * median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binary", type=Path, default=Path(__file__).parents[2] / "bin" / "fstore")
    parser.add_argument("--rounds", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        repo = Path(tmp) / "repo"
        try:
            make_repo(arguments.binary, repo)
        except subprocess.CalledProcessError as error:
            sys.exit(error.stderr)
        with serving(arguments.binary, repo) as address, fstore.Client(address) as client:
            transport = Transport(address, None, None, False, False)
            with grpc.insecure_channel(address, transport.options()) as channel:
                bare = channel.unary_unary(GET)
                for rows in (1, 100):
                    keys = list(range(rows))
                    column = pb.Column(name="user_id", type="int64", int64_values=keys)
                    request = pb.GetOnlineFeaturesRequest(
                        service="wide", entities=[column]
                    ).SerializeToString()
                    ways: dict[str, Callable[[], object]] = {
                        "bare": lambda request=request: bare(request, timeout=5),
                        "online": lambda keys=keys: client.online(service="wide", entities={"user_id": keys}),
                        "to_dict": lambda keys=keys: client.online(
                            service="wide", entities={"user_id": keys}
                        ).to_dict(),
                        "to_arrow": lambda keys=keys: client.online(
                            service="wide", entities={"user_id": keys}
                        ).to_arrow(),
                    }
                    took = measure(arguments.rounds, ways)
                    print(f"{rows} × 50: bare call {took['bare']:.0f} µs, {len(bare(request)):,} bytes")
                    for name in list(ways)[1:]:
                        print(f"  {name:10} {took[name]:7.0f} µs  +{took[name] - took['bare']:.0f} µs")


if __name__ == "__main__":
    main()
