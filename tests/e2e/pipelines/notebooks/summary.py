# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Summary

# %% tags=["parameters"]
upstream = ["load"]
product = {"nb": "output/summary.ipynb", "text": "output/summary.txt"}

# %%
import csv
from pathlib import Path

with open(upstream["load"]["data"], newline="") as stream:
    rows = list(csv.DictReader(stream))
total = sum(int(row["value"]) for row in rows)
print("total", total)

# %%
Path(product["text"]).write_text(f"{total}\n")
