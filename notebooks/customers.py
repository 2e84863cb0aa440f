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
# # Customers: who buys, one row a customer
#
# The register knows who a customer is; order lines know ids that the register may lack. Real data has order lines
# alone, so names and addresses stay empty there.
#
# **This dataset is personal.** Its contract classifies name, e-mail and date of birth as such: nbops shows none of
# their values in profiles, failed-row samples, logs or pages. Nothing in this notebook prints them either.

# %% tags=["parameters"]
upstream = ["ingest"]
product = None

# %%
import nbops
from shop.data import connect, save, table, view

con = connect()
view(con, "customers_raw", upstream["ingest"]["customers_raw"])
view(con, "orders_raw", upstream["ingest"]["orders_raw"])

# %% [markdown]
# ## Join
#
# An address that cannot be one is worse than none: it is emptied, and counted below. Copies in the register are
# dropped.

# %%
rows = save(
    con,
    """
    WITH registered AS (
        SELECT DISTINCT * REPLACE (CASE WHEN regexp_full_match(email, '[^@ ]+@[^@ ]+[.][^@ ]+')
            THEN email END AS email) FROM customers_raw
    ), ordered AS (
        SELECT customer_id, arg_max(nullif(country, 'Unspecified'), (invoiced_at, country)) AS country,
            min(invoiced_at) AS first_seen_at, max(invoiced_at) AS last_seen_at
        FROM orders_raw WHERE customer_id IS NOT NULL GROUP BY customer_id
    )
    SELECT customer_id, name, email, birth_date, coalesce(registered.country, ordered.country) AS country,
        registered_on, consents_to_marketing,
        first_seen_at, last_seen_at
    FROM registered FULL JOIN ordered USING (customer_id)
    ORDER BY customer_id
    """,
    product["customers"],
)
view(con, "customers", product["customers"])
table(
    con,
    """
    SELECT coalesce(country, 'unknown') AS country, count(*) AS customers, count(registered_on) AS registered,
        count(first_seen_at) AS seen_in_orders
    FROM customers GROUP BY ALL ORDER BY customers DESC, country LIMIT 10
""",
    caption=f"Where the {rows:,} customers live (ten largest)",
)

# %%
table(
    con,
    """
    SELECT count(*) AS customers, count(name) AS with_name, count(email) AS with_email, count(*)
        FILTER (consents_to_marketing) AS may_be_written_to
    FROM customers
""",
    caption="How much is known",
)

# %%
[(registered, malformed)] = con.sql("""
    SELECT count(*), count(*) FILTER (NOT regexp_full_match(email, '[^@ ]+@[^@ ]+[.][^@ ]+')) FROM (SELECT DISTINCT *
        FROM customers_raw)
""").fetchall()
nbops.expect(malformed <= 0.05 * registered, "at most 5 % of the e-mail addresses are malformed", severity="warn")
