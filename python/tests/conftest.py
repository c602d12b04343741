"""A feature repo on sample data and a server of it, made by the real binary."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _environment() -> dict[str, str]:
    """Returns the environment without settings of fstore."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("FSTORE_", "SHOP_"))}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("FSTORE_") and n != "FSTORE_BINARY"]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # how wide tables are printed


@pytest.fixture(scope="session")
def binary() -> Path:
    """The fstore command that is tested: $FSTORE_BINARY, which make sets, or bin/fstore."""
    path = Path(os.environ.get("FSTORE_BINARY", ROOT / "bin" / "fstore"))
    if not path.exists():
        pytest.fail(f"{path} is missing: run make build")
    return path


@pytest.fixture(scope="session")
def sample(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample repo, applied and materialized to 2025-12-01; tests only read it."""
    folder = tmp_path_factory.mktemp("sample") / "shop"
    fstore(binary, "init", str(folder))
    fstore(binary, "apply", "--yes", repo=folder)
    fstore(binary, "materialize", "--to", "2025-12-01", repo=folder)
    return folder


@pytest.fixture
def repo(sample: Path, tmp_path: Path) -> Path:
    """A copy of the sample repo for one test."""
    return shutil.copytree(sample, tmp_path / "shop")


@pytest.fixture(scope="session")
def server(binary: Path, sample: Path) -> Iterator[str]:
    """The gRPC address of a server of the sample repo."""
    with serving(binary, sample) as address:
        yield address


def fstore(binary: Path, *args: str, repo: Path | None = None) -> str:
    """Runs a command and returns what it prints."""
    where = ["--repo", str(repo)] if repo else []
    done = subprocess.run(
        [binary, *where, *args], env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(binary: Path, repo: Path, *args: str, grpc: str = "127.0.0.1:0") -> Iterator[str]:
    """Serves a repo on free ports and gives the address of gRPC; stops the server at the end."""
    ports = ["--grpc", grpc, "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with (
        open(repo / ".serve.log", "w") as log,
        subprocess.Popen(
            [binary, "--repo", repo, "serve", *ports, *args],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:  # the addresses, as soon as they are open
                if line.startswith("grpc "):
                    address = line.split()[1]
                if line.startswith("metrics "):
                    break
            else:
                pytest.fail((repo / ".serve.log").read_text())
            yield address
        finally:
            process.terminate()
            process.wait()


@contextmanager
def started(command: list[str], says: str, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """Runs a program, in examples/serving, until its log says something, and gives that line; stops it at the end."""
    process = subprocess.Popen(
        command,
        cwd=ROOT / "examples/serving",
        env={**os.environ, **(variables or {})},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if says in line:
                    break
            else:
                pytest.fail("".join(said))
            threading.Thread(
                target=process.stdout.read, daemon=True
            ).start()  # so that it never waits for a reader
            yield line
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
