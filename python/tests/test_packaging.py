"""What the distributions say of themselves, and what all files say of them."""

import re
import subprocess
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[1]

OTHERS = re.compile(
    r"\b(?:pipx?3?|uvx?|poetry|pdm|conda)(?:\s+(?:pip|tool|install|add|run|download))+\b[^\n`#;|&]*?(?<![\w./@-])fstore(?![\w./-])"
)
"""An installation of `fstore`: on PyPI that name belongs to another project, and ours is fstore-sdk."""


def test_the_licence_is_the_repositorys() -> None:
    assert (PYTHON / "LICENSE").read_bytes() == (PYTHON.parent / "LICENSE").read_bytes()


def test_no_file_installs_another_project() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PYTHON.parent, capture_output=True, text=True, check=True
    )
    wrong = []
    for name in filter(None, listed.stdout.split("\0")):
        path = PYTHON.parent / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if OTHERS.search(line):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


NAME = "fstore"


@pytest.mark.parametrize(
    "line",
    [
        f"pip install {NAME}",
        f"uv pip install -q '{NAME}[local]'",
        f"python -m pip install --upgrade {NAME}==1.0",
    ],
)
def test_it_would_be_found(line: str) -> None:
    assert OTHERS.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "pip install 'fstore-sdk[local]'",
        "pip install fstore-bin",
        "go install github.com/fstore-dev/fstore/cmd/fstore@latest",
        "pip install ./fstore_sdk-1.0-py3-none-any.whl",
    ],
)
def test_ours_is_not(line: str) -> None:
    assert not OTHERS.search(line)
