"""A small shop whose pipeline is broken on purpose: four notebooks, a module, a package, three inputs, a git repository."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

__all__ = ["COUNTRIES", "NOTEBOOKS", "PARAMETERS", "Shop", "sales_rows"]

COUNTRIES = ("United Kingdom", "Germany", "France", "EIRE", "Spain", "Norway", "Portugal")
_SHARES = (46, 14, 12, 9, 8, 6, 5)
_CHANNELS = ("web", "store", "phone")
_SALES = 1_500
_DAYS = 40
_START = date(2026, 3, 1)
PARAMETERS: Mapping[str, Any] = {
    "since": "2026-03-01",
    "min_quantity": 1,
    "discount": 0.1,
    "base_currency": "GBP",
    "top_n": 20,
    "label": "daily",
    "vat_rate": 0.2,
}

NOTEBOOKS: Mapping[str, Sequence[str]] = {
    "load": (
        "import pandas as pd",
        'sales = pd.read_csv("data/sales.csv", dtype={"customer": "string"})',
        'sales["day"] = pd.to_datetime(sales["day"])\nsales["country"] = sales["country"].str.strip()',
        'sales = sales[sales["day"] >= since]',
        'sales["note"] = sales["channel"].str.upper() + "-" + sales["country"].str[:2]',
        'sales.to_parquet(product["sales"], index=False)',
    ),
    "products": (
        "import pandas as pd",
        'products = pd.read_csv("data/products.csv")',
        'products["category"] = products["category"].str.lower()\nproducts["margin"] = products["list_price"] * 0.3',
        'products["shelf"] = products["product"].str[-1]',
        'products.to_parquet(product["products"], index=False)',
    ),
    "clean": (
        "import pandas as pd\n\nfrom shop.rules import is_valid, size_of",
        'sales = pd.read_parquet(upstream["load"]["sales"])',
        'sales = sales[sales["quantity"] >= min_quantity]',
        'sales["price"] = sales["price"].round(2)',
        "sales = sales[is_valid(sales)]",
        'sales["size"] = size_of(sales["quantity"])',
        'sales = sales.drop_duplicates(subset=["sale"])',
        "sales.describe()",
        'sales.to_parquet(product["valid"], index=False)',
    ),
    "orders": (
        "import numpy as np\nimport pandas as pd\nimport tinyfx\nimport tinytext",
        (
            'sales = pd.read_parquet(upstream["clean"]["valid"])\n'
            'products = pd.read_parquet(upstream["products"]["products"])\n'
            'rates = pd.read_csv("data/rates.csv")'
        ),
        (
            'orders = sales.merge(products[["product", "category", "margin"]], on="product", how="left")\n'
            'orders = orders.merge(rates, on="country", how="left")'
        ),
        'orders["gross"] = orders["quantity"] * orders["price"]',
        'orders["net"] = orders["gross"] * (1 - discount * (orders["channel"] == "web"))',
        'orders["amount"] = tinyfx.convert(orders["net"], orders["rate"])\norders["tax"] = orders["amount"] * vat_rate',
        'orders["slug"] = tinytext.slug(orders["category"])\norders["currency"] = base_currency',
        'orders["weekday"] = orders["day"].dt.day_name()',
        (
            'orders = orders[["sale", "day", "weekday", "country", "channel", "product", "category", "slug", "quantity",\n'
            '                 "size", "price", "gross", "net", "amount", "tax", "currency", "margin"]]\n'
            'orders.to_parquet(product["orders"], index=False)'
        ),
    ),
    "revenue": (
        "import pandas as pd",
        'orders = pd.read_parquet(upstream["orders"]["orders"])',
        (
            'revenue = (\n    orders.groupby(["day", "country"])\n'
            '    .agg(amount=("amount", "sum"), tax=("tax", "sum"), sales=("sale", "count"),'
            ' margin=("margin", "mean"))\n'
            "    .reset_index()\n)"
        ),
        'revenue["kind"] = label\nrevenue["share"] = revenue["amount"] / revenue["amount"].sum()',
        'top = revenue.nlargest(top_n, "amount")\ntop.head()',
        'revenue.to_parquet(product["revenue"], index=False)\ntop.to_parquet(product["top"], index=False)',
    ),
}
_PRODUCTS: Mapping[str, Sequence[str]] = {
    "load": ("sales",),
    "products": ("products",),
    "clean": ("valid",),
    "orders": ("orders",),
    "revenue": ("revenue", "top"),
}
_UPSTREAM: Mapping[str, Sequence[str]] = {"clean": ("load",), "orders": ("clean", "products"), "revenue": ("orders",)}
_GIVEN: Mapping[str, Sequence[str]] = {
    "load": ("since",),
    "clean": ("min_quantity",),
    "orders": ("discount", "base_currency", "vat_rate"),
    "revenue": ("top_n", "label"),
}
_RULES = '''"""Rules of the shop."""

import numpy as np

LARGE = 10


def is_valid(sales):
    """Tell which sales count."""
    return (sales["price"] > 0) & sales["product"].notna()


def size_of(quantity):
    """Call a sale small or large."""
    return np.where(quantity >= LARGE, "large", "small")


def described(sales):
    """Say how many there are."""
    return f"{len(sales)} sales"
'''
_FX = '''"""Money."""


def convert(amount, rate):
    """Return an amount in the shop's currency."""
    return amount * rate
'''
_TEXT = '''"""Text."""


def slug(text):
    """Return a text for an address."""
    return text.str.replace(" ", "-")
'''


def sales_rows(*, seed: int = 7, days: int = _DAYS, sales: int = _SALES) -> list[dict[str, Any]]:
    """Return the rows of ``data/sales.csv``."""
    chance = random.Random(seed)
    return [
        {
            "sale": number + 1,
            "day": str(_START + timedelta(days=chance.randrange(days))),
            "customer": f"C{chance.randrange(300):05d}",
            "country": chance.choices(COUNTRIES, _SHARES)[0],
            "channel": chance.choices(_CHANNELS, (6, 3, 1))[0],
            "product": f"P{chance.randrange(40):03d}",
            "quantity": chance.randint(1, 12),
            "price": round(chance.uniform(2, 60), 2),
        }
        for number in range(sales)
    ]


class Shop:
    """The project, its repository and its environment.

    Args:
        folder: Where it is made; the packages lie beside it.
        nbops: The command.
    """

    def __init__(self, folder: Path, nbops: Path) -> None:
        self.root, self.packages, self._nbops = folder / "shop", folder / "packages", nbops
        self.parameters: dict[str, Any] = dict(PARAMETERS)

    def create(self) -> None:
        """Write everything and commit it."""
        self.root.mkdir(parents=True)
        for name in NOTEBOOKS:
            self.write_notebook(name, list(NOTEBOOKS[name]))
        self.write("shop/__init__.py", "")
        self.write("shop/rules.py", _RULES)
        self.write("pipeline.yaml", _pipeline())
        self.write_parameters(PARAMETERS)
        self.write_rows("data/sales.csv", sales_rows())
        self.write_rows(
            "data/products.csv",
            [
                {"product": f"P{n:03d}", "category": ("Home Office", "Garden", "Toys", "Kitchen")[n % 4], "list_price": 3 + n}
                for n in range(40)
            ],
        )
        self.write_rows("data/rates.csv", [{"country": name, "rate": 1.0 + 0.05 * n} for n, name in enumerate(COUNTRIES)])
        self.write(".gitignore", "output/\nquarantine/\n.nbops/\n")
        self.write("README.md", "# Shop\n")
        self.write("pyproject.toml", "[tool.nbops]\nprofile = false\n")
        self.install("tinyfx", "1.0.0", _FX)
        self.install("tinytext", "2.1.0", _TEXT)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("the shop")

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a part of a text file."""
        text = (self.root / path).read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{path} does not hold {old!r}")
        self.write(path, text.replace(old, new))

    def write_notebook(self, name: str, cells: Sequence[str]) -> None:
        """Write a notebook: a cell of parameters, then the given ones."""
        first = "upstream = None\nproduct = None\n" + "".join(f"{given} = None\n" for given in _GIVEN.get(name, ()))
        if name in _UPSTREAM:
            first = first.replace("upstream = None", f"upstream = {list(_UPSTREAM[name])}")
        found = [_cell("parameters", first, tags=["parameters"]), *(_cell(f"c{n}", text) for n, text in enumerate(cells))]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        document = {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        self.write(f"notebooks/{name}.ipynb", json.dumps(document, indent=1))

    def edit_cell(self, name: str, old: str, new: str) -> None:
        """Replace a part of a notebook's code."""
        path = f"notebooks/{name}.ipynb"
        self.edit(path, json.dumps(old)[1:-1], json.dumps(new)[1:-1])

    def write_parameters(self, values: Mapping[str, Any]) -> None:
        """Write ``env.yaml``."""
        self.parameters = dict(values)
        self.write("env.yaml", "".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))

    def write_rows(self, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a CSV; None is an empty field."""
        names = list(rows[0])
        lines = [",".join(names)]
        lines += [",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
        self.write(path, "\n".join(lines) + "\n")

    def install(self, name: str, version: str, code: str) -> None:
        """Install a distribution of one module, in place of another version."""
        self.packages.mkdir(exist_ok=True)
        for old in self.packages.glob(f"{name}-*.dist-info"):
            (old / "METADATA").unlink()
            old.rmdir()
        (self.packages / f"{name}.py").write_text(code, encoding="utf-8")
        about = self.packages / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=True, env=self.environment()
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def environment(self) -> dict[str, str]:
        """Return the variables that git and builds get."""
        names = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in _WHO}
        return {
            **os.environ,
            **names,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONPATH": str(self.packages),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def build(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``nbops build``."""
        return subprocess.run(
            [str(self._nbops), "build", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
        )


_WHO = (("NAME", "Ada"), ("EMAIL", "ada@example.org"))


def _cell(name: str, source: str, *, tags: list[str] | None = None) -> dict[str, Any]:
    metadata = {"tags": tags} if tags else {}
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": source, "execution_count": None, "outputs": []}


def _pipeline() -> str:
    lines = ["on_render: nbops.attach", "meta:", "  extract_upstream: true", "tasks:"]
    for name in NOTEBOOKS:
        lines += [f"  - source: notebooks/{name}.ipynb", f"    name: {name}", "    product:", f"      nb: output/{name}.ipynb"]
        lines += [f"      {key}: output/{key}.parquet" for key in _PRODUCTS[name]]
        given = _GIVEN.get(name, ())
        lines += ["    params:", *(f'      {key}: "{{{{{key}}}}}"' for key in given)] if given else []
    return "\n".join(lines) + "\n"
