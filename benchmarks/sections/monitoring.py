"""What the monitors find of planted faults and schema changes, and how often they cry wolf, on real data with known truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.harness import Contestant, Experiment, Metric, SkippedError, say
from benchmarks.sections.monitoring_lists import experiment as lists

if TYPE_CHECKING:
    from benchmarks.context import Context
    from benchmarks.watched import Days

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Monitors against the truth"
MINUTES = 13.0

_FIRST = 40
"""Days before are history only."""
_PLACES = 10
_SEED, _PLACES_SEED = 20_111_209, {"held": 2, "tuned": 20_111_209}
"""What is drawn of faults, and of the days they are planted into."""
_LEAK_RUNS, _LEAK_EVERY = 60, 5
_BROKEN_OFF = "2011-12-09"
"""The day on which the collection ends, at 12:50, as the data's description says: half a day is no day as it was."""
_METRICS = (
    Metric(key="places", label="places", unit="runs", digits=0),
    Metric(key="raised", label="raised", unit="runs", digits=0),
    Metric(key="rate", label="raised of all", unit="%", digits=1),
    Metric(key="missed", label="missed of all", unit="%", digits=1),
    Metric(key="delay", label="median delay", unit="runs", digits=0),
)
_SUDDEN: dict[str, dict[str, tuple[int, int]]] = {}
"""Places and finds of each kind of sudden fault, by part, as they are measured."""
_CLEAN: dict[str, tuple[int, int]] = {}
"""Days as they were and those that raised something, by part, as they are measured."""


@cache
def _days(context: Context) -> Days:
    from benchmarks.watched import DATA, Days  # noqa: PLC0415 - pandas

    if not DATA.exists():
        raise SkippedError("the data is not there")
    return Days(context.folder("monitoring"), most=70 if context.quick else None)


def _judged_days(days: Days, part: str) -> list[int]:
    """Return the days of one part: those of odd weeks were held out when the limits were last chosen, by those of even weeks."""
    numbers = range(min(_FIRST, len(days.days) // 2), len(days.days))
    return [number for number in numbers if days.days[number].isocalendar()[1] % 2 == (part == "held")]


def _places(context: Context, days: Days, key: str, part: str) -> list[int]:
    import numpy as np  # noqa: PLC0415

    random = np.random.default_rng([_PLACES_SEED[part], *key.encode()])
    last = len(days.days) - (_LEAK_RUNS if key.startswith("leak") else 0)
    pool = [number for number in _judged_days(days, part) if number < last] or [max(last - 1, 1)]
    return sorted(int(one) for one in random.choice(pool, min(2 if context.quick else _PLACES, len(pool)), replace=False))


def _clean(context: Context, part: str) -> Mapping[str, float]:
    days = _days(context)
    numbers = [number for number in _judged_days(days, part) if str(days.days[number])[:10] != _BROKEN_OFF]
    raised = 0
    began = time.process_time()
    for number in numbers:
        found = days.clean(number)
        if found.raised:
            raised += 1
            say(f"    {days.days[number]}: {'; '.join(item.message for item in found.raised[:2])}")
    say(f"    {(time.process_time() - began) / len(numbers):.3f} CPU s a judgement")
    _CLEAN[part] = (len(numbers), raised)
    return {"places": len(numbers), "raised": raised, "rate": 100 * raised / len(numbers)}


def _cut_short(context: Context) -> Callable[[int], Mapping[str, float]]:
    """Judge the day that the data itself cut short: a fault that nobody planted."""

    def run(_: int) -> Mapping[str, float]:
        days = _days(context)
        found = [number for number, day in enumerate(days.days) if str(day)[:10] == _BROKEN_OFF]
        if not found:
            raise SkippedError("the day is not among these")
        return _figures(1, 1 if days.clean(found[0]).raised else 0)

    return run


def _planted(context: Context, key: str, part: str) -> Mapping[str, float]:
    import numpy as np  # noqa: PLC0415

    from benchmarks.day_faults import FAULTS  # noqa: PLC0415

    days, plant = _days(context), FAULTS[key][1]
    places = _places(context, days, key, part)
    raised = 0
    for place in places:
        random = np.random.default_rng([_SEED, place])
        if days.faulty(place, plant(days.table(place), days.table(place - 1), random)).raised:
            raised += 1
        else:
            say(f"    {key} on {days.days[place]}: not raised")
    _SUDDEN.setdefault(part, {})[key] = (len(places), raised)
    return _figures(len(places), raised)


def _figures(places: int, raised: int) -> Mapping[str, float]:
    """Return the figures of sudden faults: what is found, is found in its own run; the median counts what was missed as never."""
    rate = 100 * raised / places
    return {
        "places": places,
        "raised": raised,
        "rate": rate,
        "missed": 100 - rate,
        **({"delay": 0} if 2 * raised > places else {}),
    }


def _summed(*parts: str) -> Callable[[int], Mapping[str, float]]:
    def run(_: int) -> Mapping[str, float]:
        found = [counts for part in parts for counts in _SUDDEN.get(part, {}).values()]
        if not all(_SUDDEN.get(part) for part in parts):
            raise SkippedError("no kind of fault was measured")
        return _figures(sum(places for places, _ in found), sum(raised for _, raised in found))

    return run


def _all_clean(_: int) -> Mapping[str, float]:
    """Add up both parts."""
    if len(_CLEAN) < len(_PLACES_SEED):
        raise SkippedError("one of the parts was not measured")
    places, raised = (sum(counts[number] for counts in _CLEAN.values()) for number in (0, 1))
    return {"places": places, "raised": raised, "rate": 100 * raised / places}


def _cleaning(context: Context, part: str) -> Callable[[int], Mapping[str, float]]:
    return lambda _: _clean(context, part)


def _plant(context: Context, key: str, part: str) -> Callable[[int], Mapping[str, float]]:
    return lambda _: _planted(context, key, part)


def _leaking(context: Context, key: str) -> Callable[[int], Mapping[str, float]]:
    return lambda _: _leak(context, key)


def _leak(context: Context, key: str) -> Mapping[str, float]:
    """A leak of one in a hundred more each run."""
    import numpy as np  # noqa: PLC0415

    days = _days(context)
    places = _places(context, days, key, "held")[:: 10 if context.quick else 4]

    def change(table, step):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        lost = np.random.default_rng([_SEED, step]).random(len(table)) < 1 - 0.99 ** (step + 1)
        return table[~lost] if key == "leak_rows" else table.assign(Description=table["Description"].where(~lost))

    delays = [days.course(range(place, place + _LEAK_RUNS), change, every=_LEAK_EVERY) for place in places]
    found = sorted(delay for delay in delays if delay is not None)
    middle = {"delay": float(found[len(places) // 2])} if 2 * len(found) > len(places) else {}  # missed: never
    return {"places": len(places), "raised": len(found), "rate": 100 * len(found) / len(places), **middle}


def _schema(name: str, wanted: Mapping[str, set[str]] | None) -> Callable[[int], Mapping[str, float]]:
    """Judge each daily file of a set after those before; compare what the schema monitor says with the truth."""

    def run(_: int) -> Mapping[str, float]:
        from benchmarks.drift import judged_files  # noqa: PLC0415

        found = judged_files(name)
        truth = {day: set(items) for day, items in (wanted or {}).items()}
        right = sum(len(found.get(day, set()) & items) for day, items in truth.items())
        count = sum(len(items) for items in truth.values())
        invented = {(day, item) for day, items in found.items() for item in items - truth.get(day, set())}
        missed = {(day, item) for day, items in truth.items() for item in items - found.get(day, set())}
        for kind, items in (("invented", invented), ("missed", missed)):
            for day, item in sorted(items):
                say(f"    {name}: {kind}: {day} {item}")
        return {"places": count, "raised": right, "rate": 100 * right / count if count else 100.0, "invented": len(invented)}

    return run


def _truth() -> Mapping[str, set[str]]:
    """Return the changes of the global files: those of the header from the data's own list, the rest from its description."""
    from benchmarks.watched import DATA  # noqa: PLC0415

    changes = json.loads((DATA / "schema_drift/schema_changes.json").read_text(encoding="utf-8"))
    names = {"Province/State": "Province_State", "Country/Region": "Country_Region", "Last Update": "Last_Update"}
    names |= {"Latitude": "Lat", "Longitude": "Long_"}
    truth: dict[str, set[str]] = {}
    for change in changes:
        removed = set(change["removed"])
        renamed = {old: new for old, new in names.items() if old in removed and new in change["added"]}
        items = {f"renamed:{old}:{new}" for old, new in renamed.items()}
        items |= {f"removed:{old}" for old in removed - set(renamed)}
        items |= {f"added:{new}" for new in set(change["added"]) - set(renamed.values())}
        truth[change["to_date"]] = items
    for day in ("2020-02-01", "2020-03-13", "2020-03-14", "2020-03-22", "2020-03-23"):
        truth.setdefault(day, set()).add("bom")
    for day in ("2020-01-23", "2020-01-31", "2020-02-01", "2020-02-02", "2020-03-22", "2020-03-23"):
        truth.setdefault(day, set()).add("format")
    truth["2020-03-23"].add("type:FIPS:VARCHAR")  # codes of five digits since then: 6001 became 06001
    truth["2020-02-01"].discard("format")  # some of its rows are written as the day before's were
    return truth


_ABOUT = {
    "held": (
        "305 days with orders, a run each, measured as a build measures them and judged by the days before; the first 40 are "
        f"history only. A fault is planted into {_PLACES} days of odd weeks, drawn by chance; it counts as found when its own "
        f"run raises anything (delay 0). Leaks run over {_LEAK_RUNS} days, judged every {_LEAK_EVERY}. The first row is the "
        "control: days of odd weeks on which anything was raised, of all but 9 December 2011, on which the collection ends at "
        "12:50 (a row of its own). The last change of monitors and limits (a run's own "
        "budget of false alarms) was chosen on even weeks alone, when six false alarms in 134 days of odd weeks, and which they "
        "were, were known. Earlier versions' limits, most of which remain, were chosen by days of all weeks, with other draws; "
        "shop and kinds of faults are the same. So on other data expect more false alarms and fewer finds."
    ),
    "tuned": "As above, in even weeks: how much better it looks on days that were looked at.",
}


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield faults, leaks and schema changes."""
    from benchmarks.day_faults import FAULTS  # noqa: PLC0415

    chosen = list(FAULTS.items())[: 3 if context.quick else None]
    leaks = [
        Contestant(key="leak_nulls", label="slow leak: 1 % more nulls each run", run=_leaking(context, "leak_nulls")),
        Contestant(key="leak_rows", label="slow leak: 1 % more rows lost each run", run=_leaking(context, "leak_rows")),
    ]
    cut = Contestant(key="cut_short", label="9 December, which the data itself ends at 12:50", run=_cut_short(context))
    for part, key, title in (
        ("held", "faults", "Faults planted into days of Online Retail, held-out days"),
        ("tuned", "tuned", "The same on the days that the limits were chosen by"),
    ):
        clean = Contestant(key="clean", label="days as they were: false alarms", run=_cleaning(context, part))
        planted = [Contestant(key=name, label=label, run=_plant(context, name, part)) for name, (label, _) in chosen]
        planted.append(Contestant(key="all", label="all sudden faults", run=_summed(part)))
        yield Experiment(
            key=f"monitoring.{key}",
            title=title,
            about=_ABOUT[part],
            baseline="clean",
            contestants=[clean, *planted, *([cut, *leaks] if part == "held" and not context.quick else [])],
            rounds=1,
            metrics=_METRICS,
        )
    yield Experiment(
        key="monitoring.days",
        title="Both parts together",
        about="The days and faults of the two tables before, added up.",
        baseline="clean",
        contestants=[
            Contestant(key="clean", label="days as they were: false alarms", run=_all_clean),
            Contestant(key="all", label="all sudden faults", run=_summed(*_PLACES_SEED)),
        ],
        rounds=1,
        metrics=_METRICS,
    )
    yield from lists(context)
    from benchmarks.watched import DATA  # noqa: PLC0415 - pandas

    if not DATA.exists():
        return  # the first experiment says so
    sets = [
        Contestant(key="global", label="40 files with changes", run=_schema("jhu_covid_global", _truth())),
        Contestant(key="us", label="10 files without", run=_schema("jhu_covid_us", None)),
    ]
    yield Experiment(
        key="monitoring.schema",
        title="Schema changes of daily files",
        about=(
            "Daily CSV files of JHU CSSE, judged in turn by the schema monitor. Places are changes in truth; invented ones are "
            "none. One file mixes line ends, which nbops refuses with an error; its line ends were made one kind."
        ),
        baseline="global",
        contestants=sets,
        rounds=1,
        metrics=(*_METRICS[:3], Metric(key="invented", label="invented", unit="changes", digits=0)),
    )
