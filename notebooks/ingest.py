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
# # Ingest: take in what the shop exports
#
# Three exports come in: order lines, the customer register, and clicks. This task keeps **every row as it came**,
# dirt and all: what is thrown away here could never be looked into again. It only gives the columns the names that
# the rest of the pipeline uses.
#
# | `source` | order lines | customers and clicks |
# |---|---|---|
# | `simulated` | a seeded shop, `scale` lines large | simulated too |
# | a folder of daily CSV files, or a Parquet file | the real shop | none were exported: columns, and no rows |

# %% tags=["parameters"]
upstream = None
product = None
source = "simulated"
since = ""
until = ""
scale = 20_000
seed = 7

# %%
import json
from pathlib import Path

import nbops
from shop.data import connect, save, table, view
from shop.simulate import EVENTS_SCHEMA, REGISTER_SCHEMA, Plan, simulate
from shop.source import Window, read_orders

window = Window.parse(since=since, until=until)
con = connect()

# %% [markdown]
# ## Read or simulate
#
# The reader is strict. A byte order mark, a lost comma, a letter in a number, a truncated file: each stops the
# pipeline here, with the file, the line, what was expected and what to do. The simulator also says how much dirt of
# each kind it mixed in.

# %%
if str(source) == "simulated":
    days = {"first": window.since, "last": window.until}
    plan = Plan(lines=int(scale), seed=int(seed), **{end: day for end, day in days.items() if day})
    truth = simulate(plan, orders=product["orders_raw"], customers=product["customers_raw"], events=product["events_raw"])
else:
    import pyarrow.parquet as pq

    read_orders(con, str(source), window, product["orders_raw"])
    pq.write_table(REGISTER_SCHEMA.empty_table(), product["customers_raw"])
    pq.write_table(EVENTS_SCHEMA.empty_table(), product["events_raw"])
    truth = {}
Path(product["known_dirt"]).write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n", encoding="utf-8")
view(con, "orders_raw", product["orders_raw"])

# %% [markdown]
# ## What came in
#
# One scan counts what will need cleaning. For the simulated shop, `known` is what was mixed in; the two columns must
# agree.

# %%
counted = """
    SELECT count(*) AS rows,
        count(DISTINCT invoice) AS invoices,
        count(*) FILTER (customer_id IS NULL) AS null_customer,
        count(*) FILTER (description IS NULL) AS null_description,
        count(*) FILTER (description <> trim(description)) AS description_outer_whitespace,
        count(*) FILTER (quantity < 0) AS negative_quantity,
        count(*) FILTER (invoice LIKE 'C%') AS "cancelled_invoice_rows_C",
        count(*) FILTER (quantity < 0 AND invoice NOT LIKE 'C%') AS negative_quantity_not_cancelled,
        count(*) FILTER (unit_price = 0) AS zero_price,
        count(*) FILTER (unit_price < 0) AS negative_price,
        count(*) FILTER (unit_price > 1000 AND stock_code SIMILAR TO '[0-9].*') AS absurd_price,
        count(*) FILTER (country = 'Unspecified') AS unspecified_country,
        count(*) FILTER (NOT regexp_full_match(stock_code, '[0-9]{5}[A-Za-z]*')) AS non_product_stock_code_rows,
        count(*) FILTER (regexp_matches(stock_code, '^[A-Za-z]') AND stock_code NOT LIKE 'DCGS%') AS fee_rows,
        count(*) FILTER (NOT regexp_full_match(stock_code, '[0-9]{5}[A-Za-z]{0,2}|[A-Za-z].*')) AS malformed_stock_code,
        (SELECT coalesce(sum(copies - 1), 0)::BIGINT FROM (SELECT count(*) AS copies FROM orders_raw
            GROUP BY ALL_COLUMNS)) AS exact_duplicate_rows
    FROM orders_raw
""".replace("ALL_COLUMNS", ", ".join(con.table("orders_raw").columns))
con.execute("CREATE TABLE known (measure VARCHAR, known BIGINT)")
for item in truth.get("orders_raw", {}).items():
    con.execute("INSERT INTO known VALUES (?, ?)", item)
con.execute(f"CREATE TABLE found AS SELECT measure, found FROM (UNPIVOT ({counted}) ON COLUMNS(*) INTO NAME measure VALUE found)")
save(con, "SELECT measure, found, known FROM found LEFT JOIN known USING (measure) ORDER BY measure", product["dirt_report"])
view(con, "dirt_report", product["dirt_report"])
table(con, "FROM dirt_report ORDER BY found DESC, measure", caption="Order lines as they came")

# %%
surprises = con.sql("FROM dirt_report WHERE found <> known").fetchall()
nbops.expect(not surprises, "found dirt equals known dirt", severity="error")
