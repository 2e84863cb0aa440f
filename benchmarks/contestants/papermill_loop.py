"""Runs the notebooks of a project one after the other with papermill: a loop, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import papermill

for task in json.loads(Path("plan.json").read_text(encoding="utf-8")):
    product = task["parameters"]["product"]
    papermill.execute_notebook(task["source"], product["nb"], task["parameters"], progress_bar=False, log_output=False)
