"""nbops: ``profile_nbops.py FILE PAGE``: numbers of all rows (an audit without a contract) and the page, as in a run.

A hundred rows are profiled before: what is imported for that counts as start, as it does for the other contestant.
"""

from __future__ import annotations

import datetime as dt
import gzip
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from clock import Clock

from nbops.quality.audit import audit
from nbops.quality.profile import Profiler, ProfileRequest

DATA, PAGE = Path(sys.argv[1]), Path(sys.argv[2])


def profile(profiler: Profiler, data: Path, page: Path) -> None:
    """Measure all rows and make the page."""
    found = audit(
        data,
        name="orders",
        task="orders",
        final_path="orders.parquet",
        contract=None,
        references={},
        now=dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc),
    ).dataset
    assert found.error is None, found.error
    request = ProfileRequest(
        dataset="orders",
        data=data,
        format="parquet",
        output=page,
        content_hash=found.content_hash or "",
        columns=found.columns,
        measurements=found.measurements,
        rows=found.rows,
    )
    (result,) = profiler.make([request])
    assert result.status == "made", result


with Profiler(seconds=600.0) as profiler:
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder, "orders.parquet")
        pq.write_table(pq.ParquetFile(DATA).read_row_group(0).slice(0, 100), tiny)
        profile(profiler, tiny, Path(folder, "orders.html"))
    clock = Clock()
    profile(profiler, DATA, PAGE)
    page = PAGE.read_bytes()
    clock.report(page_kb=len(page) / 1e3, page_gz_kb=len(gzip.compress(page)) / 1e3)
