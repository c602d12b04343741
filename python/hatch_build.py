"""What pyproject.toml cannot say: the version, which Git knows, and the extra `local`, which asks for fstore-bin of that same version."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Metadata(MetadataHookInterface):
    """Fills in `version` and `optional-dependencies`. A source distribution has both already, in its PKG-INFO."""

    def update(self, metadata: dict[str, Any]) -> None:
        if Path(self.root, "PKG-INFO").exists():
            return
        metadata["version"] = version()
        extras = self.config.get("extras")
        if extras is not None:
            metadata["optional-dependencies"] = {"local": [f"fstore-bin=={metadata['version']}"], **extras}


def version() -> str:
    """The version of this clone by PEP 440: `$FSTORE_VERSION`, or else what Git says."""
    given = os.environ.get("FSTORE_VERSION")
    if given:
        return given
    here = Path(__file__).parent
    command = [
        "git",
        "-C",
        str(here),
        "describe",
        "--tags",
        "--long",
        "--dirty",
        "--abbrev=8",
        "--match",
        "v[0-9]*",
    ]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    if described.returncode == 0:
        return from_describe(described.stdout.strip())
    counted = subprocess.run(
        ["git", "-C", str(here), "rev-list", "--count", "HEAD"], capture_output=True, text=True, check=False
    )
    if counted.returncode != 0:
        raise RuntimeError(
            f"the version of {here} is unknown: it is not a Git clone ({counted.stderr.strip()}); set FSTORE_VERSION"
        )
    commit = subprocess.check_output(
        ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=8"], text=True
    ).strip()
    return from_describe(f"v0.0.0-{counted.stdout.strip()}-g{commit}")


def from_describe(described: str) -> str:
    """The version for an answer of `git describe --long`.

    A tag's own commit has the tag's version. A later one has a development version of the next release, and names its commit.
    """
    found = re.fullmatch(
        r"v(\d+)\.(\d+)\.(\d+)(?:-(alpha|beta|rc)\.?(\d+))?-(\d+)-g([0-9a-f]+)(-dirty)?", described
    )
    if found is None:
        raise RuntimeError(f"the version {described} is neither v1.2.3 nor v1.2.3-rc.1")
    major, minor, patch, phase, number, distance, commit, dirty = found.groups()
    here = f"{major}.{minor}.{patch}"
    letter = {"alpha": "a", "beta": "b", "rc": "rc", None: ""}[phase]
    if distance == "0" and not dirty:
        return f"{here}{letter}{number or ''}"
    following = f"{here}{letter}{int(number) + 1}" if phase else f"{major}.{minor}.{int(patch) + 1}"
    return f"{following}.dev{distance}+g{commit}{'.dirty' if dirty else ''}"
