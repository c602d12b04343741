"""Writes the raw data of a shop that sells in pounds, and from September on in Japan as well, in yen.

    python data.py shop summer       # customers, orders of June to August, and which orders of August were returned
    python data.py shop september    # what comes in September

The data is made up. It is the same each time.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Market:
    """Customers of one country, and how many units of its currency a pound is worth."""

    country: str
    first_id: int
    customers: int
    opened: str
    rate: float
    decimals: int


UK = Market("uk", 1, 2000, "2025-06-01", rate=1, decimals=2)
JAPAN = Market("jp", 10_001, 3000, "2025-09-01", rate=190, decimals=0)

PERIODS = {
    "summer": [("2025-06", [UK]), ("2025-07", [UK]), ("2025-08", [UK])],
    "september": [("2025-09", [UK, JAPAN])],
}


def accounts(market: Market) -> pd.DataFrame:
    """Returns the customers of a market. Two of five have the tier gold."""
    rng = np.random.default_rng([1, market.first_id])
    opened = pd.Timestamp(market.opened, tz="UTC")
    return pd.DataFrame(
        {
            "customer_id": np.arange(market.first_id, market.first_id + market.customers),
            "changed_at": opened,
            "recorded_at": opened,
            "country": market.country,
            "tier": np.where(rng.random(market.customers) < 0.4, "gold", "basic"),
        }
    )


def orders(market: Market, month: str) -> pd.DataFrame:
    """Returns the orders of a month, at most one a day for each customer, and whether each was returned.

    Customers of the tier basic return what is dear to them, and those of gold what is cheap, but for one in 25.
    """
    rng = np.random.default_rng([2, market.first_id, int(month.replace("-", ""))])
    start = pd.Timestamp(f"{month}-01", tz="UTC")
    tier = accounts(market)["tier"].to_numpy()
    counts = 1 + rng.poisson(2, market.customers)
    who = np.repeat(np.arange(market.customers), counts)
    days = np.concatenate([rng.choice(start.days_in_month, n, replace=False) for n in counts])
    pounds = rng.lognormal(np.log(55), 0.8, len(who))
    likes_to_return = (pounds > 55) == (tier[who] == "basic")
    at = start + pd.to_timedelta(days * 86_400 + rng.integers(0, 80_000, len(who)), unit="s")
    made = pd.DataFrame(
        {
            "customer_id": who + market.first_id,
            "ordered_at": at,
            "loaded_at": at + pd.Timedelta(minutes=10),
            "amount": np.round(pounds * market.rate, market.decimals),
            "items": 1.0 + rng.poisson(1.5, len(who)),
            "discount": rng.choice([0.0, 0.1, 0.2], len(who)),
            "returned": likes_to_return ^ (rng.random(len(who)) < 0.04),
        }
    )
    return made.sort_values(["ordered_at", "customer_id"], ignore_index=True)


def write(folder: Path, period: str) -> None:
    """Writes what comes in a period below FOLDER/data: customers, orders, and the labels of its last month."""
    for kind in ("customers", "orders", "labels"):
        (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
    for month, markets in PERIODS[period]:
        made = pd.concat([orders(m, month) for m in markets]).sort_values("ordered_at", ignore_index=True)
        made.drop(columns="returned").to_parquet(folder / "data" / "orders" / f"{month}.parquet", index=False)
    for market in markets:
        file = folder / "data" / "customers" / f"{market.country}.parquet"
        accounts(market).to_parquet(file, index=False)
    labels = made[["customer_id", "returned"]].assign(
        event_timestamp=made["ordered_at"]
        + pd.Timedelta(hours=1)  # the model is asked an hour after the order
    )
    labels.to_parquet(folder / "data" / "labels" / f"{month}.parquet", index=False)
    print(f"{len(made):,} orders in {month}, {made['returned'].mean():.1%} of them returned")


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
