# %% tags=["parameters"]
upstream = ["totals"]
product = None

# %%
import csv

with open(upstream["totals"], newline="") as stream:
    print(list(csv.DictReader(stream)))
