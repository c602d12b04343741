"""A Feast repo like those of credit scoring: what a ZIP code and a person were known for, over time.

It is written into a folder together with its data, and is a file of definitions like any of Feast's.
"""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd

SETTINGS = """project: credit
registry: data/registry.db
provider: local
online_store: {type: sqlite, path: data/online_store.db}
entity_key_serialization_version: 3
"""

DEFINITIONS = """from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Bool, Float64, Int64, String, UnixTimestamp

zipcode = Entity(name="zipcode", join_keys=["zipcode"], value_type=ValueType.INT64)
dob_ssn = Entity(name="dob_ssn", join_keys=["dob_ssn"], value_type=ValueType.STRING)

zipcode_features = FeatureView(
    name="zipcode_features",
    entities=[zipcode],
    ttl=timedelta(days=3650),
    schema=[
        Field(name="city", dtype=String),
        Field(name="population", dtype=Int64),
        Field(name="mean_income", dtype=Float64),
    ],
    source=FileSource(
        name="zipcodes",
        path="data/zipcodes.parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    ),
)
credit_history = FeatureView(
    name="credit_history",
    entities=[dob_ssn],
    ttl=timedelta(days=90),
    schema=[
        Field(name="card_due", dtype=Int64),
        Field(name="missed_payments", dtype=Int64),
        Field(name="bankrupt", dtype=Bool),
        Field(name="first_loan", dtype=UnixTimestamp),
    ],
    source=FileSource(
        name="credit",
        path="data/credit.parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        field_mapping={"credit_card_due": "card_due"},
    ),
)
scoring = FeatureService(
    name="scoring", features=[zipcode_features[["city", "mean_income"]], credit_history]
)
"""

PEOPLE = [f"19{50 + i}0101_{1000 + i}" for i in range(20)]
ZIPS = [94109 + i for i in range(10)]


def write(folder: Path, to: datetime) -> None:
    """Writes the repo. Its newest rows are a few hours older than an instant, and within every ttl."""
    (folder / "data").mkdir(parents=True)
    (folder / "feature_store.yaml").write_text(SETTINGS)
    (folder / "definitions.py").write_text(DEFINITIONS)
    random = np.random.default_rng(7)
    zips = [
        {
            "zipcode": z,
            "city": f"City {z % 7}",
            "population": int(random.integers(1, 2**53)),
            "mean_income": float(random.normal(5e4, 1e4)),
            "event_timestamp": to - timedelta(days=30 * month, hours=5),
            "created_timestamp": to - timedelta(days=30 * month, hours=4),
        }
        for z in ZIPS
        for month in range(4)
    ]
    people = [
        {
            "dob_ssn": p,
            "credit_card_due": int(random.integers(0, 10_000)),
            "missed_payments": int(random.integers(0, 5)),
            "bankrupt": bool(random.integers(0, 2)),
            "first_loan": datetime(2000, 1, 1, tzinfo=timezone.utc)
            + timedelta(seconds=int(random.integers(10**8))),
            "event_timestamp": to - timedelta(days=20 * step, hours=3, microseconds=1),
            "created_timestamp": to - timedelta(days=20 * step, hours=2),
        }
        for p in PEOPLE
        for step in range(5)
    ]
    pd.DataFrame(zips).to_parquet(folder / "data/zipcodes.parquet")
    pd.DataFrame(people).to_parquet(folder / "data/credit.parquet")
