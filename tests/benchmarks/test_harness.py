"""What the benchmarks claim of their own measuring: everything counts, rounds interleave, ratios go pair by pair."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.command import main  # noqa: E402
from benchmarks.figures import bars, rows_of  # noqa: E402
from benchmarks.harness import CPU, Contestant, Experiment, SkippedError, compare, run_experiment  # noqa: E402
from benchmarks.page import page  # noqa: E402
from benchmarks.results import load, merge, save  # noqa: E402

MADE = {
    "command": "python -m benchmarks",
    "date": "2025-01-01 00:00 UTC",
    "commit": "0" * 10,
    "cpu": "a processor",
    "cores": 2,
    "memory_gb": 8.0,
    "load": 0.0,
    "system": "Linux",
    "versions": {"nbops": {"python": "3.11"}},
    "quick": False,
}
MEASURE = """
import json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from benchmarks.harness import execute
command = [sys.executable, "-c", {program!r}]
usage = execute(command, folder=Path({folder!r}), environment={{"PATH": "/usr/bin:/bin"}}, time_limit=60)
print(json.dumps([usage.cpu, usage.memory, usage.left_behind, dict(usage.facts)]))
"""
BUSY = "import time\nwhile time.process_time() < 0.6: pass\n"


def measured(program: str, folder: Path) -> list[object]:
    """Measure a program in a process of its own, which becomes the reaper of orphans."""
    import json

    run = folder / "run"
    run.mkdir()
    code = MEASURE.format(root=str(ROOT), program=program, folder=str(run))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    return list(json.loads(done.stdout))


def test_cpu_of_a_child_that_nobody_waits_for_counts(tmp_path: Path) -> None:
    program = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BUSY!r}], start_new_session=True)\n"
    cpu, _, left_behind, _ = measured(program, tmp_path)
    assert 0.6 <= cpu < 5
    assert left_behind == 0


def test_cpu_of_a_child_counts_once(tmp_path: Path) -> None:
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}], check=True)\n"
    cpu, _, _, _ = measured(program, tmp_path)
    assert 0.6 <= cpu < 1.2


def test_memory_is_the_peak_not_the_end(tmp_path: Path) -> None:
    _, memory, _, _ = measured("held = bytearray(300_000_000)\nheld[::4096] = b'x' * len(held[::4096])\ndel held\n", tmp_path)
    assert 300 <= memory < 400


def test_what_a_program_says_of_itself_is_taken(tmp_path: Path) -> None:
    assert measured("print('noise')\nprint('@@facts {\"work_cpu\": 1.5}')", tmp_path)[3] == {"work_cpu": 1.5}


def test_failure_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        measured("raise SystemExit('wrong verdicts')", tmp_path)
    assert "SkippedError: exit code 1: wrong verdicts" in caught.value.stderr


def experiment(order: list[str], *, rounds: int = 2) -> Experiment:
    """Three contestants: one counts up, one is slow and takes part once, one gives a wrong answer."""

    def run(key: str) -> object:
        def once(number: int) -> dict[str, float]:
            order.append(key)
            if key == "wrong":
                raise SkippedError("wrong verdicts")
            return {"cpu": 10.0 * (number + 1) if key == "base" else 5.0}

        return once

    return Experiment(
        key="pipelines.chain",
        title="A <title>",
        about="about",
        baseline="base",
        contestants=[
            Contestant(key="base", label="base", run=run("base")),
            Contestant(key="nbops_attach", label="nbops <b>", run=run("nbops_attach")),
            Contestant(key="slow", label="slow", run=run("slow"), rounds=1),
            Contestant(key="wrong", label="wrong", run=run("wrong")),
        ],
        rounds=rounds,
        metrics=(CPU,),
    )


def test_rounds_interleave_and_a_wrong_answer_is_left_out() -> None:
    order: list[str] = []
    done = run_experiment(experiment(order), say=lambda _: None)
    assert order == ["base", "nbops_attach", "slow", "wrong", "base", "nbops_attach"]
    assert done.skipped == {"wrong": "wrong verdicts"}
    assert not [sample for sample in done.samples if sample["contestant"] == "wrong"]


def test_ratios() -> None:
    done = run_experiment(experiment([], rounds=3), say=lambda _: None)
    both = compare(done.samples, of="nbops_attach", against="base", metric="cpu")
    assert both is not None
    assert both["medians"] == (5.0, 20.0)
    assert both["ratio"] == 0.25
    assert both["pair_ratio"] == 0.25  # of 1/2, 1/4, 1/6
    assert both["pairs"] == 3
    assert compare(done.samples, of="wrong", against="base", metric="cpu") is None


def test_parts_are_merged_and_reported(tmp_path: Path) -> None:
    done = run_experiment(experiment([]), say=lambda _: None)
    results = merge(load(tmp_path / "results.json"), done, section=("pipelines", "Pipelines"), order=("pipelines",), made=MADE)
    save(tmp_path / "results.json", results)
    again = load(tmp_path / "results.json")
    assert again["experiments"] == results["experiments"]
    rows = {row.key: row for row in rows_of(again["experiments"]["pipelines.chain"])}
    assert rows["wrong"].skipped == "wrong verdicts"
    assert not rows["wrong"].figures
    text = page(again)
    assert "nbops &lt;b&gt;" in text
    assert "wrong: left out: wrong verdicts" in text
    assert "<script" not in text
    assert "http" not in text


def test_bars_say_what_was_not_measured() -> None:
    found = list(bars({"experiments": {}}))
    assert found
    assert {bar.met for bar in found} == {None}


def test_a_second_benchmark_does_not_write_over_the_first_ones_results(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("of the first")
    first = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="Another benchmark is running"):
            main(["--only", "floor", "--out", str(tmp_path), "--work", str(tmp_path / "work")])
    finally:
        os.close(first)
    assert results.read_text() == "of the first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "work"]
