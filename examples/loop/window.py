"""Says what the next training set is made from: its name, the month of its labels, and the instant by which its rows are known.

    python window.py returns_2 2025-09 2025-10-01

It writes params.yaml, which DVC reads. Then dvc repro makes the training set.
"""

import sys
from pathlib import Path

PARAMS = """\
# What the model learns from. To train on a new window, change these and run dvc repro.
set: {name}
labels: data/labels/{month}.parquet
as_of: "{as_of}"    # in quotes: DVC takes no dates
"""

if __name__ == "__main__":
    name, month, as_of = sys.argv[1:]
    Path("params.yaml").write_text(PARAMS.format(name=name, month=month, as_of=as_of))
