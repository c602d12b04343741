"""What a look-up costs over the bare call of gRPC that carries the same bytes.

    python benchmarks/online.py [--binary bin/fstore] [--rounds 2000]

Makes a repo of 1,000 keys and two services of 50 features each, of float64 and of mixed types, 1 in 20 null; serves it
with `fstore serve`, and measures in turn: the bare call (bytes in, bytes out), and the same look-up through Client. Prints
medians in microseconds and the difference.
"""

from __future__ import annotations

import argparse
import itertools
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
Kind = tuple[int, pa.DataType, Callable[[random.Random], Any]]
FLOATS: list[Kind] = [(50, pa.float64(), lambda r: r.random())]
MIXED: list[Kind] = [
    (20, pa.float64(), lambda r: r.random()),
    (15, pa.int64(), lambda r: r.randrange(10**9)),
    (5, pa.string(), lambda r: f"value {r.randrange(1000)}"),
    (5, pa.bool_(), lambda r: r.random() < 0.5),
    (5, pa.timestamp("us", "UTC"), lambda r: START + timedelta(seconds=r.randrange(10**7))),
]


def make_repo(binary: Path, folder: Path) -> None:
    folder.mkdir()
    for name, kinds in (("floats", FLOATS), ("mixed", MIXED)):
        pq.write_table(make_table(kinds), folder / f"{name}.parquet")
    run(
        binary,
        "init",
        str(folder),
        "--from",
        str(folder / "floats.parquet"),
        "--from",
        str(folder / "mixed.parquet"),
    )
    with open(folder / "definitions.yaml", "a") as file:
        for name in ("floats", "mixed"):
            file.write(f"---\nkind: feature_service\nname: {name}\nfeatures: [{name}_features.*]\n")
    run(binary, "apply", "--yes", repo=folder)
    run(binary, "materialize", "--to", "2025-12-01", repo=folder)


def make_table(kinds: list[Kind]) -> pa.Table:
    rng = random.Random(1)
    table = pa.table({"user_id": list(range(ROWS)), "updated_at": [START] * ROWS})
    for count, kind, value in kinds:
        for _ in range(count):
            values = [None if rng.random() < 0.05 else value(rng) for _ in range(ROWS)]
            table = table.append_column(f"f{table.num_columns - 1}", pa.array(values, kind))
    return table


def measure(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Returns the median of each way in microseconds; the ways take turns, in a new order each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    order, rng = list(ways.items()), random.Random(1)
    for i in range(rounds + rounds // 10):
        rng.shuffle(order)
        for name, way in order:
            start = time.perf_counter()
            result = way()
            took = time.perf_counter() - start
            del result
            if i >= rounds // 10:
                times[name].append(took)
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
                for service, rows in itertools.product(("floats", "mixed"), (1, 100)):
                    compare(client, bare, service, rows, arguments.rounds)


def compare(client: fstore.Client, bare: Callable[..., bytes], service: str, rows: int, rounds: int) -> None:
    """Prints what ways to look up some rows of a service take, and what they add to the bare call."""
    keys = list(range(rows))
    column = pb.Column(name="user_id", type="int64", int64_values=keys)
    request = pb.GetOnlineFeaturesRequest(service=service, entities=[column]).SerializeToString()

    def online() -> fstore.Answer:
        return client.online(service=service, entities={"user_id": keys})

    took = measure(
        rounds,
        {
            "bare": lambda: bare(request, timeout=5),
            "online": online,
            "to_dict": lambda: online().to_dict(),
            "to_arrow": lambda: online().to_arrow(),
        },
    )
    print(f"{service}, {rows} × 50: bare call {took['bare']:.0f} µs, {len(bare(request)):,} bytes")
    for name in ("online", "to_dict", "to_arrow"):
        print(f"  {name:10} {took[name]:7.0f} µs  +{took[name] - took['bare']:.0f} µs")


if __name__ == "__main__":
    main()
