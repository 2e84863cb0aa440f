"""Fixtures of the reference pipeline's tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1] / "notebooks")]  # the latter as the kernel of a notebook has it

from reference_run import Pipeline, run_notebooks  # noqa: E402 - found by the line above


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Return the default run: 20,000 simulated order lines."""
    return run_notebooks(tmp_path_factory.mktemp("simulated"))
