"""Faults with a known cause that are planted in the shop, and innocent changes beside them."""

# ruff: noqa: E501 - a fault is a line

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from benchmarks.faults_project import Shop

__all__ = ["DISTRACTORS", "FAULTS", "Change", "Fault", "Kind", "Row"]

Change = Callable[["Shop"], None]
Kind = Literal["code", "parameter", "package", "input", "segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is broken on purpose."""

    name: str
    kind: Kind
    subject: str
    """What the cause is about, as a cause names it; of a segment the value that has to be told."""
    plant: Change
    shows: tuple[str, ...]
    """What a monitor says: ``orders.amount:mean``, ``valid:rowCount``, ``task:orders``."""
    beside: tuple[str, ...] = ()
    """Innocent changes that come at the same time."""


def _cell(name: str, old: str, new: str) -> Change:
    return lambda shop: shop.edit_cell(name, old, new)


def _module(old: str, new: str) -> Change:
    return lambda shop: shop.edit("shop/rules.py", old, new)


def _set(**values: Any) -> Change:
    def change(shop: Shop) -> None:
        shop.write_parameters({**shop.parameters, **values})

    return change


def _package(name: str, version: str, old: str, new: str) -> Change:
    def change(shop: Shop) -> None:
        text = (shop.packages / f"{name}.py").read_text(encoding="utf-8")
        shop.install(name, version, text.replace(old, new) if old else text)

    return change


Row = dict[str, Any]


def _rows(path: str, touch: Callable[[Row, random.Random], Row | None]) -> Change:
    """Return a change of each row of a file; None drops it."""

    def change(shop: Shop) -> None:
        chance = random.Random(5)
        with (shop.root / path).open(encoding="utf-8", newline="") as stream:
            rows: list[Row] = [dict(row) for row in csv.DictReader(stream)]
        found = [touched for row in rows if (touched := touch(row, chance)) is not None]
        shop.write_rows(path, found)

    return change


def _where(column: str, value: str, part: float, **new: Any) -> Callable[[Row, random.Random], Row | None]:
    def touch(row: Row, chance: random.Random) -> Row | None:
        return {**row, **new} if row[column] == value and chance.random() < part else row

    return touch


def _without(column: str, value: str, part: float = 1.0) -> Callable[[Row, random.Random], Row | None]:
    def touch(row: Row, chance: random.Random) -> Row | None:
        return None if row[column] == value and chance.random() < part else row

    return touch


def _scaled(column: str, factor: float, where: Callable[[Row], bool] = lambda _: True) -> Callable[[Row, random.Random], Row]:
    def touch(row: Row, _: random.Random) -> Row:
        return {**row, column: round(float(row[column]) * factor, 2)} if where(row) else row

    return touch


def _some(part: float, **new: Any) -> Callable[[Row, random.Random], Row]:
    def touch(row: Row, chance: random.Random) -> Row:
        return {**row, **new} if chance.random() < part else row

    return touch


def _thinned(part: float) -> Callable[[Row, random.Random], Row | None]:
    def touch(row: Row, chance: random.Random) -> Row | None:
        return None if chance.random() < part else row

    return touch


def _unsold(shop: Shop) -> None:
    path = shop.root / "data/products.csv"
    path.write_text(path.read_text(encoding="utf-8") + "P999,Garden,21\n", encoding="utf-8")


def _customers(row: Row, _: random.Random) -> Row:
    return {**row, "customer": row["customer"].replace("C0", "K0")}


DISTRACTORS: Mapping[str, tuple[str, Change]] = {
    "readme": ("words", lambda shop: shop.write("README.md", "# The shop\n\nSells things.\n")),
    "comment": ("a comment", _cell("orders", "import numpy as np", "# numbers\nimport numpy as np")),
    "label": ("the label", _set(label="by day")),
    "top": ("more of the top", _set(top_n=25)),
    "currency": ("the base currency", _set(base_currency="EUR")),
    "vat": ("the tax", _set(vat_rate=0.19)),
    "text": ("tinytext", _package("tinytext", "3.0.0", 'replace(" ", "-")', 'replace(" ", "_")')),
    "text patch": ("tinytext", _package("tinytext", "2.1.1", "", "")),
    "slug": ("slugs in lower case", _cell("orders", 'slug(orders["category"])', 'slug(orders["category"]).str.lower()')),
    "weekday": ("short days", _cell("orders", ".dt.day_name()", ".dt.day_name().str[:3]")),
    "shelf": ("shelves", _cell("products", "str[-1]", "str[-2:]")),
    "note": ("notes", _cell("load", '"-" + sales["country"].str[:2]', '"/" + sales["country"].str[:3]')),
    "describe": ("look", _cell("clean", "sales.describe()", "sales.info()\nsales.describe()")),
    "described": ("words of a rule", _module('sales"', 'valid sales"')),
    "refactor": ("turned around", _cell("orders", '["quantity"] * orders["price"]', '["price"] * orders["quantity"]')),
    "rename": ("names", _cell("clean", "sales", "found")),
    "kind": ("kinds", _cell("revenue", '"kind"] = label', '"kind"] = label.upper()')),
    "unsold": ("a product more", _unsold),
    "customers": ("customers' numbers", _rows("data/sales.csv", _customers)),
}


def _code() -> Iterator[Fault]:
    orders, clean, load, revenue = "task:orders", "task:clean", "task:load", "task:revenue"
    listed: list[tuple[str, str, Change, tuple[str, ...], tuple[str, ...]]] = [
        ("sign of the discount", orders, _cell("orders", "(1 - discount", "(1 + discount"), ("orders.amount:mean",), ("label", "text")),
        ("gross in cents", orders, _cell("orders", 'orders["quantity"] * orders["price"]', 'orders["quantity"] * orders["price"] * 100'),
         ("orders.gross:mean", "orders.amount:mean"), ("vat", "readme")),
        ("inner join with few rates", orders, _cell("orders", 'orders.merge(rates, on="country", how="left")',
         'orders.merge(rates.head(4), on="country", how="left")'), ("orders.amount:nullRate",), ("weekday", "currency")),
        ("a filter turned around", clean, _cell("clean", 'sales["quantity"] >= min_quantity', 'sales["quantity"] > min_quantity + 2'),
         ("valid:rowCount",), ("describe", "text")),
        ("duplicates by customer", clean, _cell("clean", '["sale"]', '["customer"]'), ("valid:rowCount", "orders:rowCount"), ("shelf", "top")),
        ("prices rounded to tens", clean, _cell("clean", ".round(2)", ".round(-1)"), ("valid.price:mean", "orders.amount:quantile:0.1"), ("note", "slug")),
        ("valid only above 20", "file:shop/rules.py", _module('["price"] > 0', '["price"] > 20'), ("valid:rowCount",), ("text", "kind")),
        ("large from 4 on", "file:shop/rules.py", _module("LARGE = 10", "LARGE = 4"), ("valid.size:share:large",), ("note", "vat")),
        ("tax of net", orders, _cell("orders", 'orders["amount"] * vat_rate', 'orders["amount"] * vat_rate * 2'), ("orders.tax:mean",), ("currency", "text patch")),
        ("mean for sum", revenue, _cell("revenue", '("amount", "sum")', '("amount", "mean")'), ("revenue.amount:mean",), ("top", "kind")),
        ("dates of another year", load, _cell("load", 'pd.to_datetime(sales["day"])', 'pd.to_datetime(sales["day"]) + pd.Timedelta(days=365)'),
         ("sales.day:maximum", "orders.day:maximum"), ("unsold", "describe")),
        ("country in capitals", load, _cell("load", '["country"].str.strip()', '["country"].str.strip().str.upper()'), ("orders.amount:nullRate",), ("weekday", "label")),
        ("margin of nothing", "task:products", _cell("products", "* 0.3", "* 0.003"), ("products.margin:mean", "orders.margin:mean"), ("slug", "text")),
        ("one segment's values lost", orders, _cell("orders", 'orders["weekday"]', 'orders.loc[orders["country"] == "EIRE", "amount"] = None\norders["weekday"]'),
         ("orders.amount:nullRate",), ("customers", "label")),
        ("only the head", load, _cell("load", 'sales["day"] >= since]', 'sales["day"] >= since].head(900)'), ("sales:rowCount",), ("text", "shelf")),
        ("a column that is not there", orders, _cell("orders", 'orders["day"].dt', 'orders["date"].dt'), ("task:orders",), ("vat", "text")),
    ]  # fmt: skip
    for name, subject, plant, shows, beside in listed:
        yield Fault(name=name, kind="code", subject=subject, plant=plant, shows=shows, beside=beside)


def _parameters() -> Iterator[Fault]:
    listed: list[tuple[str, str, Mapping[str, Any], tuple[str, ...], tuple[str, ...]]] = [
        ("discount of 90 %", "discount", {"discount": 0.9}, ("orders.amount:mean",), ("weekday", "text")),
        ("discount and a label", "discount", {"discount": 0.8, "label": "new", "top_n": 21}, ("orders.net:mean",), ("slug",)),
        ("from the end of March", "since", {"since": "2026-03-28"}, ("sales:rowCount",), ("note", "text")),
        ("since, seen far below", "since", {"since": "2026-03-25"}, ("revenue:rowCount",), ("kind", "vat")),
        ("at least four", "min_quantity", {"min_quantity": 4}, ("valid:rowCount", "orders:rowCount"), ("describe", "shelf")),
        ("at least four of a thing, seen in quantities", "min_quantity", {"min_quantity": 6}, ("valid.quantity:mean",), ("customers", "text")),
        ("a tax of 200 %", "vat_rate", {"vat_rate": 2.0}, ("orders.tax:mean",), ("slug", "text patch")),
        ("a tax in revenue", "vat_rate", {"vat_rate": 0.0}, ("revenue.tax:mean",), ("currency", "kind")),
        ("another currency", "base_currency", {"base_currency": "USD"}, ("orders.currency:share:USD",), ("weekday", "text")),
        ("two of the top", "top_n", {"top_n": 2}, ("top:rowCount",), ("kind", "vat")),
        ("discount beside a refactoring", "discount", {"discount": 0.7}, ("orders.amount:mean",), ("refactor", "text")),
    ]  # fmt: skip
    for name, parameter, values, shows, beside in listed:
        yield Fault(
            name=name, kind="parameter", subject=f"parameter:{parameter}", plant=_set(**values), shows=shows, beside=beside
        )


def _packages() -> Iterator[Fault]:
    fx, text = "tinyfx", "tinytext"
    listed: list[tuple[str, str, Change, tuple[str, ...], tuple[str, ...]]] = [
        ("rates turned around", fx, _package(fx, "2.0.0", "amount * rate", "amount / rate / rate"), ("orders.amount:mean",), ("weekday", "label")),
        ("in cents", fx, _package(fx, "1.1.0", "amount * rate", "amount * rate * 100"), ("orders.amount:mean", "orders.tax:mean"), ("slug", "vat")),
        ("a patch that loses values", fx, _package(fx, "1.0.1", "amount * rate", "(amount * rate).where(amount > 80)"), ("orders.amount:nullRate",), ("text", "currency")),
        ("seen in revenue", fx, _package(fx, "1.2.0", "amount * rate", "amount * 0"), ("revenue.amount:mean",), ("kind", "top")),
        ("clipped", fx, _package(fx, "1.0.2", "amount * rate", "(amount * rate).clip(upper=100)"), ("orders.amount:maximum",), ("refactor", "text")),
        ("slugs lost", text, _package(text, "3.0.0", 'text.str.replace(" ", "-")', "text.where(text.str.len() < 6)"), ("orders.slug:nullRate",), ("weekday", "currency")),
        ("one slug for all", text, _package(text, "2.2.0", 'text.str.replace(" ", "-")', 'text.str[:1] + "-"'), ("orders.slug:shares",), ("vat", "note")),
        ("it raises", fx, _package(fx, "2.0.0", "def convert(amount, rate)", "def change(amount, rate)"), ("task:orders",), ("weekday", "label")),
        ("negative", fx, _package(fx, "3.0.0", "amount * rate", "-amount * rate"), ("orders.amount:minimum",), ("customers", "text patch")),
    ]  # fmt: skip
    for name, package, plant, shows, beside in listed:
        yield Fault(name=name, kind="package", subject=f"package:{package}", plant=plant, shows=shows, beside=beside)


def _inputs() -> Iterator[Fault]:
    sales, rates, products = "data/sales.csv", "data/rates.csv", "data/products.csv"
    listed: list[tuple[str, str, Change, tuple[str, ...], tuple[str, ...]]] = [
        ("half of the rows", sales, _rows(sales, _thinned(0.5)), ("sales:rowCount",), ("note", "text")),
        ("half of the rows, seen below", sales, _rows(sales, _thinned(0.4)), ("orders:rowCount",), ("slug", "vat")),
        ("prices in cents", sales, _rows(sales, _scaled("price", 100)), ("sales.price:mean", "orders.amount:mean"), ("weekday", "text")),
        ("prices in cents, beside a refactoring", sales, _rows(sales, _scaled("price", 100)), ("orders.gross:mean",), ("refactor", "currency")),
        ("prices missing anywhere", sales, _rows(sales, _some(0.3, price=None)), ("sales.price:nullRate",), ("note", "label")),
        ("rates ten times", rates, _rows(rates, _scaled("rate", 10)), ("orders.amount:mean",), ("slug", "text")),
        ("rates all one", rates, _rows(rates, _some(1.0, rate=0.2)), ("orders.amount:mean",), ("refactor", "vat")),
        ("list prices thrice", products, _rows(products, _scaled("list_price", 3)), ("products.margin:mean", "orders.margin:mean"), ("shelf", "text")),
        ("no categories", products, _rows(products, _some(0.6, category=None)), ("products.category:nullRate",), ("label", "weekday")),
        ("few products", products, _rows(products, _thinned(0.5)), ("orders.margin:nullRate",), ("slug", "currency")),
        ("quantities of packs", sales, _rows(sales, _scaled("quantity", 12)), ("valid.quantity:mean",), ("described", "text")),
        ("a column renamed", products, lambda shop: shop.edit(products, "category", "kind"), ("task:products",), ("weekday", "text")),
    ]  # fmt: skip
    for name, path, plant, shows, beside in listed:
        yield Fault(name=name, kind="input", subject=f"file:{path}", plant=plant, shows=shows, beside=beside)


def _segments() -> Iterator[Fault]:
    sales = "data/sales.csv"
    listed: list[tuple[str, str, Change, tuple[str, ...], tuple[str, ...]]] = [
        ("no prices in EIRE", "EIRE", _rows(sales, _where("country", "EIRE", 0.98, price=None)), ("sales.price:nullRate",), ("note", "text")),
        ("no customers by phone", "phone", _rows(sales, _where("channel", "phone", 1.0, customer=None)), ("sales.customer:nullRate",), ("label", "shelf")),
        ("no prices in Norway, seen in orders", "Norway", _rows(sales, _where("country", "Norway", 1.0, product=None)), ("sales.product:nullRate",), ("slug", "vat")),
        ("the store is closed", "store", _rows(sales, _without("channel", "store")), ("sales:rowCount",), ("weekday", "text")),
        ("nothing from France", "France", _rows(sales, _without("country", "France")), ("orders:rowCount",), ("kind", "currency")),
        ("German prices in cents", "Germany", _rows(sales, _scaled("price", 100, lambda row: row["country"] == "Germany")), ("sales.price:mean",), ("text", "label")),
        ("Spanish prices in cents, in orders", "Spain", _rows(sales, _scaled("price", 100, lambda row: row["country"] == "Spain")), ("orders.gross:mean",), ("slug", "top")),
        ("quantities on the web", "web", _rows(sales, _scaled("quantity", 10, lambda row: row["channel"] == "web")), ("valid.quantity:mean",), ("described", "text")),
        ("a product without a price", "P007", _rows(sales, _where("product", "P007", 1.0, price=None)), ("sales.price:nullRate",), ("note", "vat")),
        ("no channel in Portugal", "Portugal", _rows(sales, _where("country", "Portugal", 0.95, channel=None)), ("sales.channel:nullRate",), ("weekday", "text")),
    ]  # fmt: skip
    for name, value, plant, shows, beside in listed:
        yield Fault(name=name, kind="segment", subject=value, plant=plant, shows=shows, beside=beside)


FAULTS: tuple[Fault, ...] = (*_code(), *_parameters(), *_packages(), *_inputs(), *_segments())
