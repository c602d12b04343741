"""One client in many processes, threads and event loops."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import fstore

KEYS = {"customer_id": [12003]}

# A module as a pre-forking server (gunicorn, uvicorn --workers) loads it: clients are made first, then it forks.
PREFORK = """
import asyncio, os, sys
import fstore

client, aio = fstore.Client(sys.argv[1]), fstore.AsyncClient(sys.argv[1])
keys = {"customer_id": [12003]}

async def handle():
    return (await aio.online(service="churn", entities=keys))["order_lines"]

def work():
    assert client.online(service="churn", entities=keys)["order_lines"] == [3]
    assert asyncio.run(handle()) == [3]
    assert asyncio.run(handle()) == [3]  # another loop
    assert client.online(service="churn", entities=keys)["order_lines"] == [3]

pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    pids.append(pid)
work()  # so may the parent, after it has forked
sys.exit(any(os.waitpid(pid, 0)[1] for pid in pids))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_workers_that_are_forked_before_the_first_call(server: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREFORK, server], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_threads_share_a_client(server: str) -> None:
    with fstore.Client(server) as client, ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.online(service="churn", entities=KEYS)["order_lines"], range(64))
        )
    assert answers == [[3]] * 64


def test_two_event_loops_at_once(server: str) -> None:
    client = fstore.AsyncClient(server)
    together = threading.Barrier(2)
    got: list[list[list[int]]] = []

    async def ask() -> None:
        together.wait(30)
        answers = await asyncio.gather(*(client.online(service="churn", entities=KEYS) for _ in range(20)))
        got.append([answer["order_lines"] for answer in answers])
        await client.close()

    threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == [[[3]] * 20] * 2


def test_import_takes_nothing_heavy() -> None:
    code = "import sys, fstore; fstore.Client('localhost:1'); print(*{'pyarrow', 'numpy', 'pandas', 'polars'} & set(sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        == []
    )
