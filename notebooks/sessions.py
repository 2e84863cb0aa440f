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
# # Sessions: what customers did before they bought
#
# Clicks are grouped into sessions: seen, put into the cart, bought. Where the shop exported no clicks (the real data
# has none), each invoice stands for a session of which only the purchase is known; `origin` says which it is.

# %% tags=["parameters"]
upstream = ["ingest", "products", "clean"]
product = None

# %%
import matplotlib.pyplot as plt
from shop import style
from shop.data import connect, save, table, view

style.apply()
con = connect()
view(con, "events_raw", upstream["ingest"]["events_raw"])
view(con, "orders", upstream["clean"]["orders"])

# %% [markdown]
# ## Events, each once
#
# Trackers send some events twice; `event_id` tells. An event about a product that does not exist stays: the contract
# sets it aside.

# %%
view(con, "products", upstream["products"]["products"])
events = save(con, "SELECT DISTINCT * FROM events_raw ORDER BY event_id", product["events"])
view(con, "events", product["events"])
origin = "clicks" if events else "invoices"
print(f"{events:,} events: sessions come from {origin}")
table(
    con,
    """
    SELECT event_type, count(*) AS events, count(DISTINCT session_id) AS sessions, count(*)
        FILTER (stock_code NOT IN (SELECT stock_code FROM products)) AS unknown_product
    FROM events GROUP BY event_type ORDER BY events DESC
""",
    caption="Events",
)

# %%
queries = {
    "clicks": """
        SELECT session_id, any_value(customer_id) AS customer_id, min(occurred_at) AS started_at,
            date_diff('second', min(occurred_at), max(occurred_at)) AS seconds,
            count(DISTINCT stock_code) FILTER (event_type = 'view') AS viewed,
            count(DISTINCT stock_code) FILTER (event_type = 'cart') AS carted,
            count(DISTINCT stock_code) FILTER (event_type = 'purchase') AS purchased, 'clicks' AS origin
        FROM events GROUP BY session_id ORDER BY started_at, session_id
    """,
    "invoices": """
        SELECT 'i' || invoice AS session_id, any_value(customer_id) AS customer_id, min(invoiced_at) AS started_at,
            NULL::BIGINT AS seconds,
            NULL::BIGINT AS viewed, NULL::BIGINT AS carted, count(DISTINCT stock_code) AS purchased, 'invoices' AS origin
        FROM orders GROUP BY invoice ORDER BY started_at, session_id
    """,
}
rows = save(con, queries[origin], product["sessions"])
view(con, "sessions", product["sessions"])

# %% [markdown]
# ## From looking to buying

# %%
con.execute("""
    CREATE VIEW funnel AS
    SELECT 1 AS step, 'all sessions' AS what, count(*) AS sessions FROM sessions
    UNION ALL SELECT 2, 'saw a product', CASE WHEN count(viewed) > 0 THEN count(*) FILTER (viewed > 0) END FROM sessions
    UNION ALL SELECT 3, 'put one into the cart', CASE WHEN count(carted) > 0 THEN count(*) FILTER (carted > 0) END
        FROM sessions
    UNION ALL SELECT 4, 'bought', count(*) FILTER (purchased > 0) FROM sessions
""")
table(
    con,
    "SELECT what, sessions, round(100.0 * sessions / nullif(max(sessions) OVER (), 0), 1) AS percent FROM funnel ORDER BY step",
    caption=f"The funnel of {rows:,} sessions, from {origin}",
)

# %%
hours = con.sql("SELECT hour(started_at) AS hour, count(*) AS sessions FROM sessions GROUP BY ALL ORDER BY hour").fetchnumpy()
figure, axes = plt.subplots(figsize=(6, 2.5))
axes.bar(hours["hour"], hours["sessions"], color=style.ACCENT)
axes.set(xlabel="hour of the day", ylabel="sessions started", xlim=(-0.5, 23.5))
plt.show()
table(
    con,
    """
    SELECT CASE WHEN hour(started_at) < 12 THEN 'morning' WHEN hour(started_at) < 17 THEN 'afternoon'
        ELSE 'evening' END AS part_of_day, count(*) AS sessions
    FROM sessions GROUP BY ALL ORDER BY sessions DESC
""",
    caption="The same as numbers",
)
