"""Where the fstore command is that this distribution installed."""

from __future__ import annotations

import os
import sysconfig
from importlib.metadata import version as _version
from pathlib import Path

__all__ = ["__version__", "path"]
__version__ = _version("fstore-bin")


def path() -> str:
    """The path of the `fstore` command: in the scripts folder of this environment, of the user, or beside a `pip install --target`.

    Raises `FileNotFoundError`, which lists where it looked, if the command is in none of them.
    """
    name = "fstore.exe" if os.name == "nt" else "fstore"
    here = Path(__file__).resolve().parents[1]
    folders = dict.fromkeys(
        [
            sysconfig.get_path("scripts"),
            sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
            str(here / "bin"),  # pip install --target
            str(here.parents[2] / "bin"),  # pip install --prefix: lib/python3.x/site-packages
        ]
    )
    for folder in folders:
        command = os.path.join(folder, name)
        if os.path.isfile(command):
            return command
    raise FileNotFoundError(
        f"fstore-bin is installed, and its command {name} is in none of {', '.join(folders)}: reinstall fstore-bin"
    )
