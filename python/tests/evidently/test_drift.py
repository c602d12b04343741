"""Scores of fstore drift are those of scipy, within what bins can tell, and its verdicts are those of Evidently, or say why not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drift_pairs import DRIFTED, NOTHING, PAIRS, STABLE, Pair
from scipy import stats
from scipy.spatial import distance

from tests.conftest import ROOT, fstore

os.environ["DO_NOT_TRACK"] = "1"  # Evidently would send what it is used for
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

SETTINGS = "project: drift\nregistry: sqlite://registry.db\nonline: sqlite://online.db\nstate: state\n"


def types(column: pd.Series) -> str:
    return {"f": "float64", "i": "int64", "b": "bool"}.get(column.dtype.kind, "string")


def definitions(rows: pd.DataFrame) -> str:
    """A view of all columns, over a static table."""
    features = "\n".join(f"  - {{name: {c}, type: {types(rows[c])}}}" for c in rows.columns if c != "id")
    return f"""
kind: entity
name: row
join_keys: [{{name: id, type: int64}}]
---
kind: source
name: rows
path: rows.parquet
---
kind: feature_view
name: pairs
entities: [row]
source: rows
features:
{features}
---
kind: feature_service
name: all
features: [pairs.*]
"""


class Compared:
    """Pairs of equally many rows: their values, and what fstore and Evidently say of them."""

    def __init__(self, folder: Path, binary: Path, pairs: list[Pair]) -> None:
        n = pairs[0].rows
        samples = {p.name: p.sample() for p in pairs}
        self.reference = pd.DataFrame({name: reference for name, (reference, _) in samples.items()})
        self.current = pd.DataFrame({name: current for name, (_, current) in samples.items()})
        folder.mkdir()
        rows = self.reference.assign(id=np.arange(n))
        rows.to_parquet(folder / "rows.parquet")
        (folder / "fstore.yaml").write_text(SETTINGS)
        (folder / "pairs.yaml").write_text(definitions(rows))
        labels = pd.DataFrame({"id": np.arange(n), "event_timestamp": pd.Timestamp("2025-11-01", tz="UTC")})
        labels.to_parquet(folder / "labels.parquet")
        self.current.to_parquet(folder / "current.parquet")
        fstore(binary, "apply", "--yes", repo=folder)
        create = [
            "--service",
            "all",
            "--labels",
            str(folder / "labels.parquet"),
            "--out",
            str(folder / "set.parquet"),
        ]
        fstore(binary, "training-set", "create", "pairs", *create, repo=folder)
        drift = [
            "drift",
            "--reference",
            "pairs",
            "--current",
            str(folder / "current.parquet"),
            "--output",
            "json",
        ]
        said = fstore(binary, *drift, repo=folder)
        self.of_rows: dict[str, dict[str, Any]] = {f["name"]: f for f in json.loads(said)["features"]}
        (folder / "set.parquet").rename(folder / "gone.parquet")
        said = fstore(binary, *drift, repo=folder)
        self.features: dict[str, dict[str, Any]] = {f["name"]: f for f in json.loads(said)["features"]}

    def score(self, pair: str, name: str) -> tuple[float, float]:
        """The bounds of a score that the bins of the lock give; they are equal where it is exact."""
        check = next(c for c in self.features[pair]["checks"] if c["name"] == name)
        return check["value"], check.get("at_most", check["value"])

    def ks(self, pair: str) -> dict[str, Any]:
        """The Kolmogorov-Smirnov statistic of the rows."""
        return next(c for c in self.of_rows[pair]["checks"] if c["name"] == "ks")

    def values(self, pair: str) -> tuple[Any, Any]:
        """The values of both sides without nulls."""
        return self.reference[pair].dropna().to_numpy(), self.current[pair].dropna().to_numpy()

    def evidently(self, pair: Pair, **how: Any) -> tuple[float, str]:
        """The score and the verdict of Evidently."""
        kind = {"categorical_columns" if pair.categorical else "numerical_columns": [pair.name]}
        sides = [
            Dataset.from_pandas(rows[[pair.name]], data_definition=DataDefinition(**kind))
            for rows in (self.current, self.reference)
        ]
        metric = Report([ValueDrift(column=pair.name, **how)]).run(*sides).dict()["metrics"][0]
        score, config = float(metric["value"]), metric["config"]
        over = score <= config["threshold"] if "p_value" in config["method"] else score >= config["threshold"]
        return score, DRIFTED if over else STABLE


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory, binary: Path) -> dict[str, Compared]:
    """The comparison that has each pair."""
    folder = tmp_path_factory.mktemp("drift")
    out: dict[str, Compared] = {}
    for rows, pairs in groupby(PAIRS, key=lambda p: p.rows):
        group = list(pairs)
        both = Compared(folder / str(rows), binary, group)
        out |= {p.name: both for p in group}
    return out


def each(chosen: Callable[[Pair], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", [p for p in PAIRS if chosen(p)], ids=lambda p: p.name)


def judged(pair: Pair) -> bool:
    """Whether the pair has distances: enough values on both sides."""
    return pair.rows >= 200 and pair.evidently != NOTHING


def cells(feature: dict[str, Any], side: str) -> list[int]:
    """The counts over which fstore compares."""
    figures, bins = feature[side], [b[side] for b in feature["bins"]]
    return [figures["below"], *bins, figures["above"] + figures["other"]]


def counted(feature: dict[str, Any], values: Any) -> list[int]:
    """The same counts, by numpy."""
    if feature["kind"] == "categories":
        texts = pd.Series(values).map(lambda v: str(v).lower() if isinstance(v, bool | np.bool_) else str(v))
        known = [b["category"] for b in feature["bins"]]
        return [0, *(int((texts == k).sum()) for k in known), int((~texts.isin(known)).sum())]
    edges = [feature["bins"][0]["from"], *(b["up_to"] for b in feature["bins"])]
    within = values[(values >= edges[0]) & (values <= edges[-1])]
    bins = np.bincount(
        np.maximum(np.searchsorted(edges, within, side="left") - 1, 0), minlength=len(edges) - 1
    )
    return [int((values < edges[0]).sum()), *map(int, bins), int((values > edges[-1]).sum())]


@each(lambda p: True)
def test_the_verdicts_are_those_of_the_table(compared: dict[str, Compared], pair: Pair) -> None:
    feature = compared[pair.name].features[pair.name]
    assert feature["verdict"] == pair.fstore, feature["reason"]
    if pair.evidently == NOTHING:
        with pytest.raises(ValueError, match="empty column"):
            compared[pair.name].evidently(pair)
    else:
        assert compared[pair.name].evidently(pair)[1] == pair.evidently
    assert (pair.fstore == pair.evidently) == (not pair.why), (
        "the table explains each disagreement, and nothing else"
    )


@each(lambda p: True)
def test_the_counts_are_those_of_numpy(compared: dict[str, Compared], pair: Pair) -> None:
    feature = compared[pair.name].features[pair.name]
    for side, values in zip(("reference", "current"), compared[pair.name].values(pair.name), strict=True):
        assert cells(feature, side) == counted(feature, values)


@each(lambda p: judged(p) and not p.categorical and p.name != "infinities")
def test_distances_of_numbers_are_those_of_scipy_within_the_bins(
    compared: dict[str, Compared], pair: Pair
) -> None:
    c = compared[pair.name]
    reference, current = c.values(pair.name)
    exact = stats.ks_2samp(reference, current).statistic
    least, most = c.score(pair.name, "ks")
    assert least - 1e-9 <= exact <= most + 1e-9
    if np.std(reference) > 0:
        exact = stats.wasserstein_distance(reference, current) / np.std(reference)
        least, most = c.score(pair.name, "wasserstein")
        assert least * (1 - 1e-6) - 1e-9 <= exact <= most * (1 + 1e-6) + 1e-9


@each(lambda p: judged(p) and not p.categorical)
def test_ks_of_rows_is_that_of_scipy(compared: dict[str, Compared], pair: Pair) -> None:
    c = compared[pair.name]
    exact = stats.ks_2samp(*c.values(pair.name), method="asymp")
    found = c.ks(pair.name)
    assert found["exact"]
    assert "at_most" not in found
    assert found["value"] == pytest.approx(exact.statistic, abs=1e-12)
    assert (exact.pvalue < 1e-9 and found["p_value"] < 1e-8) or found["p_value"] == pytest.approx(
        exact.pvalue, rel=0.1
    )
    others = [k for k in c.of_rows[pair.name]["checks"] if k["name"] != "ks"]
    assert others == [k for k in c.features[pair.name]["checks"] if k["name"] != "ks"]


def merged(feature: dict[str, Any], values: Any) -> Any:
    """The counts over which JS and PSI are: numbers outside the bins count in the outermost ones."""
    counts = counted(feature, values)
    if feature["kind"] == "categories":
        return np.array(counts[1:])
    counts[1] += counts[0]
    counts[-2] += counts[-1]
    return np.array(counts[1:-1])


@each(judged)
def test_js_and_psi_are_those_of_scipy_over_the_same_cells(compared: dict[str, Compared], pair: Pair) -> None:
    c = compared[pair.name]
    feature = c.features[pair.name]
    reference, current = (merged(feature, v) for v in c.values(pair.name))
    assert c.score(pair.name, "js")[0] == pytest.approx(
        distance.jensenshannon(reference, current, base=2), abs=1e-7
    )
    if not ((reference == 0) ^ (current == 0)).any():
        both = (reference > 0) & (current > 0)
        exact = stats.entropy(reference[both], current[both]) + stats.entropy(current[both], reference[both])
        assert c.score(pair.name, "psi")[0] == pytest.approx(exact, abs=1e-9)


@each(lambda p: judged(p) and p.categorical and "many" not in p.name and "other" not in p.name)
def test_js_and_psi_of_categories_are_those_of_evidently(compared: dict[str, Compared], pair: Pair) -> None:
    c = compared[pair.name]
    natural, _ = c.evidently(pair, method="jensenshannon")
    assert c.score(pair.name, "js")[0] == pytest.approx(natural / np.sqrt(np.log(2)), abs=1e-7)
    assert c.score(pair.name, "psi")[0] == pytest.approx(c.evidently(pair, method="psi")[0], abs=1e-9)


def test_js_of_numbers_and_evidentlys_are_both_below_that_of_finer_bins(
    compared: dict[str, Compared],
) -> None:
    """Merging bins never raises the distance. So both are at most that over bins with the edges of both."""
    for pair in PAIRS:
        c = compared[pair.name]
        feature = c.features[pair.name]
        if not judged(pair) or pair.categorical or len(feature["bins"]) < 20 or pair.name == "infinities":
            continue
        reference, current = c.values(pair.name)
        ours = [feature["bins"][0]["from"], *(b["up_to"] for b in feature["bins"])]
        theirs = np.histogram_bin_edges(np.concatenate([reference, current]), bins="sturges")
        # fstore's bins have their upper edge, Evidently's their lower one.
        edges = np.unique(
            [*np.nextafter(ours[1:], np.inf), ours[0], *theirs, np.nextafter(theirs[-1], np.inf)]
        )
        finer = distance.jensenshannon(*(np.histogram(v, edges)[0] for v in (reference, current)), base=2)
        evidently = c.evidently(pair, method="jensenshannon")[0] / np.sqrt(np.log(2))
        assert max(c.score(pair.name, "js")[0], evidently) <= finer + 1e-7, pair.name


def test_the_page_explains_each_disagreement() -> None:
    page = " ".join((ROOT / "docs" / "drift.md").read_text().split())
    for pair in PAIRS:
        assert not pair.why or (f"`{pair.name}`" in page and pair.why in page), pair.name
