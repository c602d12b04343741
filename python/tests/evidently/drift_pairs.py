"""Pairs of columns to compare, with the verdicts of fstore and of Evidently on them, and why they differ where they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.generic]
Sampler = Callable[[np.random.Generator, int], Column]
DRIFTED, STABLE, TOO_FEW = "drifted", "stable", "too_few"
NOTHING = "no verdict"  # Evidently cannot compare the pair


@dataclass(frozen=True)
class Pair:
    """A reference and current rows of it. Where the verdicts differ, why says so."""

    name: str
    reference: Sampler
    current: Sampler
    fstore: str
    evidently: str
    why: str = ""
    rows: int = 5000
    categorical: bool = False

    def sample(self) -> tuple[Column, Column]:
        """The values of both sides, the same in every run and whatever other pairs there are."""
        rng = np.random.default_rng([2025, *self.name.encode()])
        return self.reference(rng, self.rows), self.current(rng, self.rows)


def normal(mean: float = 0, sd: float = 1) -> Sampler:
    return lambda rng, n: rng.normal(mean, sd, n)


def lognormal(scale: float) -> Sampler:
    return lambda rng, n: scale * rng.lognormal(0, 1, n)


def poisson(mean: float) -> Sampler:
    return lambda rng, n: rng.poisson(mean, n)


def constant(x: float) -> Sampler:
    return lambda _, n: np.full(n, x)


def instead(of: Sampler, share: float, value: float) -> Sampler:
    """Replaces a share of the rows."""

    def sample(rng: np.random.Generator, n: int) -> Column:
        values = of(rng, n).astype(float)
        values[: round(share * n)] = value
        return rng.permutation(values)

    return sample


def bimodal(rng: np.random.Generator, n: int) -> Column:
    return rng.normal(0, 0.436, n) + 0.9 * rng.choice([-1, 1], n)


def integers(p: list[float]) -> Sampler:
    return lambda rng, n: rng.choice(len(p), n, p=p)


def texts(**shares: float) -> Sampler:
    return lambda rng, n: rng.choice(list(shares), n, p=list(shares.values()))


def many(first: int, last: int) -> Sampler:
    return lambda rng, n: np.char.mod("c%d", rng.integers(first, last, n))


def flags(share: float) -> Sampler:
    return lambda rng, n: rng.random(n) < share


TINY = "Evidently divides by 0.001 where the standard deviation is smaller"
NULLS = "fstore compares the share of nulls; Evidently drops nulls before it compares"
INFINITE = "fstore counts infinities as out of range; Evidently drops them before it compares"
CHANCE = "Evidently has no bound of chance: its distance between samples of many categories is far from 0"
BASE = (
    "the same distance: base 2 in fstore (0 to 1), base e in Evidently (0 to 0.83), and both hold it to 0.1"
)
FEW = "under 200 rows fstore gives no verdict; Evidently tests them"

PAIRS = [
    # Numbers.
    Pair("same_normal", normal(), normal(), STABLE, STABLE),
    Pair("shift_by_a_twentieth", normal(), normal(0.05), STABLE, STABLE),
    Pair("shift_by_a_quarter", normal(10, 2), normal(10.5, 2), DRIFTED, DRIFTED),
    Pair("shift_by_one", normal(), normal(1), DRIFTED, DRIFTED),
    Pair("shift_outside", normal(), normal(20), DRIFTED, DRIFTED),
    Pair("scale_by_a_twentieth", normal(), normal(0, 1.05), STABLE, STABLE),
    Pair("scale_by_half", normal(), normal(0, 1.5), DRIFTED, DRIFTED),
    Pair("narrower", normal(), normal(0, 0.5), DRIFTED, DRIFTED),
    Pair("same_lognormal", lognormal(3), lognormal(3), STABLE, STABLE),
    Pair("lognormal_by_half", lognormal(3), lognormal(4.5), DRIFTED, DRIFTED),
    Pair("two_peaks", normal(), bimodal, DRIFTED, DRIFTED),
    Pair("same_counts", poisson(8), poisson(8), STABLE, STABLE),
    Pair("more_counts", poisson(8), poisson(9), DRIFTED, DRIFTED),
    Pair("same_zeros", instead(lognormal(1), 0.5, 0), instead(lognormal(1), 0.5, 0), STABLE, STABLE),
    Pair("more_zeros", instead(lognormal(1), 0.3, 0), instead(lognormal(1), 0.6, 0), DRIFTED, DRIFTED),
    Pair("same_constant", constant(7), constant(7), STABLE, STABLE),
    Pair("other_constant", constant(7), constant(8), DRIFTED, DRIFTED),
    Pair("tiny_numbers", normal(0, 1e-6), normal(1e-6, 1e-6), DRIFTED, STABLE, TINY),
    Pair("large_numbers", normal(1e12, 1e9), normal(1.001e12, 1e9), DRIFTED, DRIFTED),
    Pair("rare_outliers", normal(), instead(normal(), 0.005, 1000), DRIFTED, DRIFTED),
    Pair("infinities", normal(), instead(normal(), 0.02, np.inf), DRIFTED, STABLE, INFINITE),
    # Nulls. NaN in a column of pandas is a null of Parquet.
    Pair("nulls_appear", normal(), instead(normal(), 0.1, np.nan), DRIFTED, STABLE, NULLS),
    Pair("nulls_vanish", instead(normal(), 0.1, np.nan), normal(), DRIFTED, STABLE, NULLS),
    Pair("same_nulls", instead(normal(), 0.1, np.nan), instead(normal(), 0.1, np.nan), STABLE, STABLE),
    Pair("only_nulls", normal(), constant(np.nan), DRIFTED, NOTHING, NULLS),
    # Categories, and numbers of which there are few.
    Pair("few_integers", integers([0.2, 0.5, 0.3]), integers([0.2, 0.5, 0.3]), STABLE, STABLE),
    Pair("few_integers_shift", integers([0.2, 0.5, 0.3]), integers([0.5, 0.3, 0.2]), DRIFTED, DRIFTED),
    Pair(
        "same_texts", texts(a=0.5, b=0.3, c=0.2), texts(a=0.5, b=0.3, c=0.2), STABLE, STABLE, categorical=True
    ),
    Pair(
        "texts_shift",
        texts(a=0.5, b=0.3, c=0.2),
        texts(a=0.3, b=0.3, c=0.4),
        DRIFTED,
        DRIFTED,
        categorical=True,
    ),
    Pair(
        "texts_between", texts(a=0.5, b=0.5), texts(a=0.63, b=0.37), DRIFTED, STABLE, BASE, categorical=True
    ),
    Pair("new_text", texts(a=0.5, b=0.5), texts(a=0.47, b=0.47, z=0.06), DRIFTED, DRIFTED, categorical=True),
    Pair(
        "rare_new_text",
        texts(a=0.5, b=0.5),
        texts(a=0.498, b=0.498, z=0.004),
        STABLE,
        STABLE,
        categorical=True,
    ),
    Pair("same_flags", flags(0.5), flags(0.5), STABLE, STABLE, categorical=True),
    Pair("flags_shift", flags(0.5), flags(0.8), DRIFTED, DRIFTED, categorical=True),
    Pair("many_texts", many(0, 1000), many(0, 1000), STABLE, DRIFTED, CHANCE, categorical=True),
    Pair("other_texts", many(0, 1000), many(1000, 2000), DRIFTED, DRIFTED, categorical=True),
    # Small samples: Evidently tests for significance where the reference has at most 1,000 rows.
    Pair("few_rows", normal(), normal(1), TOO_FEW, DRIFTED, FEW, rows=150),
    Pair("few_rows_same", normal(), normal(), TOO_FEW, STABLE, FEW, rows=150),
    Pair("some_rows_same", normal(), normal(), STABLE, STABLE, rows=600),
    Pair("some_rows_shift", normal(), normal(0.6), DRIFTED, DRIFTED, rows=600),
    Pair(
        "some_texts_shift",
        texts(a=0.5, b=0.5),
        texts(a=0.7, b=0.3),
        DRIFTED,
        DRIFTED,
        rows=600,
        categorical=True,
    ),
]
