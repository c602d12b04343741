"""The version of the package is the version of the clone it is built from, as PEP 440 writes it."""

import pytest
from packaging.version import Version

import fstore
from hatch_build import from_describe


@pytest.mark.parametrize(
    ("described", "version"),
    [
        ("v1.2.3-0-gabcdef12", "1.2.3"),
        ("v1.2.3-rc.1-0-gabcdef12", "1.2.3rc1"),
        ("v1.2.3-5-gabcdef12", "1.2.4.dev5+gabcdef12"),
        ("v1.2.3-0-gabcdef12-dirty", "1.2.4.dev0+gabcdef12.dirty"),
        ("v1.2.3-rc.1-5-gabcdef12", "1.2.3rc2.dev5+gabcdef12"),
    ],
)
def test_version_of_a_tag_and_of_what_follows(described: str, version: str) -> None:
    assert from_describe(described) == version
    assert str(Version(version)) == version


def test_later_commits_sort_after_the_tag() -> None:
    described = [
        "v1.2.2-0-ga",
        "v1.2.3-alpha.1-0-ga",
        "v1.2.3-rc.1-0-ga",
        "v1.2.3-rc.1-4-ga",
        "v1.2.3-rc.2-0-ga",
        "v1.2.3-0-ga",
        "v1.2.3-1-ga",
    ]
    versions = [Version(from_describe(d)) for d in described]
    assert versions == sorted(versions)


def test_other_tags_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"neither v1\.2\.3 nor"):
        from_describe("v1.2-0-gabc")


def test_the_package_knows_its_version() -> None:
    assert Version(fstore.__version__) >= Version("0.0.0.dev0")
