"""Invent a shop's customers and products: seeded, so that the same seed gives the same shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

__all__ = ["THEMES", "Customers", "Products", "make_customers", "make_products"]

THEMES = 24
"""Tastes of the shop. A customer likes a few; a product belongs to one. They are what a recommender can find out."""

_THINGS = (
    "MUG, TEA SET, CAKE STAND, LUNCH BOX, RECIPE TIN, APRON, T-LIGHT HOLDER, LANTERN, CANDLE, INCENSE, DOORMAT, CUSHION "
    "COVER, QUILT, HOT WATER BOTTLE, WALL CLOCK, PHOTO FRAME, NOTEBOOK, PENCIL CASE, GIFT WRAP, BUNTING, JIGSAW, SKIPPING "
    "ROPE, BIRD FEEDER, WATERING CAN"
).split(", ")
_COLOURS = ("RED, WHITE, BLUE, PINK, GREEN, IVORY, BLACK, CREAM, GOLD, SILVER, VINTAGE, RUSTIC").split(", ")
_STYLES = ("RETROSPOT, POLKADOT, HEART, PAISLEY, STAR, ROSE, STRAWBERRY, WOODLAND, CIRCUS, REGENCY, ENAMEL, WOODEN").split(", ")
_FIRST = (
    "Ada, Alan, Amina, Anna, Aoife, Bram, Carlos, Chloe, Clara, Dmitri, Elif, Emma, Eva, Farid, Finn, Grace, Hana, Hugo, "
    "Ines, Ivan, Jan, Joao, Julia, Kofi, Lars, Lena, Louis, Maria, Mei, Mila, Nadia, Noah, Olga, Omar, Paula, Rosa, Sami, "
    "Sofia, Tom, Zoe"
).split(", ")
_LAST = (
    "Adeyemi, Andersen, Bakker, Becker, Bianchi, Brown, Byrne, Costa, Dubois, Evans, Fischer, Garcia, Green, Haddad, "
    "Hansen, Ivanova, Jansen, Jones, Keller, Khan, Kowalski, Larsen, Lefevre, Lopez, Martin, Meyer, Murphy, Nakamura, "
    "Novak, O'Brien, Okafor, Patel, Petrov, Quinn, Rossi, Schmidt, Silva, Smith, Taylor, Virtanen, Walker, Wang, Yilmaz, "
    "Young"
).split(", ")
_COUNTRIES = ("United Kingdom, Germany, France, EIRE, Spain, Netherlands, Belgium, Switzerland, Portugal, Norway").split(", ")
_COUNTRY_SHARES = (0.86, 0.035, 0.03, 0.025, 0.012, 0.01, 0.009, 0.008, 0.006, 0.005)


@dataclass(frozen=True, kw_only=True)
class Customers:
    """The shop's customers; arrays of equal length."""

    ids: pa.Array
    countries: pa.Array
    activity: np.ndarray
    """Cumulative share of orders."""
    tastes: np.ndarray
    """Customers x themes, cumulative along the themes."""
    register: pa.Table
    """What the customer register exports, with its dirt."""
    truth: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Products:
    """The shop's products, grouped by theme; arrays of equal length."""

    codes: pa.Array
    descriptions: pa.Array
    prices: np.ndarray
    ladder: np.ndarray
    """Theme number plus the cumulative share within the theme: one sorted array to look up any draw in."""


def make_products(rng: np.random.Generator, count: int) -> Products:
    """Invent products with Zipf-like popularity within their theme. Prices are in pounds."""
    theme = np.sort(np.arange(count) % THEMES)
    numbers = 20000 + np.sort(rng.choice(70000, size=count, replace=False))
    letters = np.where(rng.random(count) < 0.25, rng.choice(list("ABCDEFGS"), size=count), "")
    colour, style = rng.choice(_COLOURS, size=count), rng.choice(_STYLES, size=count)
    names = [f"{c} {s} {_THINGS[t]}" for c, s, t in zip(colour, style, theme, strict=True)]
    prices = np.round(np.clip(np.exp(rng.normal(0.9, 0.8, size=count)), 0.19, 90), 2)
    first = np.searchsorted(theme, theme)
    rank = np.arange(count) - first
    weight = 1 / (rank + 2.0)
    totals = np.bincount(theme, weights=weight, minlength=THEMES)
    running = np.cumsum(weight) - np.concatenate(([0.0], np.cumsum(totals)))[theme]
    return Products(
        codes=pa.array([f"{n}{x}" for n, x in zip(numbers, letters, strict=True)]),
        descriptions=pa.array(names),
        prices=prices,
        ladder=theme + np.minimum(running / totals[theme], 1.0),
    )


def make_customers(rng: np.random.Generator, count: int, opened: date) -> Customers:
    """Invent customers with few strong tastes each, and the register entry (with personal data) of each.

    Args:
        rng: Where chance comes from.
        count: How many customers.
        opened: First day of the shop's data; everybody registered before it.
    """
    ids = pa.array([str(12000 + n) for n in range(count)])
    activity = np.cumsum(rng.lognormal(0.0, 1.0, size=count))
    tastes = np.cumsum(rng.dirichlet(np.full(THEMES, 0.08), size=count), axis=1)
    countries = pa.array(rng.choice(_COUNTRIES, p=_COUNTRY_SHARES, size=count))
    first, last = rng.choice(_FIRST, size=count), rng.choice(_LAST, size=count)
    emails = [
        f"{f}.{name.replace(chr(39), '')}{n}@example.{'com' if n % 3 else 'org'}".lower()
        for n, (f, name) in enumerate(zip(first, last, strict=True))
    ]
    bad_mail = rng.choice(count, size=max(1, count // 100), replace=False)
    for row in bad_mail:
        emails[row] = emails[row].replace("@", " at ")
    nameless = set(rng.choice(count, size=max(1, count // 200), replace=False).tolist())
    registered = np.datetime64(opened) - rng.integers(1, 900, size=count).astype("timedelta64[D]")
    born = np.datetime64("1940-01-01") + rng.integers(0, 23000, size=count).astype("timedelta64[D]")
    register = pa.table(
        {
            "customer_id": ids,
            "name": pa.array(
                [None if n in nameless else f"{f} {x}" for n, (f, x) in enumerate(zip(first, last, strict=True))], pa.string()
            ),
            "email": pa.array(emails),
            "birth_date": pa.array(born.astype("datetime64[D]")),
            "country": countries,
            "registered_on": pa.array(registered.astype("datetime64[D]")),
            "consents_to_marketing": pa.array(rng.random(count) < 0.6),
        }
    )
    again = np.sort(rng.choice(count, size=max(1, count // 100), replace=False))
    register = register.take(pa.array(np.sort(np.concatenate((np.arange(count), again)), kind="stable")))
    mails = register.column("email").to_pylist()
    return Customers(
        ids=ids,
        countries=countries,
        activity=activity / activity[-1],
        tastes=tastes,
        register=register,
        truth={
            "rows": register.num_rows,
            "customers": count,
            "exact_duplicate_rows": len(again),
            "malformed_email": sum("@" not in mail for mail in mails),
            "null_name": register.column("name").null_count,
        },
    )
