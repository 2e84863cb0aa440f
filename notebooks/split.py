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
# # Split: learn from the past, judge by what came next
#
# A recommender must be judged on purchases that it could not have seen. So the data is cut **by time**:
# `interactions_train` is what was known on the cut, `interactions_test` what was bought afterwards. (A random split
# would let the model peek at the future.) `interactions` is everything known today, for the recommendations that are
# published.
#
# A purchase counts less the older it is: its weight halves every `half_life_days`.

# %% tags=["parameters"]
upstream = ["clean"]
product = None
holdout_days = 28
half_life_days = 90

# %%
from datetime import datetime, timedelta

from shop.data import connect, save, table, view

con = connect()
view(con, "orders", upstream["clean"]["orders"])

# %% [markdown]
# ## Where to cut
#
# The last `holdout_days` days are held out. When the data spans less than four times that, the last fifth of its
# purchases is.

# %%
con.execute(
    "CREATE VIEW purchases AS SELECT customer_id, stock_code, invoice, invoiced_at FROM orders WHERE customer_id IS NOT NULL"
)
[(first, last, fifth)] = con.sql(
    "SELECT min(invoiced_at), max(invoiced_at), quantile_disc(invoiced_at, 0.8) FROM purchases"
).fetchall()
if first is None:
    raise ValueError("no order line has a customer: there is nothing to learn from. Choose a longer window (since, until).")
end = datetime.combine(last.date(), datetime.min.time()) + timedelta(days=1)
cut = end - timedelta(days=holdout_days) if end - first >= timedelta(days=4 * holdout_days) else fifth
print(f"Purchases from {first} to {last}; cut at {cut}")

# %%
con.execute(f"""
    CREATE MACRO known_at(moment) AS TABLE
    WITH each_order AS (
        SELECT customer_id, stock_code, invoice, max(invoiced_at) AS bought_at FROM purchases
            WHERE invoiced_at < moment GROUP BY ALL
    )
    SELECT customer_id, stock_code, count(*) AS orders,
        round(sum(power(0.5, date_diff('day', bought_at, moment) / {float(half_life_days)})), 6) AS weight,
        max(bought_at) AS last_bought_at,
        max(bought_at) >= moment - INTERVAL 28 DAY AS recent
    FROM each_order GROUP BY customer_id, stock_code
""")
rows = {
    "interactions": save(con, f"FROM known_at(TIMESTAMP '{end}') ORDER BY customer_id, stock_code", product["interactions"]),
    "interactions_train": save(
        con, f"FROM known_at(TIMESTAMP '{cut}') ORDER BY customer_id, stock_code", product["interactions_train"]
    ),
}

# %% [markdown]
# Only customers and products known at the cut can be judged: nobody could have recommended the others from purchases.

# %%
view(con, "interactions_train", product["interactions_train"])
rows["interactions_test"] = save(
    con,
    f"""
    SELECT customer_id, stock_code, count(DISTINCT invoice) AS orders, min(invoiced_at) AS first_bought_at
    FROM purchases WHERE invoiced_at >= TIMESTAMP '{cut}'
        AND customer_id IN (SELECT customer_id FROM interactions_train) AND stock_code IN (SELECT stock_code
            FROM interactions_train)
    GROUP BY customer_id, stock_code ORDER BY customer_id, stock_code
    """,
    product["interactions_test"],
)
view(con, "interactions", product["interactions"])
view(con, "interactions_test", product["interactions_test"])
table(
    con,
    " UNION ALL ".join(
        f"""
    SELECT '{name}' AS dataset, count(DISTINCT customer_id) AS customers, count(DISTINCT stock_code) AS products,
        count(*) AS pairs FROM {name}
"""
        for name in rows
    ),
    caption="What is learnt from, and what is judged by",
)
