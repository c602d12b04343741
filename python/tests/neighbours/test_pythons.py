"""The package works with the oldest Python and the oldest libraries that it says it works with, and with the newest."""

import subprocess
from pathlib import Path

import pytest
import pythons

PYTHON = Path(__file__).parents[2]


CASES = [("3.10", "lowest-direct"), ("3.10", "highest"), ("3.12", "highest"), ("3.13", "highest")]


@pytest.mark.parametrize(("version", "resolution"), CASES)
def test_the_package_works_with(version: str, resolution: str, tmp_path: Path) -> None:
    subprocess.run(["uv", "venv", "-q", "--python", pythons.find(version), str(tmp_path)], check=True)
    interpreter = str(tmp_path / "bin" / "python")
    subprocess.run(
        ["uv", "pip", "install", "-q", "--python", interpreter, "--resolution", resolution, str(PYTHON)],
        check=True,
    )
    subprocess.run(
        [interpreter, "-c", "import fstore, grpc, google.protobuf, pyarrow"], check=True, cwd=tmp_path
    )
