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
# # Clean: sort the order lines
#
# An export of order lines holds more than sales. This task sorts them into four datasets and **accounts for every
# row**:
#
# - `orders`: products sold;
# - `cancellations`: lines taken back (their invoice number starts with `C`);
# - `adjustments`: stock write-offs, postage and fees, bad debt: true entries, but not sales of products;
# - exact copies of a row, which say nothing new, are dropped and counted.
#
# What is **wrong** rather than different (a price of zero or below, an absurd price, a product that does not exist)
# stays in `orders` here: the contract `contracts/orders.odcs.yaml` names such rows, and nbops sets them aside in
# quarantine with the reason. Nobody has to read this code to know the rules, and no row vanishes in it.

# %% tags=["parameters"]
upstream = ["ingest", "products", "customers"]
product = None

# %%
from shop.data import connect, save, table, view

con = connect()
view(con, "orders_raw", upstream["ingest"]["orders_raw"])
view(con, "products", upstream["products"]["products"])
view(con, "customers", upstream["customers"]["customers"])

# %% [markdown]
# ## Sort
#
# One pass drops exact copies (`GROUP BY` all columns) and names the kind of each line. The order of the tests
# matters: a cancelled postage fee is a cancellation.

# %%
con.execute("""
    CREATE TABLE lines AS
    SELECT *,
        count(*) AS copies,
        CASE
            WHEN invoice LIKE 'C%' THEN 'cancellation'
            WHEN invoice LIKE 'A%' THEN 'bad debt'
            WHEN regexp_matches(stock_code, '^[A-Za-z]') AND stock_code NOT LIKE 'DCGS%' THEN 'fee'
            WHEN quantity < 0 THEN 'write-off'
            ELSE 'sale'
        END AS kind
    FROM orders_raw
    GROUP BY ALL
""")
table(
    con,
    """
    SELECT kind, count(*) AS lines, sum(copies - 1)::BIGINT AS copies_dropped,
        round(sum(quantity * unit_price::DECIMAL(12, 3)), 2)::DOUBLE AS value
    FROM lines GROUP BY kind ORDER BY lines DESC
    """,
    caption="Kinds of order lines",
)

# %% [markdown]
# ## Tidy
#
# Small repairs that lose nothing: blanks around descriptions, codes in two spellings (`85123a`, `85123A`), and a
# country that says it is unknown. A line gets its number within the invoice, so that every row has a key.

# %%
con.execute("""
    CREATE VIEW tidy AS
    SELECT
        invoice,
        row_number() OVER (
            PARTITION BY invoice ORDER BY invoiced_at, stock_code, quantity, unit_price, description, customer_id, country
        )::INTEGER AS line_number,
        upper(stock_code) AS stock_code,
        nullif(trim(description), '') AS description,
        quantity,
        invoiced_at,
        unit_price,
        round(quantity * unit_price::DECIMAL(12, 3), 2)::DOUBLE AS revenue,
        customer_id,
        nullif(country, 'Unspecified') AS country,
        kind
    FROM lines
""")
written = {
    "orders": save(
        con, "SELECT * EXCLUDE (kind) FROM tidy WHERE kind = 'sale' ORDER BY invoiced_at, invoice, line_number", product["orders"]
    ),
    "cancellations": save(
        con,
        "SELECT * EXCLUDE (kind) FROM tidy WHERE kind = 'cancellation' ORDER BY invoiced_at, invoice, line_number",
        product["cancellations"],
    ),
    "adjustments": save(
        con,
        "SELECT * FROM tidy WHERE kind NOT IN ('sale', 'cancellation') ORDER BY invoiced_at, invoice, line_number",
        product["adjustments"],
    ),
}

# %% [markdown]
# ## Account for every row
#
# Rows in must equal rows out. `goes_to` says where; lines marked *changed* were repaired and are counted above already.

# %%
con.execute("""
    CREATE TABLE report AS
    SELECT 1 AS step, 'read' AS rule, 'in' AS effect, 'orders_raw' AS goes_to, count(*) AS rows FROM orders_raw
    UNION ALL SELECT 2, 'exact copy', 'dropped', NULL, coalesce(sum(copies - 1), 0)::BIGINT FROM lines
    UNION ALL SELECT 3, 'cancellation', 'sorted', 'cancellations', count(*) FILTER (kind = 'cancellation') FROM lines
    UNION ALL SELECT 4, 'write-off', 'sorted', 'adjustments', count(*) FILTER (kind = 'write-off') FROM lines
    UNION ALL SELECT 5, 'fee', 'sorted', 'adjustments', count(*) FILTER (kind = 'fee') FROM lines
    UNION ALL SELECT 6, 'bad debt', 'sorted', 'adjustments', count(*) FILTER (kind = 'bad debt') FROM lines
    UNION ALL SELECT 7, 'sale', 'sorted', 'orders', count(*) FILTER (kind = 'sale') FROM lines
    UNION ALL SELECT 8, 'blanks around description', 'changed', NULL, count(*)
        FILTER (description <> trim(description)) FROM lines
    UNION ALL SELECT 9, 'lower-case stock code', 'changed', NULL, count(*) FILTER (stock_code <> upper(stock_code))
        FROM lines
    UNION ALL SELECT 10, 'unspecified country', 'changed', NULL, count(*) FILTER (country = 'Unspecified') FROM lines
""")
save(con, "FROM report ORDER BY step", product["cleaning_report"])
table(con, "SELECT rule, effect, goes_to, rows FROM report ORDER BY step", caption="Where each row went")

# %%
[(rows_in, dropped)] = con.sql(
    "SELECT sum(rows) FILTER (effect = 'in'), sum(rows) FILTER (effect = 'dropped') FROM report"
).fetchall()
assert rows_in == dropped + sum(written.values()), (
    f"{rows_in:,} rows came in; {dropped:,} were dropped and {sum(written.values()):,} went out"
)
print(f"{rows_in:,} rows in = {dropped:,} copies dropped + " + " + ".join(f"{rows:,} {name}" for name, rows in written.items()))

# %% [markdown]
# ## What the contract will set aside
#
# A preview, and no rule: what counts is `contracts/orders.odcs.yaml`. Run by nbops, these rows end in quarantine,
# each with its reasons; run by Ploomber alone, they stay in.

# %%
view(con, "orders", product["orders"])
table(
    con,
    """
    SELECT count(*) FILTER (unit_price <= 0) AS without_price, count(*) FILTER (unit_price > 1000) AS absurd_price,
        count(*) FILTER (stock_code NOT IN (SELECT stock_code FROM products)) AS unknown_product,
        count(*) FILTER (customer_id NOT IN (SELECT customer_id FROM customers)) AS unknown_customer
    FROM orders
""",
    caption="Order lines with something wrong",
)
