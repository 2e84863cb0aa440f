"""A simulated shop: order lines and clicks with tastes, seasons, guests, cancellations, write-offs, and dirt of known truth.

Everything is vectorised and made in chunks, so that ten million order lines fit in a few gigabytes. Same arguments,
    same bytes.

Order lines come from a small latent model. Each customer likes a few of 24 themes (a Dirichlet draw); each line draws a theme
from that taste and a product from the theme (Zipf-like). A recommender that finds the tastes beats one that only knows what
sells best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shop.catalog import THEMES, Customers, Products, make_customers, make_products

__all__ = ["EVENTS_SCHEMA", "ORDERS_SCHEMA", "REGISTER_SCHEMA", "Plan", "simulate"]

SMALLEST, LARGEST = 1_000, 10_000_000
CHUNK = 200_000
"""Order lines made at a time."""
FIRST_INVOICE = 500_000
FEES = ("POST", "DOT", "M", "BANK CHARGES")

ORDERS_SCHEMA = pa.schema(
    [
        ("invoice", pa.string()),
        ("stock_code", pa.string()),
        ("description", pa.string()),
        ("quantity", pa.int64()),
        ("invoiced_at", pa.timestamp("us")),
        ("unit_price", pa.float64()),
        ("customer_id", pa.string()),
        ("country", pa.string()),
    ]
)
EVENTS_SCHEMA = pa.schema(
    [
        ("event_id", pa.int64()),
        ("session_id", pa.string()),
        ("customer_id", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("event_type", pa.string()),
        ("stock_code", pa.string()),
    ]
)
REGISTER_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("name", pa.string()),
        ("email", pa.string()),
        ("birth_date", pa.date32()),
        ("country", pa.string()),
        ("registered_on", pa.date32()),
        ("consents_to_marketing", pa.bool_()),
    ]
)

# Share of the order lines that each kind of row, or dirt, makes up. Close to what the real shop's data shows.
_ROWS = {"duplicate": 0.0100, "cancelled": 0.0170, "write_off": 0.0025, "fee": 0.0055}
_DIRT = {
    "zero_price": 0.0020,
    "negative_price": 0.0002,
    "null_description": 0.0020,
    "malformed_code": 0.0010,
    "absurd_price": 0.0002,
}
_BLANKS, _GUESTS, _UNSPECIFIED, _ONLINE = 0.20, 0.20, 0.001, 0.40


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate.

    Attributes:
        lines: Rows of ``orders_raw``, 1,000 to 10,000,000.
        seed: Same seed, same bytes.
        first: First day.
        last: Last day, included. At least one day in between must not be a Saturday: the shop is closed then.
    """

    lines: int = 20_000
    seed: int = 7
    first: date = date(2025, 1, 1)
    last: date = date(2025, 12, 31)

    def __post_init__(self) -> None:
        if not SMALLEST <= self.lines <= LARGEST:
            raise ValueError(f"scale: {self.lines:,} order lines. Allowed: {SMALLEST:,} to {LARGEST:,}.")
        if self.last < self.first:
            raise ValueError(f"until ({self.last}) is before since ({self.first}). Swap them.")
        if not len(self.open_days()):
            raise ValueError(
                f"the simulated shop is closed from {self.first} to {self.last}: choose a window with a day that is no Saturday."
            )

    def open_days(self) -> np.ndarray:
        """Days on which the shop sells: never a Saturday, as in the real data."""
        days = np.arange(np.datetime64(self.first), np.datetime64(self.last) + 1)
        return np.extract(_weekday(days) != 5, days)


def simulate(plan: Plan, *, orders: str, customers: str, events: str) -> dict[str, dict[str, int]]:
    """Write the simulated exports as Parquet and return the truth about them: for each file, counts by name.

    Args:
        plan: What to simulate.
        orders: Path for the order lines.
        customers: Path for the customer register.
        events: Path for the clicks.
    """
    shop = _Shop(plan)
    for path in (orders, customers, events):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(shop.customers.register.cast(REGISTER_SCHEMA), customers, compression="zstd")
    with (
        pq.ParquetWriter(orders, ORDERS_SCHEMA, compression="zstd") as order_file,
        pq.ParquetWriter(events, EVENTS_SCHEMA, compression="zstd") as event_file,
    ):
        for order_lines, clicks in shop.chunks():
            order_file.write_table(order_lines)
            event_file.write_table(clicks)
    return {
        "orders_raw": {name: int(shop.truth[name]) for name in sorted(shop.truth)},
        "customers_raw": shop.customers.truth,
        "events_raw": {name: int(shop.clicks[name]) for name in sorted(shop.clicks)},
    }


def _weekday(days: np.ndarray) -> np.ndarray:
    """Monday is 0 (1970-01-01 was a Thursday)."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _shares(total: int, chunks: int) -> np.ndarray:
    """Split a count into even chunks that add up."""
    return np.diff(np.round(np.linspace(0, total, chunks + 1)).astype(np.int64))


def _strings(values: np.ndarray, prefix: str = "") -> pa.Array:
    text = pa.array(values).cast(pa.string())
    return pc.binary_join_element_wise(prefix, text, "") if prefix else text


class _Shop:
    """The state of one simulation: entities, invoices, and the truth counted so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = np.random.default_rng(plan.seed)
        self.counts = {name: max(1, round(share * plan.lines)) for name, share in _ROWS.items()}
        self.sales = plan.lines - sum(self.counts.values())
        self.customers: Customers = make_customers(self.rng, int(np.clip(plan.lines // 60, 30, 120_000)), plan.first)
        self.products: Products = make_products(self.rng, int(np.clip(3 * plan.lines**0.5, 96, 5_000)))
        self.truth: Counter[str] = Counter()
        self.clicks: Counter[str] = Counter()
        self._make_invoices()

    def _make_invoices(self) -> None:
        """Draw every invoice's size, time and customer; invoice numbers follow time."""
        rng = self.rng
        size = np.minimum(rng.geometric(1 / 12, size=self.sales), 40)  # more than enough invoices
        ends = np.cumsum(size)
        count = int(np.searchsorted(ends, self.sales)) + 1
        self.ends = np.minimum(ends[:count], self.sales)
        days = self.plan.open_days()
        weekday = np.array([1.0, 1.05, 1.1, 1.2, 1.05, 0.0, 0.7])[_weekday(days)]
        month = days.astype("datetime64[M]").astype(np.int64) % 12
        season = np.where(month >= 8, 1 + 0.25 * (month - 7), 1.0)
        share = weekday * season
        day = np.sort(rng.choice(days, p=share / share.sum(), size=count))
        minute = np.floor(480 + 600 * rng.beta(2.2, 2.2, size=count))
        order = np.lexsort((minute, day))
        self.times = (day[order].astype("datetime64[m]") + minute[order].astype("timedelta64[m]")).astype("datetime64[us]")
        self.buyers = np.minimum(np.searchsorted(self.customers.activity, rng.random(count)), len(self.customers.ids) - 1)
        self.guests = rng.random(count) < _GUESTS
        self.unspecified = rng.random(count) < _UNSPECIFIED
        self.unspecified[rng.integers(count)] = True
        self.online = rng.random(count) < _ONLINE

    def chunks(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield order lines and clicks, chunk by chunk."""
        parts = max(1, -(-self.sales // CHUNK))
        edges = np.searchsorted(self.ends, np.cumsum(_shares(self.sales, parts)), side="left") + 1
        edges[-1] = len(self.ends)
        kinds = {name: _shares(count, parts) for name, count in self.counts.items()}
        dirt = {name: _shares(max(1, round(share * self.plan.lines)), parts) for name, share in _DIRT.items()}
        first = 0
        for part, last in enumerate(edges):
            chunk = _Chunk(self, first, int(last))
            chunk.add_rows({name: int(counts[part]) for name, counts in kinds.items() if name != "duplicate"})
            chunk.soil({name: int(counts[part]) for name, counts in dirt.items()})
            chunk.repeat(int(kinds["duplicate"][part]))
            self.truth.update(chunk.count())
            yield chunk.orders(), _clicks(self, chunk)
            first = int(last)

    def draw_products(self, buyers: np.ndarray) -> np.ndarray:
        """Draw a product for each line: a theme by the buyer's taste, then a product by its place in the theme."""
        u = self.rng.random((len(buyers), 3))
        theme = np.zeros(len(buyers), dtype=np.int64)
        for column in range(THEMES - 1):
            theme += self.customers.tastes[buyers, column] < u[:, 0]
        theme = np.where(u[:, 1] < 0.1, (u[:, 0] * THEMES).astype(np.int64), theme)  # now and then, anything
        return np.minimum(np.searchsorted(self.products.ladder, theme + u[:, 2], side="right"), len(self.products.prices) - 1)


class _Chunk:
    """Order lines as arrays: ``kind`` 0 sale, 1 cancelled, 2 write-off, 3 fee; one flag array per kind of dirt."""

    def __init__(self, shop: _Shop, first: int, last: int) -> None:
        self.shop = shop
        begin = int(shop.ends[first - 1]) if first else 0
        sizes = np.diff(shop.ends[first:last], prepend=begin)
        self.invoice = np.repeat(np.arange(first, last), sizes)
        self.sale_product = self._unlike(shop.draw_products(shop.buyers[self.invoice]))
        lines = len(self.invoice)
        self.product = self.sale_product
        self.kind = np.zeros(lines, dtype=np.int8)
        bulk = shop.rng.random(lines) < 0.3
        self.quantity = np.where(
            bulk, shop.rng.choice([12, 24, 48], size=lines), shop.rng.choice([1, 2, 3, 4, 6, 8, 10], size=lines)
        )
        price = shop.products.prices[self.product]
        self.price = np.where(self.quantity >= 12, np.maximum(np.round(price * 0.85, 2), 0.01), price)
        self.time = shop.times[self.invoice]
        self.first, self.last = first, last

    def _unlike(self, product: np.ndarray) -> np.ndarray:
        """Make products differ within an invoice, so that no duplicate row arises by chance."""
        count = len(self.shop.products.prices)
        while True:
            key = self.invoice * count + product
            again = np.ones(len(key), dtype=bool)
            again[np.unique(key, return_index=True)[1]] = False
            if not again.any():
                return product
            product = np.where(again, (product + 1) % count, product)

    def add_rows(self, counts: dict[str, int]) -> None:
        """Append cancellations of sale lines, stock write-offs and fees."""
        rng, sales = self.shop.rng, len(self.invoice)
        back = np.sort(rng.choice(sales, size=counts["cancelled"], replace=False))
        off = counts["write_off"]
        off_at = np.sort(rng.integers(sales, size=off))
        taken = int(self.shop.truth["negative_quantity_not_cancelled"])  # write-offs that earlier chunks numbered
        paid = np.sort(
            rng.choice(np.arange(self.first, self.last), size=counts["fee"], replace=False)
        )  # at most one fee an invoice
        fee = rng.integers(len(FEES), size=len(paid))
        self.kind = np.concatenate((self.kind, np.full(len(back), 1), np.full(off, 2), np.full(len(paid), 3))).astype(np.int8)
        numbers = len(self.shop.ends) + taken + np.arange(off)
        self.invoice = np.concatenate((self.invoice, self.invoice[back], numbers, paid))
        self.product = np.concatenate((self.product, self.product[back], self.product[off_at], fee))
        self.price = np.concatenate(
            (self.price, self.price[back], np.zeros(off), np.round(rng.uniform(5, 40, size=len(paid)), 2))
        )
        minus = -rng.integers(1, 200, size=off)
        self.quantity = np.concatenate((self.quantity, -self.quantity[back], minus, np.ones(len(paid), dtype=np.int64)))
        self.time = np.concatenate((self.time, self._returned(back), self.time[off_at], self.shop.times[paid]))

    def _returned(self, lines: np.ndarray) -> np.ndarray:
        """When lines are cancelled: days later, one time an invoice, on an open day; at the window's end, within the minute."""
        days = self.shop.rng.integers(1, 20, size=self.last - self.first)[self.invoice[lines] - self.first]
        when = self.time[lines] + days.astype("timedelta64[D]")
        when = np.where(_weekday(when) == 5, when + np.timedelta64(1, "D"), when)
        late = when >= np.datetime64(self.shop.plan.last) + np.timedelta64(1, "D")
        return np.where(late, self.time[lines] + np.timedelta64(1, "m"), when)

    def soil(self, counts: dict[str, int]) -> None:
        """Inject dirt into sale lines: at most one kind of each row, but for blanks around descriptions."""
        rng = self.shop.rng
        sales = np.flatnonzero(self.kind == 0)
        rows = rng.permutation(sales)[: sum(counts.values())]
        self.flags = dict(zip(counts, np.split(rows, np.cumsum(list(counts.values()))[:-1]), strict=True))
        self.price[self.flags["zero_price"]] = 0.0
        self.price[self.flags["negative_price"]] *= -1
        self.price[self.flags["absurd_price"]] = np.round(self.price[self.flags["absurd_price"]] * 100_000, 2)
        described = self.kind != 3
        described[self.flags["null_description"]] = False
        self.blank = described & (rng.random(len(self.kind)) < _BLANKS)

    def repeat(self, count: int) -> None:
        """Send some rows twice, and put everything in the order of time."""
        rng, rows = self.shop.rng, len(self.kind)
        again = rng.choice(rows, size=count, replace=False)
        at = np.concatenate((np.arange(rows), again))
        self.at = at[np.lexsort((at, self.invoice[at], self.time[at]))]
        self.dirty = {name: np.isin(np.arange(rows), flagged)[self.at] for name, flagged in self.flags.items()}
        self.duplicates = count
        for name in ("kind", "invoice", "product", "price", "quantity", "time", "blank"):
            setattr(self, name, getattr(self, name)[self.at])

    def _nobody(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows have no customer, and each row's invoice as an index (0 for write-offs)."""
        own = np.where(self.kind == 2, 0, self.invoice)
        return (self.kind == 2) | self.shop.guests[own], own

    def count(self) -> Counter[str]:
        """Count the truth from what was injected, never from the finished values."""
        nobody, own = self._nobody()
        off, cancelled, dirty = self.kind == 2, self.kind == 1, self.dirty
        unspecified = ~off & self.shop.unspecified[own]
        invoices = sum(len(np.unique(self.invoice[self.kind == kind])) for kind in (1, 2)) + self.last - self.first
        return Counter(
            {
                "rows": len(self.kind),
                "invoices": invoices,
                "null_customer": int(nobody.sum()),
                "null_description": int((off | dirty["null_description"]).sum()),
                "negative_quantity": int((off | cancelled).sum()),
                "cancelled_invoice_rows_C": int(cancelled.sum()),
                "negative_quantity_not_cancelled": int(off.sum()),
                "zero_price": int((off | dirty["zero_price"]).sum()),
                "negative_price": int(dirty["negative_price"].sum()),
                "absurd_price": int(dirty["absurd_price"].sum()),
                "exact_duplicate_rows": self.duplicates,
                "unspecified_country": int(unspecified.sum()),
                "fee_rows": int((self.kind == 3).sum()),
                "non_product_stock_code_rows": int(((self.kind == 3) | dirty["malformed_code"]).sum()),
                "malformed_stock_code": int(dirty["malformed_code"].sum()),
                "description_outer_whitespace": int((self.blank & ~off).sum()),
            }
        )

    def orders(self) -> pa.Table:
        """Turn the arrays into rows as the shop's system would export them."""
        shop, kind = self.shop, self.kind
        nobody, own = self._nobody()
        fee, off = kind == 3, kind == 2
        item = pa.array(np.where(fee, len(shop.products.prices) + self.product, self.product))
        code = pa.concat_arrays([shop.products.codes, pa.array(FEES)]).take(item)
        bad = pa.array(self.dirty["malformed_code"])
        text = pa.concat_arrays(
            [shop.products.descriptions, pa.array(("POSTAGE", "DOTCOM POSTAGE", "Manual", "Bank Charges"))]
        ).take(item)
        text = pc.if_else(pa.array(self.blank), pc.binary_join_element_wise(" ", text, "  ", ""), text)
        number = _strings(FIRST_INVOICE + self.invoice)
        buyer = pa.array(shop.buyers[own])
        country = pc.if_else(pa.array(nobody), "United Kingdom", shop.customers.countries.take(buyer))
        return pa.table(
            [
                pc.if_else(pa.array(kind == 1), pc.binary_join_element_wise("C", number, ""), number),
                pc.if_else(bad, pc.binary_join_element_wise(code, "?", ""), code),
                pc.if_else(pa.array(off | self.dirty["null_description"]), pa.scalar(None, pa.string()), text),
                pa.array(self.quantity.astype(np.int64)),
                pa.array(self.time),
                pa.array(self.price),
                pc.if_else(pa.array(nobody), pa.scalar(None, pa.string()), shop.customers.ids.take(buyer)),
                pc.if_else(pa.array(~off & shop.unspecified[own]), "Unspecified", country),
            ],
            schema=ORDERS_SCHEMA,
        )


def _clicks(shop: _Shop, chunk: _Chunk) -> pa.Table:
    """Make a chunk's clicks: what was bought online was viewed and carted first; more was viewed and left; some only browsed."""
    rng = shop.rng
    invoices = np.arange(chunk.first, chunk.last)
    begin = int(shop.ends[chunk.first - 1]) if chunk.first else 0
    bought_by = np.repeat(invoices, np.diff(shop.ends[chunk.first : chunk.last], prepend=begin))
    online = shop.online[bought_by]
    bought, lines = chunk.sale_product[online], bought_by[online]
    left = np.repeat(invoices[shop.online[invoices]], rng.poisson(3, size=int(shop.online[invoices].sum())))
    browsed = np.repeat(invoices, np.where(rng.random(len(invoices)) < 0.2, rng.poisson(4, size=len(invoices)), 0))
    session = np.concatenate((lines, lines, lines, left, browsed))
    only = np.arange(len(session)) >= len(session) - len(browsed)
    product = np.concatenate(
        (bought, bought, bought, shop.draw_products(shop.buyers[left]), shop.draw_products(shop.buyers[browsed]))
    )
    step = np.repeat([0, 1, 2, 0, 0], [len(lines), len(lines), len(lines), len(left), len(browsed)])
    carted = (step == 0) & (np.arange(len(step)) >= 3 * len(lines)) & (rng.random(len(step)) < 0.1)  # left in the cart
    step = np.where(carted, 1, step)
    before = np.where(step == 0, rng.integers(900, 2400, size=len(step)), rng.integers(60, 900, size=len(step)))
    before = np.where(only, before + 7200, np.where(step == 2, 0, before)).astype("timedelta64[s]")
    time = shop.times[session] - before
    order = np.lexsort((product, step, session, only, time))
    rows = len(order)
    unknown = rng.choice(rows, size=min(rows, max(1, rows // 1000)), replace=False) if rows else np.array([], dtype=np.int64)
    again = rng.choice(rows, size=rows // 500, replace=False) if rows else unknown
    nameless = shop.guests[session[order]]
    code = shop.products.codes.take(pa.array(product[order]))
    code = pc.if_else(pa.array(np.isin(np.arange(rows), unknown)), "?????", code)
    number = _strings(FIRST_INVOICE + session[order])
    table = pa.table(
        [
            pa.array(shop.clicks["rows"] - shop.clicks["exact_duplicate_rows"] + np.arange(rows) + 1),
            pc.if_else(
                pa.array(only[order]), pc.binary_join_element_wise("b", number, ""), pc.binary_join_element_wise("s", number, "")
            ),
            pc.if_else(
                pa.array(nameless), pa.scalar(None, pa.string()), shop.customers.ids.take(pa.array(shop.buyers[session[order]]))
            ),
            pa.array(time[order]),
            pa.array(["view", "cart", "purchase"]).take(pa.array(step[order])),
            code,
        ],
        schema=EVENTS_SCHEMA,
    ).take(pa.array(np.sort(np.concatenate((np.arange(rows), again)), kind="stable")))
    bad = np.isin(np.concatenate((np.arange(rows), again)), unknown).sum()
    shop.clicks.update({"rows": table.num_rows, "exact_duplicate_rows": len(again), "unknown_stock_code": int(bad)})
    return table
