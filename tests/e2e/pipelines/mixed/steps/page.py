# %% tags=["parameters"]
upstream = None
product = None
greeting = None

# %%
import json
from pathlib import Path

print(greeting, json.loads(Path(upstream["count"]["data"]).read_text()))
