"""The committed notebooks, and what their cells show."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

QUICKSTART = Path(__file__).parents[2] / "examples/notebooks/quickstart.ipynb"
UPDATE = "FSTORE_UPDATE" in os.environ

# Cells whose output has instants or paths of the run.
CHANGING = ("ts\n", "repo.materialize", "repo.apply", "repo.alias")


def check(executed: str) -> None:
    """Compares the JSON of the quickstart after a run with the committed one, or puts it in its place."""
    now, was = json.loads(executed), json.loads(QUICKSTART.read_text("utf-8"))
    for cell, before in zip(now["cells"], was["cells"], strict=True):
        source = "".join(cell["source"])
        assert source == "".join(before["source"])
        cell["metadata"] = {}
        if cell["cell_type"] != "code":
            continue
        shown = outputs(cell)
        assert shown, source
        if not UPDATE and not any(word in source + "\n" for word in CHANGING):
            assert shown == outputs(before), source
    if UPDATE:
        now["metadata"] = was["metadata"]
        QUICKSTART.write_text(json.dumps(now, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


def outputs(cell: dict[str, Any]) -> list[str]:
    """Returns what a cell shows, as text."""
    texts = []
    for out in cell.get("outputs", ()):
        assert out["output_type"] != "error", out
        texts.append("".join(out.get("text") or out.get("data", {}).get("text/plain", "")))
    return texts
