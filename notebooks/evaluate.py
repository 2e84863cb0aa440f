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
# # Evaluate: is it better than showing what sells best?
#
# The backtest model recommends 20 products to every customer who came back after the cut, and so do two baselines
# that any shop could have for free: the products that most customers bought **ever**, and in the **last 28 days**.
#
# - **recall@20**: how much of what a customer then bought had been recommended;
# - **NDCG@20**: the same, but a hit higher up counts more;
# - **coverage**: how much of the catalogue anyone was shown.
#
# Twice: for `any` purchase (many customers re-buy), and for `new` products only, which the customer had never bought
# before.

# %% tags=["parameters"]
upstream = ["split", "train"]
product = None
most_customers = 5_000
seed = 7

# %%
import matplotlib.pyplot as plt
import nbops
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from shop import style
from shop.data import connect, table, view
from shop.recommender import TOP, judge, load, popularity, recommend

style.apply()
con = connect()
view(con, "interactions_test", upstream["split"]["interactions_test"])
model = load(upstream["train"]["backtest"])

# %% [markdown]
# What was bought after the cut, as a matrix. In a very large shop, a seeded sample of `most_customers` is judged.

# %%
test = con.sql("SELECT customer_id, stock_code FROM interactions_test ORDER BY customer_id, stock_code").fetchnumpy()
row = model.rows_of(np.asarray(test["customer_id"], dtype=str))
column = np.searchsorted(model.products, np.asarray(test["stock_code"], dtype=str))
bought_later = sp.csr_matrix((np.ones(len(row)), (row, column)), shape=model.bought.shape)
customers = np.unique(row)
if len(customers) > most_customers:
    customers = np.sort(np.random.default_rng(int(seed)).choice(customers, size=most_customers, replace=False))
truth = {"any": bought_later[customers]}
truth["new"] = sp.csr_matrix(truth["any"] - truth["any"].multiply(model.bought[customers] > 0))
truth["new"].eliminate_zeros()

# %%
results = []
for purchases, later in truth.items():
    only_new = purchases == "new"
    rankings = {
        "neighbours": recommend(model, customers, new_only=only_new),
        "popular lately": popularity(model, customers, recent=True, new_only=only_new),
        "popular ever": popularity(model, customers, new_only=only_new),
    }
    for name, ranking in rankings.items():
        measured = judge(ranking, later, catalogue=len(model.products))
        results.append(
            {"model": name, "purchases": purchases, "top": TOP}
            | {k: v if v is None else round(v, 6) for k, v in measured.items()}
        )
schema = pa.schema(
    [
        *(("model", pa.string()), ("purchases", pa.string()), ("top", pa.int32()), ("customers", pa.int64())),
        *((name, pa.float64()) for name in ("recall", "ndcg", "coverage")),
    ]
)
pq.write_table(pa.Table.from_pylist(results, schema=schema), product["recommender_metrics"], compression="zstd")
view(con, "recommender_metrics", product["recommender_metrics"])
table(con, "FROM recommender_metrics", caption=f"The {TOP} best, judged by what was bought after the cut")

# %%
figure, panels = plt.subplots(1, 3, figsize=(8, 2), sharey=True)
shown = [result for result in results if result["purchases"] == "any"][::-1]
for panel, measure in zip(panels, ("recall", "ndcg", "coverage"), strict=True):
    panel.barh(
        [result["model"] for result in shown],
        [result[measure] or 0 for result in shown],
        color=[style.QUIET, style.QUIET, style.ACCENT],
    )
    panel.locator_params(axis="x", nbins=3)
    panel.set_title(f"{measure}@{TOP}" if measure != "coverage" else measure)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## The gate
#
# With too few customers to judge by (a window of a few days), the comparison says nothing and is not made.


# %%
def value(name, measure, purchases="any"):
    return next(r[measure] for r in results if r["model"] == name and r["purchases"] == purchases)


judged = value("neighbours", "customers")
if judged >= 50:
    for measure in ("recall", "ndcg"):
        mine, baseline = value("neighbours", measure), max(value("popular lately", measure), value("popular ever", measure))
        print(f"{measure}@{TOP}: {mine:.4f}, against {baseline:.4f} by popularity: {mine / max(baseline, 1e-9):.2f} times")
        nbops.expect(mine > 1.1 * baseline, f"{measure} beats popularity by 10 %", severity="warn")
else:
    print(f"only {judged} customers came back after the cut: too few to judge by")
