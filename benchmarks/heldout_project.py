"""A network of charging points, on which no rule of causes was set: nine notebooks, SQL, two modules, three packages.

Real tables where there are some: charging stations of Connecticut (US government open data) and hourly temperatures
(Numenta Anomaly Benchmark, MIT). Sessions of charging and tariffs are made up.
"""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from benchmarks.faults_project import Shop

__all__ = ["DATA", "STATIONS", "VEHICLES", "WEATHER", "Depot"]

DATA = Path(os.environ.get("NBOPS_BENCHMARK_TABLES") or Path(__file__).parents[2] / "shared" / "data")
STATIONS = DATA / "quality/dgov/electric_vehicle_charging_stations/clean.csv"
WEATHER = DATA / "anomaly/nab/data/realKnownCause/ambient_temperature_system_failure.csv"

VEHICLES = ("leaf", "bolt", "zoe", "ioniq", "model s", "kona")
_PLUGS = ("ac", "dc", "tesla")
_DAYS = 14
_A_DAY = 150
_START = datetime(2013, 8, 1)  # noqa: DTZ001 - local times, as the temperatures have

_PARAMETERS: Mapping[str, Any] = {
    "first_day": "2013-08-01",
    "coast_lat": 41.3,
    "cold_below": 18.0,
    "min_kwh": 0.5,
    "max_minutes": 600,
    "night_from": 22,
    "night_factor": 0.8,
    "surcharge": 0.05,
    "least_sessions": 1,
    "window": 3,
    "comfort": 20,
    "top_cities": 12,
    "round_to": 2,
    "label": "Charging",
}

_NOTEBOOKS: Mapping[str, tuple[str, ...]] = {
    "intake.py": (
        "from pathlib import Path\n\nimport pandas as pd",
        (
            'files = sorted(Path("data/sessions").glob("*.jsonl"))\n'
            'raw = pd.concat([pd.read_json(path, lines=True, dtype={"card": "string"}) for path in files], ignore_index=True)'
        ),
        (
            'sessions = (\n    raw.rename(columns={"id": "session"})\n    .assign(\n'
            '        start=lambda frame: pd.to_datetime(frame["start"]),\n'
            '        day=lambda frame: frame["start"].dt.normalize(),\n'
            '        hour=lambda frame: frame["start"].dt.hour,\n'
            '        plug=lambda frame: frame["plug"].str.lower(),\n    )\n'
            '    .loc[lambda frame: frame["day"] >= first_day]\n)'
        ),
        'sessions["speed"] = sessions["kwh"] / (sessions["minutes"] / 60)',
        "sessions.head()",
        'sessions.to_parquet(product["sessions"], index=False)',
    ),
    "sites.ipynb": (
        "import numpy as np\nimport pandas as pd\n\nfrom depot.geo import coordinates",
        'PORTS = {"one": "evleveloneevsenum", "two": "evleveltwoevsenum", "fast": "evdcfastcount"}',
        (
            'table = pd.read_csv("data/stations.csv").replace("NONE", None)\n'
            "ports = table[list(PORTS.values())].apply(pd.to_numeric).fillna(0).astype(int).set_axis(list(PORTS), axis=1)"
        ),
        (
            'found = table.rename(columns={"stationname": "name", "accessdaystime": "access"})\n'
            'sites = pd.concat([found[["station", "name", "city", "access"]], ports, '
            'coordinates(table["newgeoreferencedcolumn"])], axis=1)'
        ),
        (
            'sites["ports"] = sites[["one", "two", "fast"]].sum(axis=1)\n'
            'sites["open"] = np.where(sites["access"].str.contains("24 hours"), "always", "hours")\n'
            'sites["coast"] = sites["lat"] < coast_lat'
        ),
        'sites.groupby("open")["ports"].sum()',
        'sites.to_parquet(product["sites"], index=False)',
    ),
    "weather.py": (
        "import pandas as pd\nimport tinyunits",
        'table = pd.read_csv("data/weather.csv", parse_dates=["timestamp"])',
        'table["celsius"] = tinyunits.celsius(table["value"])',
        (
            'weather = table.set_index("timestamp").resample("D")["celsius"].agg(["mean", "max"]).add_suffix("_c")\n'
            'weather = weather.reset_index().rename(columns={"timestamp": "day"})\n'
            'weather["cold"] = weather["mean_c"] < cold_below'
        ),
        'weather.to_csv(product["weather"], index=False)',
    ),
    "checked.ipynb": (
        "import pandas as pd\n\nfrom depot.gate import Gate",
        'sessions = pd.read_parquet(upstream["intake"]["sessions"])\ngate = Gate(least=min_kwh)',
        'rows = sessions.pipe(gate.plausible).query("minutes <= @max_minutes")',
        'rows = rows.sort_values("start").drop_duplicates(["session"], keep="first")',
        'rows["kind"] = gate.kind(rows)\nrows["part_of_day"] = rows["minutes"] / 1440',
        'rows.groupby("plug")["kwh"].describe()',
        'rows.to_parquet(product["checked"], index=False)',
    ),
    "priced.py": (
        "import gridprice\nimport labelling\nimport numpy as np\nimport pandas as pd",
        'checked = pd.read_parquet(upstream["checked"]["checked"])\ntariffs = pd.read_parquet("data/tariffs.parquet")',
        'priced = checked.merge(tariffs, on="plug", how="left", validate="many_to_one")',
        'priced["night"] = (priced["hour"] >= night_from) | (priced["hour"] < 6)',
        'priced["rate"] = np.where(priced["night"], priced["per_kwh"] * night_factor, priced["per_kwh"])',
        (
            'priced["energy"] = gridprice.cost(priced["kwh"], priced["rate"])\n'
            'priced["idle"] = gridprice.idle(priced["minutes"], priced["kwh"])'
        ),
        (
            'priced["cost"] = priced["energy"] + priced["fee"] + priced["idle"]\n'
            'priced["invoice"] = priced["cost"] * (1 + surcharge)'
        ),
        'priced["ref"] = labelling.ref(priced["vehicle"], priced["plan"])',
        'priced.to_parquet(product["priced"], index=False)',
    ),
    "usage.ipynb": (
        "import duckdb\nimport pandas as pd",
        (
            'priced = pd.read_parquet(upstream["priced"]["priced"])\nsites = pd.read_parquet(upstream["sites"]["sites"])\n'
            'weather = pd.read_csv(upstream["weather"]["weather"], parse_dates=["day"])'
        ),
        'connection = duckdb.connect(config={"threads": 1})',
        (
            'sql = """\nSELECT p.day, s.city, s.open, count(*) AS sessions, sum(p.kwh) AS kwh, sum(p.invoice) AS revenue,\n'
            "       avg(p.speed) AS speed, sum(CASE WHEN p.plug = 'dc' THEN 1 ELSE 0 END) / count(*) AS fast_share,\n"
            "       any_value(w.mean_c) AS mean_c\n"
            "FROM priced p\nJOIN sites s USING (station)\nLEFT JOIN weather w ON p.day = w.day\n"
            'GROUP BY p.day, s.city, s.open\nHAVING count(*) >= $1\nORDER BY p.day, s.city, s.open\n"""'
        ),
        "usage = connection.execute(sql, [least_sessions]).df()",
        'usage.to_parquet(product["usage"], index=False)',
    ),
    "daily.py": (
        "import pandas as pd",
        'usage = pd.read_parquet(upstream["usage"]["usage"])',
        'wide = usage.pivot_table(index="day", columns="open", values="kwh", aggfunc="sum").add_prefix("kwh_").reset_index()',
        (
            'totals = usage.groupby("day", as_index=False).agg(\n    kwh=("kwh", "sum"), revenue=("revenue", "sum"),'
            ' sessions=("sessions", "sum"), speed=("speed", "mean")\n)'
        ),
        (
            'daily = totals.merge(wide, on="day", how="left")\ndaily["per_kwh"] = daily["revenue"] / daily["kwh"]\n'
            'daily["busiest"] = usage.loc[usage.groupby("day")["kwh"].idxmax(), "city"].to_numpy()'
        ),
        'daily.to_json(product["daily"], orient="records", lines=True, date_format="iso")',
    ),
    "forecast.ipynb": (
        "import numpy as np\nimport pandas as pd",
        (
            'daily = pd.read_json(upstream["daily"]["daily"], lines=True, convert_dates=["day"])\n'
            'weather = pd.read_csv(upstream["weather"]["weather"], parse_dates=["day"])'
        ),
        'frame = daily[["day", "kwh"]].merge(weather[["day", "max_c", "cold"]], on="day", how="inner").sort_values("day")',
        ("def before(series, length):\n    return series.rolling(length, min_periods=1).mean().shift(1).fillna(series.iloc[0])"),
        (
            'frame["heat"] = np.clip(frame["max_c"] - comfort, 0, None)\n'
            'frame["expected"] = before(frame["kwh"], window) * (1 + 0.01 * frame["heat"])\n'
            'frame["gap"] = frame["kwh"] - frame["expected"]'
        ),
        'frame.to_parquet(product["forecast"], index=False)',
    ),
    "board.py": (
        "import pandas as pd",
        (
            'usage = pd.read_parquet(upstream["usage"]["usage"])\nsites = pd.read_parquet(upstream["sites"]["sites"])\n'
            'forecast = pd.read_parquet(upstream["forecast"]["forecast"])'
        ),
        (
            'cities = usage.groupby("city").agg({"kwh": "sum", "revenue": "sum", "sessions": "sum"}).reset_index()\n'
            'ports = sites.groupby("city")["ports"].sum().reset_index()'
        ),
        (
            'board = (\n    cities.merge(ports, on="city", how="left")\n'
            '    .assign(per_port=lambda frame: frame["kwh"] / frame["ports"], title=label)\n'
            '    .nlargest(top_cities, "revenue")\n    .round(round_to)\n)'
        ),
        'board["outlook"] = forecast["expected"].iloc[-1] * board["kwh"] / board["kwh"].sum()',
        'board.to_csv(product["board"], index=False)',
    ),
}
_SUFFIXES: Mapping[str, str] = {
    "intake": "sessions.parquet",
    "weather": "weather.csv",
    "daily": "daily.jsonl",
    "board": "board.csv",
}
_UPSTREAM: Mapping[str, Sequence[str]] = {
    "checked": ("intake",),
    "priced": ("checked",),
    "usage": ("priced", "sites", "weather"),
    "daily": ("usage",),
    "forecast": ("daily", "weather"),
    "board": ("usage", "sites", "forecast"),
}
_GIVEN: Mapping[str, Sequence[str]] = {
    "intake": ("first_day",),
    "sites": ("coast_lat",),
    "weather": ("cold_below",),
    "checked": ("min_kwh", "max_minutes"),
    "priced": ("night_from", "night_factor", "surcharge"),
    "usage": ("least_sessions",),
    "forecast": ("window", "comfort"),
    "board": ("top_cities", "round_to", "label"),
}
_GATE = '''"""What counts as a session."""

from dataclasses import dataclass

import numpy as np

LONG, FAST = 180, 30


@dataclass
class Gate:
    """Lets plausible sessions through."""

    least: float

    def plausible(self, frame):
        """Return the sessions that charged something."""
        return frame[(frame["kwh"] >= self.least) & (frame["minutes"] > 0)].copy()

    def kind(self, frame):
        """Call a session long, fast or usual."""
        return np.select([frame["minutes"] > LONG, frame["speed"] > FAST], ["long", "fast"], "usual")

    def __str__(self):
        return f"at least {self.least} kWh"
'''
_GEO = '''"""Places."""

import pandas as pd


def coordinates(points):
    """Return longitude and latitude of points as text."""
    found = points.str.extract(r"POINT \\\\((?P<lon>-?[0-9.]+) (?P<lat>-?[0-9.]+)\\\\)")
    return found.apply(pd.to_numeric)


def north_of(lat, line):
    """Tell what lies north of a line."""
    return lat > line
'''.replace("\\\\", "\\")
_GRIDPRICE = '''"""Prices of electricity."""

FREE = 30
A_MINUTE = 0.01


def cost(kwh, rate):
    """Return what energy costs."""
    return kwh * rate


def idle(minutes, kwh):
    """Return what standing without charging costs."""
    return ((minutes - kwh * 4 - FREE).clip(lower=0) * A_MINUTE).round(2)
'''
_UNITS = '''"""Units."""


def celsius(fahrenheit):
    """Return degrees Celsius."""
    return (fahrenheit - 32) * 5 / 9
'''
_LABELLING = '''"""Labels."""


def ref(first, second):
    """Return a reference of two texts."""
    return first.str.upper() + "/" + second
'''
_VERSIONS = {"gridprice": ("2.3.0", _GRIDPRICE), "tinyunits": ("0.4.1", _UNITS), "labelling": ("1.0.0", _LABELLING)}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_TARIFFS = (("ac", 0.21, 0.5, "home"), ("dc", 0.39, 1.0, "road"), ("tesla", 0.33, 0.0, "club"))


class Depot(Shop):
    """The project, its repository and its environment."""

    def __init__(self, folder: Path, nbops: Path) -> None:
        super().__init__(folder, nbops)
        self.root = folder / "depot"
        self.parameters = dict(_PARAMETERS)

    def create(self) -> None:
        """Write everything and commit it.

        Raises:
            FileNotFoundError: The real tables are not at hand.
        """
        self.root.mkdir(parents=True)
        for file, cells in _NOTEBOOKS.items():
            self.write(f"notebooks/{file}", (_percent if file.endswith(".py") else _notebook)(file.partition(".")[0], cells))
        self.write("depot/__init__.py", "")
        self.write("depot/gate.py", _GATE)
        self.write("depot/geo.py", _GEO)
        self.write("pipeline.yaml", _pipeline())
        self.write_parameters(_PARAMETERS)
        stations = _stations()
        self.write_table("data/stations.csv", stations)
        self.write_table("data/weather.csv", _weather())
        for day, rows in _sessions(stations).items():
            self.write_lines(f"data/sessions/{day}.jsonl", rows)
        self.write_parquet(
            "data/tariffs.parquet", [dict(zip(("plug", "per_kwh", "fee", "plan"), row, strict=True)) for row in _TARIFFS]
        )
        self.write(".gitignore", "output/\nquarantine/\n.nbops/\n__pycache__/\n.ipynb_checkpoints/\n")
        self.write("README.md", "# Depot\n")
        self.write("pyproject.toml", "[tool.nbops]\nprofile = false\n")
        for name, (version, code) in _VERSIONS.items():
            self.install(name, version, code)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("the depot")

    def edit_cell(self, name: str, old: str, new: str) -> None:
        """Replace a part of a notebook's code, of either format."""
        if (self.root / f"notebooks/{name}.py").exists():
            self.edit(f"notebooks/{name}.py", old, new)
        else:
            super().edit_cell(name, old, new)

    def write_table(self, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a CSV whose texts may hold anything; None is an empty field."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def write_lines(self, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write JSON lines."""
        self.write(path, "".join(json.dumps(row) + "\n" for row in rows))

    def write_parquet(self, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a Parquet file."""
        parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), self.root / path)


def _stations() -> list[dict[str, Any]]:
    with STATIONS.open(encoding="utf-8", newline="") as stream:
        return [{"station": f"S{number:03d}", **row} for number, row in enumerate(csv.DictReader(stream))]


def _weather() -> list[dict[str, Any]]:
    last = _START + timedelta(days=_DAYS)
    with WEATHER.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if str(_START) <= row["timestamp"] < str(last)]


def _sessions(stations: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return sessions of each day, at stations of the cities that have most."""
    chance = random.Random(11)
    cities = ("Stamford", "Fairfield", "Hartford", "New Haven", "Danbury", "Milford", "Norwalk", "Greenwich")
    places = [row["station"] for row in stations if row["city"] in cities]
    found: dict[str, list[dict[str, Any]]] = {}
    for day in range(_DAYS):
        rows: list[dict[str, Any]] = []
        for number in range(_A_DAY):
            plug = chance.choices(_PLUGS, (6, 3, 1))[0]
            minutes = round(chance.lognormvariate(3.2 if plug == "dc" else 4.5, 0.5)) + 5
            rows.append(
                {
                    "id": day * 1000 + number,
                    "station": chance.choice(places),
                    "start": str(_START + timedelta(days=day, minutes=chance.randrange(1440))),
                    "minutes": minutes,
                    "kwh": round(minutes / 60 * (45 if plug == "dc" else 7) * chance.uniform(0.7, 1.0), 2),
                    "plug": plug.upper(),
                    "vehicle": chance.choices(VEHICLES, (7, 5, 3, 3, 2, 2))[0],
                    "card": f"C{chance.randrange(400):05d}",
                }
            )
        found[str((_START + timedelta(days=day)).date())] = rows
    return found


def _cells(name: str, cells: Sequence[str]) -> list[str]:
    upstream = list(_UPSTREAM[name]) if name in _UPSTREAM else None
    first = f"upstream = {upstream}\nproduct = None\n" + "".join(f"{given} = None\n" for given in _GIVEN.get(name, ()))
    return [first.rstrip(), *cells]


def _percent(name: str, cells: Sequence[str]) -> str:
    first, *others = _cells(name, cells)
    return f'# %% tags=["parameters"]\n{first}\n' + "".join(f"\n# %%\n{cell}\n" for cell in others)


def _notebook(name: str, cells: Sequence[str]) -> str:
    found: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {} if number else {"tags": ["parameters"]},
            "source": text,
            "execution_count": None,
            "outputs": [],
        }
        for number, text in enumerate(_cells(name, cells))
    ]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    return json.dumps({"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _pipeline() -> str:
    lines = ["on_render: nbops.attach", "meta:", "  extract_upstream: true", "tasks:"]
    for file in _NOTEBOOKS:
        name = file.partition(".")[0]
        data = _SUFFIXES.get(name, f"{name}.parquet")
        key = data.partition(".")[0]
        lines += [f"  - source: notebooks/{file}", f"    name: {name}", "    product:", f"      nb: output/{name}.ipynb"]
        lines += [f"      {key}: output/{data}"]
        given = _GIVEN.get(name, ())
        lines += ["    params:", *(f'      {key}: "{{{{{key}}}}}"' for key in given)] if given else []
    return "\n".join(lines) + "\n"
