"""The quickstart notebook runs, and its committed output is what it gives. FSTORE_UPDATE=1 writes the output again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples/notebooks/quickstart.ipynb"
SOURCE = Path(__file__).parents[1] / "src"
UPDATE = "FSTORE_UPDATE" in os.environ

# Cells whose output has instants or paths of the run.
CHANGING = ("ts\n", "repo.materialize", "repo.apply", "repo.alias")


def outputs(cell: Any) -> list[str]:
    """Returns what a cell shows as text."""
    texts = []
    for out in cell.get("outputs", ()):
        assert out.output_type != "error", out
        text = out.get("text") or out.get("data", {}).get("text/plain", "")
        texts.append(text)
    return texts


def test_the_quickstart_notebook(tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    before = [outputs(cell) for cell in notebook.cells]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell, was in zip(notebook.cells, before, strict=True):
        now = outputs(cell)
        cell.metadata.clear()
        if cell.cell_type == "code" and not UPDATE:
            assert now, cell.source
            if not any(word in cell.source + "\n" for word in CHANGING):
                assert now == was, cell.source
    if UPDATE:
        nbformat.write(notebook, NOTEBOOK)  # type: ignore[no-untyped-call]
