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
# # Features: what describes customers and products
#
# For customers: recency, frequency and value (RFM), the size of the basket, how much was sent back, and how sessions
# went. They name a segment that people can act on, and that `monitor` uses to see whom the recommender serves. For
# products: what they sell and earn.

# %% tags=["parameters"]
upstream = ["clean", "customers", "products", "sessions"]
product = None

# %%
import matplotlib.pyplot as plt
from shop import style
from shop.data import connect, save, table, view

style.apply()
con = connect()
view(con, "orders", upstream["clean"]["orders"])
view(con, "cancellations", upstream["clean"]["cancellations"])
view(con, "customers", upstream["customers"]["customers"])
view(con, "products", upstream["products"]["products"])
view(con, "sessions", upstream["sessions"]["sessions"])

# %% [markdown]
# ## Customers
#
# "Today" is the day after the last order, not the day on which this runs: the same data gives the same features.

# %%
save(
    con,
    """
    WITH today AS (
        SELECT max(invoiced_at)::DATE + 1 AS today FROM orders
    ), baskets AS (
        SELECT customer_id, count(*) AS lines, count(DISTINCT stock_code) AS products, count(DISTINCT invoice) AS baskets,
            max(invoiced_at)::DATE AS last_day, sum(revenue::DECIMAL(18, 2))::DOUBLE AS revenue
        FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id
    ), returned AS (
        SELECT customer_id, count(*) AS lines FROM cancellations WHERE customer_id IS NOT NULL GROUP BY customer_id
    ), visits AS (
        SELECT customer_id, count(*) AS sessions, count(*) FILTER (purchased > 0) AS bought FROM sessions
            WHERE customer_id IS NOT NULL GROUP BY customer_id
    ), joined AS (
        SELECT customer_id,
            date_diff('day', last_day, today) AS recency_days,
            coalesce(baskets.baskets, 0) AS frequency,
            coalesce(revenue, 0) AS monetary,
            round(coalesce(baskets.lines / baskets.baskets, 0), 2) AS lines_per_order,
            coalesce(products, 0) AS distinct_products,
            round(coalesce(returned.lines / baskets.lines, 0), 4) AS return_share,
            coalesce(sessions, 0) AS sessions,
            round(coalesce(bought / sessions, 0), 4) AS conversion
        FROM customers CROSS JOIN today
        LEFT JOIN baskets USING (customer_id) LEFT JOIN returned USING (customer_id) LEFT JOIN visits USING (customer_id)
    )
    SELECT *,
        CASE
            WHEN frequency = 0 THEN 'prospect'
            WHEN frequency = 1 AND recency_days <= 60 THEN 'new'
            WHEN frequency >= 5 AND recency_days <= 60 THEN 'loyal'
            WHEN recency_days > 180 THEN 'lost'
            WHEN recency_days > 60 THEN 'at risk'
            ELSE 'active'
        END AS segment
    FROM joined ORDER BY customer_id
    """,
    product["customer_features"],
)
view(con, "customer_features", product["customer_features"])
table(
    con,
    """
    SELECT segment, count(*) AS customers, round(sum(monetary))::BIGINT AS revenue,
        round(avg(recency_days), 1) AS days_since_order,
        round(avg(frequency), 1) AS orders, round(avg(lines_per_order), 1) AS lines_per_order,
            round(avg(return_share), 4) AS return_share
    FROM customer_features GROUP BY segment ORDER BY revenue DESC, segment
""",
    caption="Segments",
)

# %% [markdown]
# ## Products

# %%
save(
    con,
    """
    WITH sold AS (
        SELECT stock_code, count(DISTINCT customer_id) AS customers, count(*) AS lines, sum(quantity)::BIGINT AS units,
            sum(revenue::DECIMAL(18, 2))::DOUBLE AS revenue
        FROM orders GROUP BY stock_code
    ), returned AS (
        SELECT stock_code, -sum(quantity)::BIGINT AS units FROM cancellations GROUP BY stock_code
    )
    SELECT stock_code, coalesce(customers, 0) AS customers, coalesce(lines, 0) AS lines, coalesce(sold.units, 0) AS units,
        coalesce(revenue, 0) AS revenue, coalesce(returned.units, 0) AS units_returned
    FROM products LEFT JOIN sold USING (stock_code) LEFT JOIN returned USING (stock_code)
    ORDER BY stock_code
    """,
    product["product_features"],
)
view(con, "product_features", product["product_features"])
table(
    con,
    """
    SELECT stock_code, description, price, customers, units, revenue FROM product_features JOIN products USING (stock_code)
    ORDER BY revenue DESC, stock_code LIMIT 10
""",
    caption="The ten products that earn most",
)

# %% [markdown]
# A few products earn most of the money. The steeper the curve rises, the more a recommender is tempted to recommend
# only those.

# %%
con.execute("""
    CREATE VIEW running AS
    SELECT percent_rank() OVER (ORDER BY revenue DESC, stock_code) AS products,
        sum(revenue) OVER (ORDER BY revenue DESC, stock_code) / nullif(sum(revenue) OVER (), 0) AS revenue
    FROM product_features WHERE revenue > 0
""")
curve = con.sql("SELECT products, revenue FROM running ORDER BY products").fetchnumpy()
figure, axes = plt.subplots(figsize=(5, 2.6))
axes.plot(curve["products"] * 100, curve["revenue"] * 100, color=style.ACCENT, antialiased=False)
axes.set(xlabel="% of products, best-earning first", ylabel="% of revenue", xlim=(0, 100), ylim=(0, 101))
axes.grid()
plt.show()
table(
    con,
    """
    SELECT share AS percent_of_products, round(100 * max(revenue)
        FILTER (products <= share / 100.0), 1) AS percent_of_revenue
    FROM running, (VALUES (1), (5), (10), (20), (50), (100)) AS shares (share) GROUP BY share ORDER BY share
""",
    caption="The same as numbers",
)
