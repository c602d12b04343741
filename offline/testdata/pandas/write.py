"""Writes the files of this folder: what pandas makes of one table on three days, of which only the first is complete."""
import pandas as pd

t = pd.Timestamp("2011-12-01")
whole = pd.DataFrame({"k": [1, 2], "event": [t, t], "n": [7, 8], "s": ["a", "b"], "l": [[1], [2]]})
gaps = pd.DataFrame({"k": [3, 4], "event": [t, t], "n": [9, None], "s": [None, None], "l": [[], []]})
empty = whole.iloc[:0].astype(object)
for name, frame in {"1": whole, "2": gaps, "3": empty}.items():
    frame.to_parquet(f"{name}.parquet", index=False)
