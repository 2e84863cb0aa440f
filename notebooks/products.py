# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Products: what the shop sells, one row a product
#
# The shop exports no product master, so it is derived from where codes appear: order lines and clicks. Master data
# comes before the transactions: `clean` then refuses order lines about products that do not exist.
#
# A product's code is five digits and up to two letters, or starts with `DCGS`. Everything else (`POST`, `BANK
# CHARGES`, a mistyped code) is no product. 650 codes of the real shop carry several descriptions; the one sold most
# often wins, and `descriptions` says how many there were.

# %% tags=["parameters"]
upstream = ["ingest"]
product = None

# %%
from shop.data import connect, save, table, view

con = connect()
view(con, "orders_raw", upstream["ingest"]["orders_raw"])
view(con, "events_raw", upstream["ingest"]["events_raw"])

# %% [markdown]
# ## One row a code
#
# What was `sold` decides on the description and the price: lines that took units back or wrote them off carry remarks
# ("damaged?") and prices of zero. A product that was only looked at has neither.

# %%
rows = save(
    con,
    """
    WITH lines AS (
        SELECT upper(stock_code) AS stock_code, nullif(trim(description), '') AS description, unit_price, invoiced_at,
            quantity > 0 AND unit_price > 0 AS sold
        FROM orders_raw
    ), named AS (
        SELECT stock_code, description, row_number() OVER (
            PARTITION BY stock_code ORDER BY count(*) FILTER (sold) DESC, count(*) DESC, description
        ) AS place
        FROM lines WHERE description IS NOT NULL GROUP BY stock_code, description
    ), ordered AS (
        SELECT stock_code, count(DISTINCT description) FILTER (sold) AS descriptions,
            quantile_disc(unit_price, 0.5) FILTER (sold) AS price,
            min(invoiced_at) FILTER (sold) AS first_sold_at, max(invoiced_at) FILTER (sold) AS last_sold_at
        FROM lines GROUP BY stock_code
    ), codes AS (
        SELECT stock_code FROM ordered UNION SELECT upper(stock_code) FROM events_raw
    )
    SELECT stock_code, description, coalesce(descriptions, 0) AS descriptions, price, first_sold_at, last_sold_at
    FROM codes LEFT JOIN ordered USING (stock_code) LEFT JOIN (FROM named WHERE place = 1) USING (stock_code)
    WHERE regexp_full_match(stock_code, '[0-9]{5}[A-Z]{0,2}|DCGS[0-9A-Z]+')
    ORDER BY stock_code
    """,
    product["products"],
)
view(con, "products", product["products"])

# %%
table(
    con,
    """
    SELECT CASE WHEN price IS NULL THEN 'never sold' WHEN price < 1 THEN 'below 1' WHEN price < 5 THEN '1 to 5'
        WHEN price < 20 THEN '5 to 20' ELSE '20 and more' END AS price,
        count(*) AS products, count(*) FILTER (descriptions > 1) AS with_several_descriptions, count(*)
            FILTER (description IS NULL) AS without_description
    FROM products GROUP BY ALL ORDER BY min(products.price) NULLS FIRST
""",
    caption=f"{rows:,} products by price",
)
