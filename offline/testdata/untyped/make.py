"""Writes the Parquet files of this folder: column k has no type, as pandas and pyarrow write what is all null."""
import datetime
import os

import pyarrow as pa
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
day = datetime.datetime(2011, 12, 9)
for rows in (0, 2):
    table = pa.table({"k": pa.nulls(rows), "t": pa.array([day] * rows, pa.timestamp("us"))})
    pq.write_table(table, os.path.join(here, f"rows{rows}.parquet"))
