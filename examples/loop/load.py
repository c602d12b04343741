"""Asks for predictions at a steady rate until it is stopped, and writes a line of JSON for each answer.

python load.py http://127.0.0.1:8000 data/customers/uk.parquet answers.jsonl
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

THREADS = 4
PER_SECOND = 20  # requests, of all threads together
ROWS = 5  # customers in a request


class Load:
    """Threads that ask, each with a connection of its own."""

    def __init__(self, url: str, customers: np.ndarray, out: Path) -> None:
        self.url, self.customers = url, customers
        self.out = out.open("w", buffering=1)  # a line is written at once
        self.writing = threading.Lock()
        self.stop = threading.Event()

    def ask(self, seed: int) -> None:
        """Asks for some customers, waits until the next request is due, and so on.

        After a late answer it asks faster, to catch up by a second at most.
        """
        rng = np.random.default_rng([seed, len(self.customers)])
        due = time.monotonic()
        with httpx.Client(timeout=60) as http:
            while not self.stop.wait(max(0.0, due - time.monotonic())):
                due = max(due + THREADS / PER_SECOND, time.monotonic() - 1)
                line = self.answer(http, rng.choice(self.customers, ROWS, replace=False).tolist())
                with self.writing:
                    self.out.write(json.dumps(line) + "\n")

    def answer(self, http: httpx.Client, customers: list[int]) -> dict[str, object]:
        """Returns what was asked, when, and what came back. Everything but status 200 is a failure, and stays in the file."""
        line: dict[str, object] = {"customer_id": customers, "sent": time.time()}
        try:
            got = http.post(self.url, json={"customer_id": customers})
            line |= {"status": got.status_code, "answer": got.json() if got.status_code == 200 else got.text}
        except httpx.HTTPError as error:
            line |= {"status": 0, "answer": repr(error)}
        return {**line, "answered": time.time()}


def main() -> None:
    """Asks until SIGTERM or SIGINT. Requests in flight get their answers first."""
    url, customers, out = sys.argv[1:]
    load = Load(url, pd.read_parquet(customers)["customer_id"].to_numpy(), Path(out))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: load.stop.set())
    threads = [threading.Thread(target=load.ask, args=[n]) for n in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    load.out.close()


if __name__ == "__main__":
    main()
