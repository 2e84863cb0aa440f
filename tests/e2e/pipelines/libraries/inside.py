# %% tags=["parameters"]
upstream = ["total"]
product = None

# %%
import pandas as pd

pd.read_csv(upstream["total"])
