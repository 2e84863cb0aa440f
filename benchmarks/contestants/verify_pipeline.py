"""Checks, unmeasured, that a pipeline made what it should: every notebook's rows and the sum of its column."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS = 1_000
VALUES = float(sum(number % 97 for number in range(ROWS)))

for task in json.loads(Path("plan.json").read_text(encoding="utf-8")):
    product = task["parameters"]["product"]
    table = pq.read_table(product["data"])
    found = (table.num_rows, pc.sum(table[task["name"]]).as_py())
    wanted = (ROWS, VALUES * 2 + ROWS * int(task["name"][1:]))
    if found[0] != wanted[0] or abs(found[1] - wanted[1]) > 1e-6 * wanted[1]:
        raise SystemExit(f"{product['data']}: rows and sum are {found} instead of {wanted}")
    cells = json.loads(Path(product["nb"]).read_text(encoding="utf-8"))["cells"]
    if any(cell["cell_type"] == "code" and cell["execution_count"] is None for cell in cells):
        raise SystemExit(f"{product['nb']}: a cell was not executed")
