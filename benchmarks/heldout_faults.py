"""Faults with a known cause that are planted in the depot, and innocent changes beside them.

They were written down before any of them was tried; what the ranking made of them at first sight is in ``README.md``.
"""

# ruff: noqa: E501 - a fault is a line

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyarrow import parquet

from benchmarks.faults import Change, Fault, Kind, Row
from benchmarks.heldout_project import STATIONS, Depot

if TYPE_CHECKING:
    from benchmarks.faults_project import Shop

__all__ = ["DISTRACTORS", "FAULTS"]

Touch = Callable[[Row, random.Random], Row | None]


def _cell(name: str, old: str, new: str) -> Change:
    return lambda shop: shop.edit_cell(name, old, new)


def _text(path: str, old: str, new: str) -> Change:
    return lambda shop: shop.edit(path, old, new)


def _both(*changes: Change) -> Change:
    def change(shop: Shop) -> None:
        for one in changes:
            one(shop)

    return change


def _set(**values: Any) -> Change:
    return lambda shop: shop.write_parameters({**shop.parameters, **values})


def _package(name: str, version: str, old: str = "", new: str = "") -> Change:
    def change(shop: Shop) -> None:
        text = (shop.packages / f"{name}.py").read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{name} does not hold {old!r}")
        shop.install(name, version, text.replace(old, new) if old else text)

    return change


def _depot(shop: Shop) -> Depot:
    if not isinstance(shop, Depot):
        raise TypeError("these changes are the depot's")
    return shop


def _sessions(touch: Touch, *, days: str = "*") -> Change:
    """Return a change of each session; None drops it."""

    def change(shop: Shop) -> None:
        chance = random.Random(3)
        for path in sorted((shop.root / "data/sessions").glob(f"{days}.jsonl")):
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            kept = [touched for row in rows if (touched := touch(row, chance)) is not None]
            _depot(shop).write_lines(f"data/sessions/{path.name}", kept)

    return change


def _table(path: str, touch: Touch) -> Change:
    """Return a change of each row of a CSV; None drops it."""

    def change(shop: Shop) -> None:
        chance = random.Random(3)
        with (shop.root / path).open(encoding="utf-8", newline="") as stream:
            rows: list[Row] = [dict(row) for row in csv.DictReader(stream)]
        _depot(shop).write_table(path, [touched for row in rows if (touched := touch(row, chance)) is not None])

    return change


def _tariffs(touch: Callable[[Row], Row], *more: Row) -> Change:
    def change(shop: Shop) -> None:
        rows = parquet.read_table(shop.root / "data/tariffs.parquet").to_pylist()
        _depot(shop).write_parquet("data/tariffs.parquet", [*map(touch, rows), *more])

    return change


def _where(where: Callable[[Row], bool], part: float = 1.0, **new: Any) -> Touch:
    return lambda row, chance: {**row, **new} if where(row) and chance.random() < part else row


def _without(where: Callable[[Row], bool], part: float = 1.0) -> Touch:
    return lambda row, chance: None if where(row) and chance.random() < part else row


def _times(column: str, factor: float, where: Callable[[Row], bool] = lambda _: True) -> Touch:
    return lambda row, _: {**row, column: round(float(row[column]) * factor, 3)} if where(row) else row


def _is(column: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row[column] == value


def _any(_: Row) -> bool:
    return True


def _in(city: str) -> Callable[[Row], bool]:
    """Tell whether a session was at a station of a city."""

    def there(row: Row) -> bool:
        if not _CITIES:
            with STATIONS.open(encoding="utf-8", newline="") as stream:
                _CITIES.update({f"S{number:03d}": found["city"] for number, found in enumerate(csv.DictReader(stream))})
        return _CITIES[row["station"]] == city

    return there


_CITIES: dict[str, str] = {}


def _lost_days(shop: Shop) -> None:
    for day in (4, 6, 9, 11, 12):
        (shop.root / f"data/sessions/2013-08-{day:02d}.jsonl").unlink()


def _days_twice(shop: Shop) -> None:
    for day in (3, 5, 8, 13):
        path = shop.root / f"data/sessions/2013-08-{day:02d}.jsonl"
        shop.write(f"data/sessions/2013-08-{day:02d} (1).jsonl", path.read_text(encoding="utf-8"))


def _another_station(shop: Shop) -> None:
    path = shop.root / "data/stations.csv"
    last = path.read_text(encoding="utf-8").splitlines()[-1].partition(",")[2]
    path.write_text(path.read_text(encoding="utf-8") + f"S999,{last}\n", encoding="utf-8")


def _swapped(shop: Shop) -> None:
    """Move the cell that opens the connection above the one that reads."""
    path = shop.root / "notebooks/usage.ipynb"
    document = json.loads(path.read_text(encoding="utf-8"))
    cells = document["cells"]
    cells[2], cells[3] = cells[3], cells[2]
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _sql_in_lower_case(shop: Shop) -> None:
    for word in ("SELECT", "FROM", "LEFT JOIN", "JOIN", "USING", "GROUP BY", "ORDER BY", "HAVING"):
        shop.edit_cell("usage", word, word.lower())


DISTRACTORS: Mapping[str, tuple[str, Change]] = {
    "comment": ("a comment", _cell("priced", "import gridprice", "# what a session costs\nimport gridprice")),
    "layout": (
        "formatted",
        _cell(
            "priced",
            '(priced["hour"] >= night_from) | (priced["hour"] < 6)',
            '(\n    (priced["hour"] >= night_from)\n    | (priced["hour"] < 6)\n)',
        ),
    ),
    "renamed": ("better names", _cell("checked", "rows", "kept")),
    "moved": ("cells in order", _swapped),
    "lower": ("SQL in lower case", _sql_in_lower_case),
    "longest": (
        "the longest session",
        _cell("usage", "any_value(w.mean_c) AS mean_c", "any_value(w.mean_c) AS mean_c, max(p.minutes) AS longest"),
    ),
    "order": (
        "turned around",
        _cell("priced", 'priced["energy"] + priced["fee"] + priced["idle"]', 'priced["fee"] + priced["idle"] + priced["energy"]'),
    ),
    "week": (
        "weeks",
        _cell("daily", 'daily["per_kwh"]', 'daily["week"] = daily["day"].dt.isocalendar().week.astype(int)\ndaily["per_kwh"]'),
    ),
    "look": (
        "a look at it",
        _cell(
            "forecast",
            'frame["gap"] = frame["kwh"] - frame["expected"]',
            'frame["gap"] = frame["kwh"] - frame["expected"]\nframe.tail(3)',
        ),
    ),
    "plug": ("plugs without blanks", _cell("intake", '["plug"].str.lower()', '["plug"].str.strip().str.lower()')),
    "path": (
        "a path of its own",
        _cell(
            "intake",
            'files = sorted(Path("data/sessions").glob("*.jsonl"))',
            'folder = Path("data/sessions")\nfiles = sorted(folder.glob("*.jsonl"))',
        ),
    ),
    "access": (
        "access in lower case",
        _cell("sites", 'sites.groupby("open")', 'sites["access"] = sites["access"].str.lower()\nsites.groupby("open")'),
    ),
    "ported": ("names of ports", _cell("sites", "PORTS", "PORT_COLUMNS")),
    "gate": ("the gate's words", _text("depot/gate.py", 'f"at least {self.least} kWh"', 'f"{self.least} kWh and more"')),
    "north": ("north and on the line", _text("depot/geo.py", "lat > line", "lat >= line")),
    "label": ("the label", _set(label="Charging points")),
    "round": ("a digit more", _set(round_to=3)),
    "coast": ("the coast", _set(coast_lat=41.25)),
    "cold": ("what is cold", _set(cold_below=15.0)),
    "units patch": ("tinyunits", _package("tinyunits", "0.4.2")),
    "grid patch": ("gridprice", _package("gridprice", "2.3.1")),
    "labelling": ("labelling", _package("labelling", "2.0.0", '"/"', '"-"')),
    "station": ("one station more", _another_station),
    "names": (
        "names of stations",
        _table("data/stations.csv", lambda row, _: {**row, "stationname": row["stationname"].title()}),
    ),
    "streets": ("streets", _table("data/stations.csv", lambda row, _: {**row, "streetaddress": row["streetaddress"].upper()})),
    "cards": ("cards' numbers", _sessions(lambda row, _: {**row, "card": row["card"].replace("C0", "D0")})),
    "tariff": ("a tariff more", _tariffs(lambda row: row, {"plug": "chademo", "per_kwh": 0.35, "fee": 1.0, "plan": "old"})),
    "plans": ("names of plans", _tariffs(lambda row: {**row, "plan": row["plan"].upper()})),
    "sensor": ("the sensor calibrated", _table("data/weather.csv", _times("value", 1.0005))),
}

_Listed = tuple[str, str, Change, tuple[str, ...], tuple[str, ...]]


def _code() -> Iterator[Fault]:
    gate, geo = "file:depot/gate.py", "file:depot/geo.py"
    listed: list[_Listed] = [
        ("speed a minute", "task:intake", _cell("intake", '(sessions["minutes"] / 60)', 'sessions["minutes"]'), ("sessions.speed:mean",), ("path", "cards", "labelling")),
        ("the last files left out", "task:intake", _cell("intake", "for path in files]", "for path in files[:-4]]"), ("sessions:rowCount",), ("plug", "label", "station")),
        ("one session a station", "task:checked", _cell("checked", '["session"]', '["station"]'), ("checked:rowCount",), ("gate", "grid patch", "cards")),
        ("one session a station, seen in usage", "task:checked", _cell("checked", '["session"]', '["station"]'), ("usage.sessions:mean",), ("lower", "tariff", "order")),
        ("the gate too narrow", gate, _text("depot/gate.py", '["kwh"] >= self.least', '["kwh"] >= self.least * 20'), ("checked:rowCount",), ("renamed", "cards", "round")),
        ("long from an hour on", gate, _text("depot/gate.py", "LONG, FAST = 180, 30", "LONG, FAST = 60, 30"), ("checked.kind:share:long",), ("renamed", "plug", "units patch")),
        ("tariffs without the free ones", "task:priced", _cell("priced", "checked.merge(tariffs,", 'checked.merge(tariffs.query("fee > 0"),'), ("priced.rate:nullRate", "priced.fee:nullRate"), ("comment", "plans", "grid patch")),
        ("night and day", "task:priced", _cell("priced", 'np.where(priced["night"], priced["per_kwh"] * night_factor, priced["per_kwh"])', 'np.where(priced["night"], priced["per_kwh"] / night_factor, priced["per_kwh"] * 2)'), ("priced.rate:mean",), ("layout", "plans", "labelling")),
        ("idle ten times", "task:priced", _cell("priced", '+ priced["idle"]', '+ priced["idle"] * 10'), ("priced.cost:mean",), ("layout", "grid patch", "plans")),
        ("energy twice, seen in usage", "task:priced", _cell("priced", '= priced["energy"] +', '= 2 * priced["energy"] +'), ("usage.revenue:mean",), ("moved", "grid patch", "tariff")),
        ("another column summed in SQL", "task:usage", _cell("usage", "sum(p.invoice)", "sum(p.rate)"), ("usage.revenue:mean",), ("moved", "grid patch", "coast")),
        ("groups left out in SQL", "task:usage", _cell("usage", "count(*) >= $1", "count(*) > $1 + 5"), ("usage:rowCount",), ("longest", "names", "cold")),
        ("another day's weather in SQL", "task:usage", _cell("usage", "p.day = w.day", "p.day = w.day + INTERVAL 12 HOUR"), ("usage.mean_c:nullRate",), ("lower", "units patch", "sensor")),
        ("mean for sum in a pivot", "task:daily", _cell("daily", 'aggfunc="sum"', 'aggfunc="mean"'), ("daily.kwh_always:mean",), ("week", "longest", "grid patch")),
        ("upside down", "task:daily", _cell("daily", 'daily["revenue"] / daily["kwh"]', 'daily["kwh"] / daily["revenue"]'), ("daily.per_kwh:mean",), ("order", "grid patch", "label")),
        ("a sum that rolls", "task:forecast", _cell("forecast", ".mean().shift(1)", ".sum().shift(1)"), ("forecast.expected:mean",), ("look", "units patch", "week")),
        ("places turned around", geo, _text("depot/geo.py", "(?P<lon>-?[0-9.]+) (?P<lat>", "(?P<lat>-?[0-9.]+) (?P<lon>"), ("sites.lat:mean",), ("ported", "streets", "coast")),
        ("always, but never", "task:sites", _cell("sites", '"24 hours"', '"24 Hours"'), ("sites.open:share:always",), ("north", "names", "labelling")),
        ("the largest for all ports", "task:board", _cell("board", '["ports"].sum()', '["ports"].max()'), ("board.per_port:mean",), ("names", "round", "label")),
        ("a name that is not there", "task:checked", _cell("checked", "minutes <= @max_minutes", "duration <= @max_minutes"), ("task:checked",), ("gate", "plug", "cards")),
    ]  # fmt: skip
    for name, subject, plant, shows, beside in listed:
        yield Fault(name=name, kind="code", subject=subject, plant=plant, shows=shows, beside=beside)


def _parameters() -> Iterator[Fault]:
    listed: list[tuple[str, str, Mapping[str, Any], tuple[str, ...], tuple[str, ...]]] = [
        ("a surcharge of 90 %", "surcharge", {"surcharge": 0.9}, ("priced.invoice:mean",), ("order", "grid patch", "plans")),
        ("a surcharge seen in usage", "surcharge", {"surcharge": -0.5}, ("usage.revenue:mean",), ("moved", "tariff", "labelling")),
        ("a surcharge seen in days", "surcharge", {"surcharge": 1.5, "label": "New", "round_to": 1}, ("daily.per_kwh:mean",), ("longest", "week")),
        ("from the second week on", "first_day", {"first_day": "2013-08-08"}, ("sessions:rowCount",), ("path", "cards", "label")),
        ("from the second week on, seen in days", "first_day", {"first_day": "2013-08-09"}, ("daily:rowCount",), ("week", "sensor", "tariff")),
        ("15 kWh at least", "min_kwh", {"min_kwh": 15}, ("checked:rowCount",), ("renamed", "gate", "cards")),
        ("an hour at most", "max_minutes", {"max_minutes": 60}, ("checked.minutes:mean", "checked.minutes:maximum"), ("renamed", "gate", "plug")),
        ("an hour at most, seen in prices", "max_minutes", {"max_minutes": 45}, ("priced.idle:mean",), ("grid patch", "order", "cards")),
        ("nearly free at night", "night_factor", {"night_factor": 0.05}, ("priced.rate:mean",), ("layout", "plans", "grid patch")),
        ("night from noon on", "night_from", {"night_from": 10, "coast_lat": 41.2}, ("priced.rate:mean", "priced.energy:mean"), ("comment", "tariff", "labelling")),
        ("large groups only", "least_sessions", {"least_sessions": 8}, ("usage:rowCount",), ("lower", "station", "grid patch")),
        ("three cities", "top_cities", {"top_cities": 3}, ("board:rowCount",), ("names", "label", "look")),
        ("it is always hot", "comfort", {"comfort": -40}, ("forecast.expected:mean",), ("look", "sensor", "units patch")),
    ]  # fmt: skip
    for name, parameter, values, shows, beside in listed:
        yield Fault(
            name=name, kind="parameter", subject=f"parameter:{parameter}", plant=_set(**values), shows=shows, beside=beside
        )


def _packages() -> Iterator[Fault]:
    grid, units, labels = "gridprice", "tinyunits", "labelling"
    listed: list[_Listed] = [
        ("energy in cents", grid, _package(grid, "3.0.0", "kwh * rate", "kwh * rate * 100"), ("priced.energy:mean", "priced.cost:mean"), ("layout", "plans", "label")),
        ("idle from the start", grid, _package(grid, "2.4.0", "FREE = 30", "FREE = -300"), ("priced.idle:mean",), ("comment", "tariff", "plug")),
        ("a patch that loses large ones", grid, _package(grid, "2.3.1", "return kwh * rate", "return (kwh * rate).where(kwh < 20)"), ("priced.energy:nullRate",), ("order", "plans", "cards")),
        ("a patch seen in usage", grid, _package(grid, "2.3.2", "return kwh * rate", "return kwh * rate * 0.2"), ("usage.revenue:mean",), ("moved", "order", "tariff")),
        ("a patch seen on the board", grid, _package(grid, "2.3.3", "return kwh * rate", "return kwh * rate * 7"), ("board.revenue:mean",), ("longest", "week", "round")),
        ("no 32 any more", units, _package(units, "0.5.0", "(fahrenheit - 32)", "fahrenheit"), ("weather.mean_c:mean",), ("sensor", "cold", "label")),
        ("kelvin, seen in usage", units, _package(units, "1.0.0", "* 5 / 9", "* 5 / 9 + 273.15"), ("usage.mean_c:mean",), ("lower", "sensor", "station")),
        ("kelvin, seen in the forecast", units, _package(units, "1.0.0", "* 5 / 9", "* 5 / 9 + 273.15"), ("forecast.heat:mean", "forecast.expected:mean"), ("look", "sensor", "week")),
        ("clipped", units, _package(units, "0.4.2", "return (fahrenheit - 32) * 5 / 9", "return ((fahrenheit - 32) * 5 / 9).clip(upper=21)"), ("weather.max_c:maximum",), ("cold", "sensor", "grid patch")),
        ("references lost", labels, _package(labels, "2.0.0", 'first.str.upper() + "/" + second', 'first.str.upper().where(first.str.len() > 4) + "/" + second'), ("priced.ref:nullRate",), ("comment", "plug", "tariff")),
        ("it raises", grid, _package(grid, "3.0.0", "def idle(minutes, kwh)", "def parking(minutes, kwh)"), ("task:priced",), ("comment", "order", "tariff")),
    ]  # fmt: skip
    for name, package, plant, shows, beside in listed:
        yield Fault(name=name, kind="package", subject=f"package:{package}", plant=plant, shows=shows, beside=beside)


def _inputs() -> Iterator[Fault]:
    sessions, weather, stations, tariffs = "data/sessions/*", "data/weather.csv", "data/stations.csv", "data/tariffs.parquet"
    listed: list[_Listed] = [
        ("watt-hours", sessions, _sessions(_times("kwh", 1000)), ("sessions.kwh:mean",), ("path", "plug", "label")),
        ("watt-hours, seen in usage", sessions, _sessions(_times("kwh", 1000)), ("usage.kwh:mean",), ("lower", "gate", "grid patch")),
        ("days that did not come", sessions, _lost_days, ("sessions:rowCount",), ("plug", "station", "label")),
        ("days that did not come, seen in days", sessions, _lost_days, ("daily:rowCount",), ("week", "longest", "sensor")),
        ("days that came twice", sessions, _days_twice, ("sessions:rowCount",), ("path", "tariff", "round")),
        ("one day's minutes in seconds", "data/sessions/2013-08-07.jsonl", _sessions(_times("minutes", 60), days="2013-08-07"), ("sessions.minutes:mean",), ("plug", "labelling", "cold")),
        ("cards lost anywhere", sessions, _sessions(_where(_any, 0.4, card=None)), ("sessions.card:nullRate",), ("path", "label", "tariff")),
        ("degrees Celsius at once", weather, _table(weather, lambda row, _: {**row, "value": round((float(row["value"]) - 32) * 5 / 9, 3)}), ("weather.mean_c:mean",), ("units patch", "cold", "label")),
        ("a hot sensor, seen in the forecast", weather, _table(weather, _times("value", 2.5)), ("forecast.expected:mean",), ("look", "units patch", "week")),
        ("the sensor stops", weather, _table(weather, _without(lambda row: row["timestamp"] >= "2013-08-08")), ("weather:rowCount", "forecast:rowCount"), ("look", "units patch", "cold")),
        ("prices in cents", tariffs, _tariffs(lambda row: {**row, "per_kwh": row["per_kwh"] * 100}), ("priced.rate:mean",), ("layout", "grid patch", "order")),
        ("fees of 40", tariffs, _tariffs(lambda row: {**row, "fee": 40.0}), ("priced.cost:mean", "usage.revenue:mean"), ("order", "grid patch", "lower")),
        ("stations lost", stations, _table(stations, _without(_any, 0.6)), ("sites:rowCount",), ("ported", "access", "coast")),
        ("stations lost, seen in usage", stations, _table(stations, _without(_any, 0.6)), ("usage.sessions:mean",), ("lower", "cards", "order")),
        ("cities lost anywhere", stations, _table(stations, _where(_any, 0.5, city=None)), ("sites.city:nullRate",), ("north", "ported", "label")),
        ("eight ports each", stations, _table(stations, _where(_any, evleveltwoevsenum="8")), ("board.per_port:mean",), ("access", "round", "north")),
        ("a field renamed", sessions, _sessions(lambda row, _: {("energy" if name == "kwh" else name): value for name, value in row.items()}), ("task:intake",), ("plug", "label", "labelling")),
    ]  # fmt: skip
    for name, path, plant, shows, beside in listed:
        yield Fault(name=name, kind="input", subject=f"file:{path}", plant=plant, shows=shows, beside=beside)


def _segments() -> Iterator[Fault]:
    stations = "data/stations.csv"
    listed: list[_Listed] = [
        ("no energy of Tesla's plugs", "tesla", _sessions(_where(_is("plug", "TESLA"), kwh=None)), ("sessions.kwh:nullRate",), ("path", "label", "tariff")),
        ("no cards of the kona", "kona", _sessions(_where(_is("vehicle", "kona"), 0.95, card=None)), ("sessions.card:nullRate",), ("plug", "station", "round")),
        ("the leaf is not told any more", "leaf", _sessions(_without(_is("vehicle", "leaf"))), ("sessions:rowCount",), ("path", "labelling", "label")),
        ("no fast ones, seen in prices", "dc", _sessions(_without(_is("plug", "DC"))), ("priced:rowCount",), ("order", "grid patch", "plans")),
        ("the bolt's minutes in seconds", "bolt", _sessions(_times("minutes", 60, _is("vehicle", "bolt"))), ("sessions.minutes:mean",), ("plug", "cold", "label")),
        ("fast ones in watt-hours, seen in prices", "dc", _sessions(_times("kwh", 1000, _is("plug", "DC"))), ("priced.energy:mean",), ("layout", "grid patch", "plans")),
        ("Hartford in watt-hours, seen in usage", "Hartford", _sessions(_times("kwh", 1000, _in("Hartford"))), ("usage.kwh:mean",), ("lower", "station", "order")),
        ("Stamford's stations lost", "Stamford", _table(stations, _without(_is("city", "Stamford"))), ("usage:rowCount",), ("longest", "access", "grid patch")),
        ("places of car dealers lost", "Dealership business hours", _table(stations, _where(_is("accessdaystime", "Dealership business hours"), newgeoreferencedcolumn=None)), ("sites.lat:nullRate",), ("ported", "north", "coast")),
        ("the ioniq has no plug", "ioniq", _sessions(_where(_is("vehicle", "ioniq"), plug=None)), ("priced.rate:nullRate",), ("layout", "tariff", "grid patch")),
        ("Tesla's sessions sent thrice", "tesla", _thrice, ("sessions:rowCount",), ("path", "label", "labelling")),
    ]  # fmt: skip
    for name, value, plant, shows, beside in listed:
        yield Fault(name=name, kind="segment", subject=value, plant=plant, shows=shows, beside=beside)


def _thrice(shop: Shop) -> None:
    for path in sorted((shop.root / "data/sessions").glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        more = [row for row in rows if row["plug"] == "TESLA"]
        _depot(shop).write_lines(f"data/sessions/{path.name}", [*rows, *more, *more])


def _later() -> Iterator[Fault]:
    """Yield the faults that were written after rules had been mended by those above, and before any of these was tried."""
    sessions, weather, tariffs = "file:data/sessions/*", "file:data/weather.csv", "file:data/tariffs.parquet"
    listed: list[tuple[str, Kind, str, Change, tuple[str, ...], tuple[str, ...]]] = [
        ("Fahrenheit after all", "code", "task:weather", _cell("weather", '["celsius"].agg', '["value"].agg'), ("weather.mean_c:mean",), ("units patch", "sensor", "cold")),
        ("sum for mean in SQL", "code", "task:usage", _cell("usage", "avg(p.speed)", "sum(p.speed)"), ("usage.speed:mean",), ("longest", "access", "grid patch")),
        ("multiplied, not divided", "code", "task:board", _cell("board", 'board["kwh"] / board["kwh"].sum()', 'board["kwh"] * board["kwh"].sum()'), ("board.outlook:mean",), ("round", "label", "look")),
        ("an hour at least", "code", "file:depot/gate.py", _text("depot/gate.py", '["minutes"] > 0', '["minutes"] > 60'), ("checked:rowCount",), ("renamed", "cards", "plug")),
        ("dear nights, seen in usage", "parameter", "parameter:night_factor", _set(night_factor=5.0), ("usage.revenue:mean",), ("tariff", "moved", "order")),
        ("large groups only, seen in days", "parameter", "parameter:least_sessions", _set(least_sessions=9), ("daily.sessions:mean",), ("week", "lower", "station")),
        ("never below 30, seen in the forecast", "package", "package:tinyunits", _package("tinyunits", "0.6.0", "return (fahrenheit - 32) * 5 / 9", "return ((fahrenheit - 32) * 5 / 9).clip(lower=30)"), ("forecast.heat:mean",), ("look", "week", "sensor")),
        ("standing is free", "package", "package:gridprice", _package("gridprice", "2.5.0", "A_MINUTE = 0.01", "A_MINUTE = 0"), ("priced.idle:mean",), ("layout", "tariff", "cards")),
        ("another name in a package", "package", "package:labelling", _package("labelling", "3.0.0", "def ref(", "def reference("), ("task:priced",), ("comment", "order", "grid patch")),
        ("another year's weather", "input", weather, _table("data/weather.csv", lambda row, _: {**row, "timestamp": row["timestamp"].replace("2013", "2014")}), ("usage.mean_c:nullRate",), ("units patch", "lower", "cold")),
        ("fees, seen on the board", "input", tariffs, _tariffs(lambda row: {**row, "fee": row["fee"] * 20}), ("board.revenue:mean",), ("round", "order", "longest")),
        ("seconds, seen in what is left", "input", sessions, _sessions(_times("minutes", 60)), ("checked:rowCount",), ("gate", "renamed", "label")),
        ("nothing from New Haven, seen in usage", "segment", "New Haven", _sessions(_without(_in("New Haven"))), ("usage:rowCount",), ("longest", "grid patch", "names")),
        ("the zoe's energy thirtyfold", "segment", "zoe", _sessions(_times("kwh", 30, _is("vehicle", "zoe"))), ("sessions.kwh:mean",), ("path", "label", "tariff")),
    ]  # fmt: skip
    for name, kind, subject, plant, shows, beside in listed:
        yield Fault(name=name, kind=kind, subject=subject, plant=plant, shows=shows, beside=beside)


FAULTS: tuple[Fault, ...] = (*_code(), *_parameters(), *_packages(), *_inputs(), *_segments(), *_later())
