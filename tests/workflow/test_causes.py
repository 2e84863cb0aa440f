"""What is found out about inputs before causes are ranked."""

from __future__ import annotations

from nbops.history.causes.focus import Upstream
from nbops.model import Dataset, LineageEdge, Run
from nbops.workflow.causes import columns_of_file

SESSIONS = Dataset(name="sessions", task="intake", path="sessions.parquet", format="parquet", rows=1)
RUN = Run(
    id="20261122T194156Z-000001",
    status="succeeded",
    verdict="passed",
    pipeline="depot",
    command="nbops build",
    started_at="2026-11-22T19:41:56Z",
    datasets=(SESSIONS,),
    lineage=(LineageEdge(source="file:in/a.jsonl", target="task:intake", kind="reads"),),
)


def _upstream(source: str, **columns: float) -> Upstream:
    reached = {source: {None: 0.9, **columns}, "sessions": {"kwh": 0.96, "day": 0.3}, "other": {"plug": 1.0}}
    return Upstream(reached=reached, tasks=frozenset({"intake"}))


def test_a_file_is_known_by_its_path_its_pattern_and_its_folder() -> None:
    for source in ("file:in/a.jsonl", "file:in/*.jsonl", "file:in/", "file:in"):
        assert columns_of_file("in/a.jsonl", _upstream(source, start=0.5), RUN)["start"] == 0.5
    for source in ("file:in/b.jsonl", "file:in/*.csv", "file:inn", "in/a.jsonl"):
        assert columns_of_file("in/a.jsonl", _upstream(source), RUN) == {}


def test_what_flows_through_as_a_whole_counts_by_the_names_that_it_keeps() -> None:
    found = columns_of_file("in/a.jsonl", _upstream("file:in/*.jsonl", kwh=0.2, day=0.5), RUN)
    assert found == {None: 0.9, "kwh": 0.96, "day": 0.5}
    assert "kwh" not in columns_of_file("in/b.jsonl", _upstream("file:in/*.jsonl"), RUN)
