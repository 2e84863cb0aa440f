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
# # Monitor: is the shop's data, and what we make of it, as it should be?
#
# Two datasets for watching over time: `daily_sales`, a row a day (days without sales too: a gap must be seen), and
# `monitoring`, one row a measure of the data and of the recommendations.

# %% tags=["parameters"]
upstream = ["clean", "features", "evaluate", "recommend"]
product = None

# %%
import matplotlib.pyplot as plt
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from shop import style
from shop.data import connect, save, table, view

style.apply()
con = connect()
for name in ("orders", "cancellations", "cleaning_report"):
    view(con, name, upstream["clean"][name])
view(con, "customer_features", upstream["features"]["customer_features"])
view(con, "product_features", upstream["features"]["product_features"])
view(con, "recommender_metrics", upstream["evaluate"]["recommender_metrics"])
view(con, "recommendations", upstream["recommend"]["recommendations"])

# %% [markdown]
# ## Day by day

# %%
save(
    con,
    """
    WITH sold AS (
        SELECT invoiced_at::DATE AS day, count(DISTINCT invoice) AS orders, count(*) AS lines,
            sum(revenue::DECIMAL(18, 2))::DOUBLE AS revenue,
            count(DISTINCT customer_id) AS customers, count(*) FILTER (customer_id IS NULL) AS guest_lines
        FROM orders GROUP BY ALL
    ), returned AS (
        SELECT invoiced_at::DATE AS day, count(*) AS cancelled_lines FROM cancellations GROUP BY ALL
    ), days AS (
        SELECT unnest(generate_series(min(day), max(day), INTERVAL 1 DAY))::DATE AS day FROM sold
    )
    SELECT day, dayname(day) AS weekday, coalesce(orders, 0) AS orders, coalesce(lines, 0) AS lines,
        coalesce(revenue, 0) AS revenue,
        coalesce(customers, 0) AS customers, coalesce(guest_lines, 0) AS guest_lines,
            coalesce(cancelled_lines, 0) AS cancelled_lines
    FROM days LEFT JOIN sold USING (day) LEFT JOIN returned USING (day) ORDER BY day
    """,
    product["daily_sales"],
)
view(con, "daily_sales", product["daily_sales"])
daily = con.sql("""
    SELECT day, revenue, avg(revenue) OVER (ORDER BY day ROWS 6 PRECEDING) AS week FROM daily_sales ORDER BY day
""").fetchnumpy()
figure, axes = plt.subplots(figsize=(8, 2.4))
axes.bar(daily["day"], daily["revenue"] / 1000, color=style.QUIET, label="day")
axes.plot(daily["day"], daily["week"] / 1000, color=style.ACCENT, label="mean of 7 days", antialiased=False)
axes.set(ylabel="revenue in thousands")
axes.legend(frameon=False)
days = AutoDateLocator(maxticks=6)
axes.xaxis.set(major_locator=days, major_formatter=ConciseDateFormatter(days))
plt.show()
table(
    con,
    """
    SELECT weekday, count(*) AS days, count(*) FILTER (lines = 0) AS without_sales, round(avg(lines), 1) AS lines_a_day,
        round(avg(revenue))::BIGINT AS revenue_a_day
    FROM daily_sales GROUP BY weekday, isodow(day) ORDER BY isodow(day)
""",
    caption="The week",
)

# %% [markdown]
# ## Measures
#
# `lines_quarantined` is what the contract kept out of `orders`. `recommendation_gini` says how unequally products are
# recommended: 0 is all alike, near 1 is the same few for everybody; compare it with `sales_gini`, which the shop's
# customers make themselves.

# %%
con.execute("""
    CREATE VIEW shown AS
    SELECT stock_code, customers, count(recommendations.customer_id) AS times
    FROM product_features LEFT JOIN recommendations USING (stock_code) GROUP BY ALL
""")
con.execute("""
    CREATE MACRO gini(kind) AS (
        SELECT 2 * sum(n * place) / nullif(count(*) * sum(n), 0) - (count(*) + 1) / count(*)
        FROM (SELECT n, row_number() OVER (ORDER BY n) AS place FROM (SELECT CASE kind WHEN 'sales' THEN customers
            ELSE times END AS n FROM shown))
    )
""")
con.execute("""
    CREATE TABLE measured AS
    SELECT 'data' AS area, 'last_order_day' AS measure, NULL::DOUBLE AS value,
        max(invoiced_at)::DATE::VARCHAR AS text FROM orders
    UNION ALL SELECT 'data', 'days_without_sales', count(*) FILTER (lines = 0), NULL FROM daily_sales
    UNION ALL SELECT 'data', 'median_lines_a_day', median(lines), NULL FROM daily_sales WHERE lines > 0
    UNION ALL SELECT 'data', 'guest_share', sum(guest_lines) / sum(lines), NULL FROM daily_sales
    UNION ALL SELECT 'data', 'cancelled_share', sum(cancelled_lines) / sum(lines), NULL FROM daily_sales
    UNION ALL SELECT 'data', 'lines_quarantined', (SELECT sum(rows) FROM cleaning_report
        WHERE goes_to = 'orders') - count(*), NULL FROM orders
    UNION ALL SELECT 'customers', 'at_risk_share', count(*) FILTER (segment = 'at risk') / count(*), NULL
        FROM customer_features
    UNION ALL SELECT 'recommender', 'recall', max(recall), NULL FROM recommender_metrics WHERE model = 'neighbours'
        AND purchases = 'any'
    UNION ALL SELECT 'recommender', 'ndcg', max(ndcg), NULL FROM recommender_metrics WHERE model = 'neighbours'
        AND purchases = 'any'
    UNION ALL SELECT 'recommender', 'catalogue_coverage', count(*) FILTER (times > 0) / count(*), NULL FROM shown
    UNION ALL SELECT 'recommender', 'customers_served_by_popularity', count(DISTINCT customer_id)
        FILTER (reason = 'popular') / count(DISTINCT customer_id), NULL
        FROM recommendations
    UNION ALL SELECT 'recommender', 'rebuy_share', avg(bought_before::INT), NULL FROM recommendations
    UNION ALL SELECT 'recommender', 'recommendation_gini', gini('recommendations'), NULL
    UNION ALL SELECT 'recommender', 'sales_gini', gini('sales'), NULL
""")
save(con, "SELECT area, measure, round(value, 6) AS value, text FROM measured ORDER BY area, measure", product["monitoring"])
view(con, "monitoring", product["monitoring"])
table(con, "FROM monitoring", caption="Measures")
