import csv
import json
from pathlib import Path


def load(product):
    """Make some rows"""
    with open(product["data"], "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "value"])
        writer.writerows((i, i % 7) for i in range(50))
    Path(product["about"]).write_text(json.dumps({"rows": 50}))


def clean(product, upstream):
    """Keep what is not zero"""
    with open(upstream["load"]["data"], newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["value"] != "0"]
    with open(product, "w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=["id", "value"])
        writer.writeheader()
        writer.writerows(rows)


def report(product, upstream):
    """Count"""
    about = json.loads(Path(upstream["load"]["about"]).read_text())
    with open(upstream["clean"], newline="") as stream:
        kept = sum(1 for _ in csv.DictReader(stream))
    Path(product).write_text(f"{kept} of {about['rows']}\n")
