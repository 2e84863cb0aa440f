import json
from pathlib import Path


def load(product):
    """Make some rows"""
    rows = [{"id": i, "value": i % 7} for i in range(50)]
    Path(product["data"]).write_text(json.dumps(rows))
    Path(product["about"]).write_text(json.dumps({"rows": len(rows)}))


def clean(product, upstream):
    """Keep what is not zero"""
    rows = json.loads(Path(upstream["load"]["data"]).read_text())
    Path(product).write_text(json.dumps([row for row in rows if row["value"]]))


def report(product, upstream):
    """Count"""
    about = json.loads(Path(upstream["load"]["about"]).read_text())
    kept = len(json.loads(Path(upstream["clean"]).read_text()))
    Path(product).write_text(f"{kept} of {about['rows']}\n")
