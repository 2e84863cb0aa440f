# %% tags=["parameters"]
upstream = None
product = None

# %%
import json
from pathlib import Path

words = Path(upstream["raw"]).read_text().split()
Path(product["data"]).write_text(json.dumps({"words": len(words)}))
