"""What reading a training set takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import fstore

PEAK = r"""
import re, sys
import fstore
ts = fstore.Repo(sys.argv[1], binary=sys.argv[2]).training_set(sys.argv[3])
rows = 0
for batch in ts.to_arrow().to_batches() if sys.argv[4] == "whole" else ts.reader():
    rows += batch.num_rows
assert rows == ts.rows
print(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_a_stream_takes_no_more_memory_for_more_rows(repo: Path, binary: Path) -> None:
    """A stream holds a batch, and what Parquet needs for a row group: nothing of what was read before."""
    shop = fstore.Repo(repo, binary=binary)

    def peak(rows: int, how: str) -> float:
        """The most memory that a process takes to read the rows, in MB."""
        run = [sys.executable, "-c", PEAK, str(repo), str(binary), f"of_{rows}", how]
        return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout) / 1024

    few, many = 1_000_000, 3_000_000
    for rows in (few, many):
        labels = table_of(rows)
        shop.training_set(
            f"of_{rows}", features="customer_orders.order_value", labels=labels, leak_check="off"
        )
    grown = (table_of(many).nbytes - table_of(few).nbytes) / 2**20
    stream = peak(many, "stream") - peak(few, "stream")
    whole = peak(many, "whole") - peak(few, "whole")
    assert whole > grown / 2, (stream, whole, grown)  # or nothing here could fail
    assert stream < grown / 5, (stream, whole, grown)


def table_of(rows: int) -> pa.Table:
    """Labels of 80 bytes a row."""
    i = np.arange(rows)
    columns = {f"x{j}": np.random.default_rng(j).random(rows) for j in range(8)}
    return pa.table(
        {
            "customer_id": 12_000 + i % 300,
            "event_timestamp": pa.array(1_750_000_000_000_000 + i, pa.timestamp("us", "UTC")),
            **columns,
        }
    )
