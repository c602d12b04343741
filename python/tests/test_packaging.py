"""What the distributions say of themselves."""

from pathlib import Path

PYTHON = Path(__file__).parents[1]


def test_the_licence_is_the_repositorys() -> None:
    assert (PYTHON / "LICENSE").read_bytes() == (PYTHON.parent / "LICENSE").read_bytes()
