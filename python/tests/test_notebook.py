"""The quickstart notebook runs, and its committed output is what it gives. FSTORE_UPDATE=1 writes the output again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests import notebooks

SOURCE = Path(__file__).parents[1] / "src"


def test_the_quickstart_notebook(tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook: Any = nbformat.read(notebooks.QUICKSTART, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    notebooks.check(nbformat.writes(notebook))  # type: ignore[no-untyped-call]
