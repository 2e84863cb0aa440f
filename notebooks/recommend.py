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
# # Recommend: 20 products for every customer
#
# The model that knows everything ranks the products. Who bought too little for 20 gets the rest, and who never bought
# gets all, from what is popular lately; `reason` says which. Re-buying is allowed: for this shop's customers it is
# most of the business (`bought_before` lets the shop front decide).

# %% tags=["parameters"]
upstream = ["train", "evaluate", "customers", "products"]
product = None

# %%
import nbops
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from shop.data import connect, table, view
from shop.recommender import TOP, load, recommend

con = connect()
view(con, "customers", upstream["customers"]["customers"])
view(con, "recommender_metrics", upstream["evaluate"]["recommender_metrics"])
model = load(upstream["train"]["model"])
table(
    con,
    "SELECT model, customers, recall, ndcg, coverage FROM recommender_metrics WHERE purchases = 'any'",
    caption="What this is worth (from evaluate)",
)

# %% [markdown]
# ## Rank, and fill up

# %%
customers = np.asarray(con.sql("SELECT customer_id FROM customers ORDER BY customer_id").fetchnumpy()["customer_id"], dtype=str)
rows = model.rows_of(customers)
known = rows >= 0
width = min(TOP, len(model.products))
items = np.full((len(customers), width), -1)
scores = np.zeros((len(customers), width))
ranking = recommend(model, rows[known])
items[known], scores[known] = ranking.items, ranking.scores

# %%
# More than enough popular products, ever as well as lately, so that none of them need be recommended twice.
counts = model.recent + model.buyers / (model.buyers.max() + 1)
fallback = np.argsort(-counts, kind="stable")[: 2 * width]
short = np.flatnonzero((items < 0).any(axis=1))
filled = items < 0
for at in short:
    have = items[at][items[at] >= 0]
    items[at] = np.concatenate((have, fallback[~np.isin(fallback, have)]))[:width]

# %% [markdown]
# ## Publish
#
# A score can be compared within one customer only. Products filled in from popularity have none.

# %%
who = np.repeat(np.arange(len(customers)), width)
what, fill = items.ravel(), filled.ravel()
bought = np.zeros(len(what), dtype=bool)
own = known[who]
bought[own] = np.asarray(model.bought[rows[who[own]], what[own]]).ravel() > 0
pq.write_table(
    pa.table(
        {
            "customer_id": pa.array(customers[who], pa.string()),
            "rank": pa.array(np.tile(np.arange(1, width + 1), len(customers)), pa.int32()),
            "stock_code": pa.array(model.products[what], pa.string()),
            "score": pa.array(np.round(scores.ravel(), 6), pa.float64(), mask=fill),
            "reason": pa.array(np.where(fill, "popular", "neighbours")),
            "bought_before": pa.array(bought),
        }
    ),
    product["recommendations"],
    compression="zstd",
)
view(con, "products", upstream["products"]["products"])
view(con, "recommendations", product["recommendations"])
table(
    con,
    """
    SELECT reason, count(*) AS recommendations, count(DISTINCT customer_id) AS customers,
        count(DISTINCT stock_code) AS products,
        round(100 * avg(bought_before::INT), 1) AS percent_bought_before
    FROM recommendations GROUP BY reason ORDER BY reason
""",
    caption="What is published",
)

# %%
table(
    con,
    """
    SELECT stock_code, description, count(*) AS customers, round(avg(rank), 1) AS mean_rank
    FROM recommendations JOIN products USING (stock_code) GROUP BY ALL ORDER BY customers DESC, stock_code LIMIT 10
""",
    caption="What is recommended most",
)

# %% [markdown]
# ## Look before publishing
#
# nbops judges every dataset by its contract after the notebook ended. While working on one, the same can be seen at
# once:

# %%
nbops.check(
    product["recommendations"],
    "recommendations",
    references={"customers": upstream["customers"]["customers"], "products": upstream["products"]["products"]},
)
