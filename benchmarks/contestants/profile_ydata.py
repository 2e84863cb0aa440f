"""ydata-profiling: ``profile_ydata.py FILE default|minimal PAGE``, as its documentation starts.

Settings: none, or ``minimal=True``, which its documentation gives for large data
(https://docs.profiling.ydata.ai/latest/features/big_data/). A hundred rows are profiled before: what is imported for that counts
as start, as it does for the other contestant.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "True"
warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402 - after what silences them
import pyarrow.parquet as pq  # noqa: E402
from clock import Clock  # noqa: E402
from ydata_profiling import ProfileReport  # noqa: E402

DATA, WAY, PAGE = sys.argv[1:]


def profile(frame: pd.DataFrame, page: str) -> None:
    """Make the page."""
    ProfileReport(frame, title="orders", minimal=WAY == "minimal", progress_bar=False).to_file(page)


with tempfile.TemporaryDirectory() as folder:
    profile(pq.ParquetFile(DATA).read_row_group(0).slice(0, 100).to_pandas(), str(Path(folder, "tiny.html")))
clock = Clock()
profile(pd.read_parquet(DATA), PAGE)
content = Path(PAGE).read_bytes()
clock.report(page_kb=len(content) / 1e3, page_gz_kb=len(gzip.compress(content)) / 1e3)
