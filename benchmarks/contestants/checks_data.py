"""Makes the data of the checks: seeded, in chunks of a million rows, with violations planted and counted.

``checks_data.py FILE ROWS`` writes the Parquet file and, beside it, ``FILE.json`` with what was planted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rules import COUNTRIES, STATES

CHUNK = 1_000_000
PERIOD, STEP = 15_013, 1_009
"""The n-th kind of violation falls on one row in ``PERIOD + n * STEP``, so that no two counts are alike in large data."""
PLANTED = (
    "id.unique",
    "ref.unique",
    "customer.not_null",
    "country.one_of",
    "sku.pattern",
    "quantity.minimum",
    "quantity.maximum",
    "price.not_null",
    "price.minimum",
    "discount.maximum",
)
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "ref": pa.string(),
        "customer": pa.int64(),
        "country": pa.string(),
        "sku": pa.string(),
        "quantity": pa.int32(),
        "price": pa.float64(),
        "discount": pa.float64(),
        "ordered_at": pa.timestamp("us"),
        "state": pa.string(),
    }
)


def planted(places: np.ndarray, rule: str) -> Any:
    """Return which rows break a rule; never the first, and never the row before one that breaks the same rule."""
    number = PLANTED.index(rule)
    return places % (PERIOD + STEP * number) == 101 + 997 * number


def text(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    """Return a prefix and zero-padded numbers."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, pa.scalar(""))


def chunk(first: int, rows: int, rng: np.random.Generator) -> tuple[pa.Table, dict[str, int]]:
    """Return rows from ``first`` on, and how many of them break each rule."""
    places = np.arange(first, first + rows, dtype=np.int64)
    bad = {rule: planted(places, rule) for rule in PLANTED}
    numbers = np.where(bad["ref.unique"], places - 1, places)
    quantity = rng.integers(1, 1_001, rows, dtype=np.int32)
    quantity[bad["quantity.minimum"]] = 0
    quantity[bad["quantity.maximum"]] = 1_001
    price = np.round(rng.gamma(2.0, 20.0, rows), 2)
    price[bad["price.minimum"]] = -1.0
    discount = np.round(rng.random(rows), 3)
    discount[bad["discount.maximum"]] = 1.5
    sku = text("SK-", rng.integers(0, 100_000, rows), 5)
    country = pa.array(COUNTRIES).take(pa.array(rng.integers(0, len(COUNTRIES), rows)))
    columns = [
        pa.array(np.where(bad["id.unique"], places - 1, places)),
        text("R", (numbers * 736_338_717) % 1_000_000_000, 9),
        pa.array(rng.integers(1, 200_000, rows), mask=bad["customer.not_null"]),
        pc.if_else(pa.array(bad["country.one_of"]), pa.scalar("XX"), country),
        pc.if_else(pa.array(bad["sku.pattern"]), pa.scalar("sk_1"), sku),
        pa.array(quantity),
        pa.array(price, mask=bad["price.not_null"]),
        pa.array(discount),
        pa.array(1_700_000_000_000_000 + places * 1_000_000 + rng.integers(0, 1_000_000, rows)).cast(pa.timestamp("us")),
        pa.array(STATES).take(pa.array(rng.integers(0, len(STATES), rows))),
    ]
    return pa.table(columns, schema=SCHEMA), {rule: int(mask.sum()) for rule, mask in bad.items()}


def main(path: Path, rows: int) -> None:
    """Write the file, then what was planted: when the latter is there, the file is whole."""
    rng = np.random.default_rng(20_241_101)
    violations = dict.fromkeys(PLANTED, 0)
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for first in range(0, rows, CHUNK):
            table, found = chunk(first, min(CHUNK, rows - first), rng)
            writer.write_table(table)
            violations = {rule: count + found[rule] for rule, count in violations.items()}
    path.with_suffix(".json").write_text(json.dumps({"rows": rows, "violations": violations}), encoding="utf-8")


main(Path(sys.argv[1]), int(sys.argv[2]))
