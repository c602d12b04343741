"""What `make wheel` built: it is what its name says, and pip installs it in every way that people use."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import notebooks
from tests.test_install import check_environment, run, with_local


@pytest.fixture(scope="session")
def wheels() -> Path:
    """The folder that `make wheel` has filled."""
    return Path(os.environ["FSTORE_WHEELS"])


@pytest.fixture(scope="session")
def command(wheels: Path) -> Path:
    """The wheel of fstore-bin."""
    (wheel,) = wheels.glob("fstore_bin-*.whl")
    return wheel


def test_pip_installs_both_and_they_do_the_quickstart(wheels: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run([sys.executable, "-m", "venv", str(venv)])
    run([str(venv / "bin" / "pip"), "install", "-q", "--find-links", str(wheels), with_local(wheels)])
    check_environment(venv, tmp_path)


def test_the_quickstart_notebook_runs_on_a_fresh_machine(wheels: Path, tmp_path: Path) -> None:
    """Nothing of this source tree is seen; what the notebook shows is what is committed. FSTORE_UPDATE=1 writes it again."""
    venv, copy = tmp_path / "venv", tmp_path / "work" / notebooks.QUICKSTART.name
    run([sys.executable, "-m", "venv", str(venv)])
    install = [str(venv / "bin" / "pip"), "install", "-q", "--find-links", str(wheels)]
    run([*install, with_local(wheels), "pandas", "ipykernel", "nbclient", "tqdm"])
    copy.parent.mkdir()
    shutil.copy(notebooks.QUICKSTART, copy)
    variables = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": ""}
    run([str(venv / "bin" / "jupyter-execute"), "--inplace", str(copy)], cwd=copy.parent, env=variables)
    notebooks.check(copy.read_text("utf-8"))


@pytest.mark.parametrize("way", ["user", "target", "prefix"])
def test_the_command_is_found_wherever_pip_puts_it(way: str, command: Path, tmp_path: Path) -> None:
    python = str(Path(sys.base_prefix, "bin", "python3"))
    options = {
        "user": ["--user"],
        "target": ["--target", str(tmp_path)],
        "prefix": ["--prefix", str(tmp_path)],
    }[way]
    variables = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PIP_FIND_LINKS")}
    if way == "user":
        variables["PYTHONUSERBASE"] = str(tmp_path)
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--break-system-packages"]
    subprocess.run([*install, *options, str(command)], env=variables, check=True)
    if way != "user":
        variables["PYTHONPATH"] = str(next(tmp_path.rglob("fstore_bin")).parent)
    done = subprocess.run(
        [python, "-m", "fstore_bin", "version"], env=variables, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("fstore ")
    where = subprocess.run(
        [python, "-c", "import fstore_bin; print(fstore_bin.path())"],
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.strip() == str(tmp_path / "bin" / "fstore")


def test_the_wheel_has_the_licences(command: Path) -> None:
    with zipfile.ZipFile(command) as wheel:
        (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/build/LICENSE")]
        (others,) = [name for name in wheel.namelist() if name.endswith("THIRD_PARTY_LICENSES")]
        root = Path(__file__).parents[3]
        assert (
            hashlib.sha256(wheel.read(licence)).digest()
            == hashlib.sha256((root / "LICENSE").read_bytes()).digest()
        )
        text = wheel.read(others).decode()
    linked = [
        "github.com/duckdb/duckdb-go-bindings",
        "2020 Unicode, Inc.",  # of ICU, which is within DuckDB
        *(["libstdc++", "libunwind"] if sys.platform == "linux" else []),
    ]
    assert [name for name in linked if name not in text] == []


@pytest.mark.skipif(sys.platform != "linux", reason="auditwheel reads wheels for Linux")
def test_the_command_runs_on_every_system_that_the_wheel_is_for(command: Path) -> None:
    done = subprocess.run(["auditwheel", "show", str(command)], check=True, capture_output=True, text=True)
    said = " ".join(done.stdout.split())
    promised = f"manylinux_2_26_{platform.machine()}"
    assert command.name.endswith(f"-py3-none-{promised}.whl")
    assert f'"{promised}"' in said, said
