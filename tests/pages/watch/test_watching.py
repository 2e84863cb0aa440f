"""Pages of monitoring and incidents: what stands on them, what is hostile, how much they weigh, when they are written."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from nbops.model import Anomaly, Cause, Dataset, Expected, Incident, IncidentEvent, IncidentFinding, Run
from nbops.pages.findings import findings, headline
from nbops.pages.incidents import during_words, incident_page, open_during
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summarise
from nbops.pages.watch import BandPoint, BandSeries, RunWatch, Watch
from nbops.record.store import write_run

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '<script>alert("1")</script>\x00\u202eevil\'&'


def words(path: Path) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, watched: Any, runs: Any) -> Path:
    return watched(runs["passing"](), tmp_path_factory.mktemp("year"))


def links(site: Path, page: Path) -> list[Path]:
    found = re.findall(r'href="([^"#:]+)["#]', page.read_text(encoding="utf-8"))
    return [(page.parent / link).resolve() for link in found]


def test_every_page_of_monitoring_leads_only_to_what_is_there(year: Path) -> None:
    pages = [*year.glob("*.html"), *year.glob("monitoring/*.html"), *year.glob("incidents/*.html")]
    assert len(pages) > 15
    for page in pages:
        assert [str(link) for link in links(year, page) if not link.is_file()] == [], page.name


def test_the_overview_says_what_is_out_how_fresh_data_is_and_what_is_noisy(year: Path) -> None:
    text = words(year / "monitoring.html")
    assert "Unusual order_lines: customer_id: share of nulls is 54.6 %, expected 26.1 % to 30.6 %" in text
    assert "2 of 10 datasets out of the ordinary" in text
    assert "1 incident open" in text
    assert "The noisiest" in text
    assert "share of nulls of customer_id 3 of 60 runs" in text
    assert "nbops expect customer_features.customer_id.nullRate --reason '...'" in text
    assert "time between changes" in text
    assert text.index("order_lines_raw") < text.index("recommender_scores")


def test_a_datasets_page_has_its_series_with_bands_marks_and_the_same_as_a_table(year: Path) -> None:
    html = (year / "monitoring/order_lines.html").read_text(encoding="utf-8")
    assert html.count('class="plot"') == 4
    assert html.count('<path class="a"') >= 4
    assert html.count('<i class="down"') + html.count('<i class="out"') >= 2
    assert '<i class="ok"' in html
    text = words(year / "monitoring/order_lines.html")
    assert "Learned from the 6 Sundays before, without 1 outlier" in text
    assert "Out of the ordinary in 2 of 42 runs" in text
    assert "1 time said to be expected" in text.lower()
    rows = html.split('id="numbers-table"')[1].split("</table>")[0]
    assert rows.count("<tr>") == 43
    assert rows.count("Unusual") == 4
    assert '<a href="../runs/20261122T194156Z-1f0c9a/index.html">' in rows


def test_the_runs_page_and_the_index_lead_with_what_is_out_of_the_ordinary(year: Path) -> None:
    for page in (year / "index.html", year / "runs/20261122T194156Z-1f0c9a/index.html"):
        text = words(page)
        assert "Warned order_lines: customer_id: share of nulls" in text
        assert "order_lines_raw: rows is 153,201" in text
        assert "Its series, with what was expected" in text
    assert "opened by this run" in words(year / "runs/20261122T194156Z-1f0c9a/index.html")


def test_an_incidents_page_says_why_and_what_to_do(year: Path) -> None:
    text = words(year / "incidents/INC-20261122T194156Z-4c1d.html")
    for part in (
        "Open order_lines_raw: rows is 153,201",
        "nbops incidents ack INC-20261122T194156Z-4c1d",
        "nbops diff 20261121T194156Z-000001 20261122T194156Z-1f0c9a",
        "nbops expect INC-20261122T194156Z-4c1d --reason",
        "nbops replay order_lines_raw --code 20261121T194156Z-000001 --data 20261122T194156Z-1f0c9a",
        "data/raw/online_retail.csv is 69 % smaller",
        "86 of 100",
        "the last day in it is 2026-11-14",
        "Affected downstream",
        "asked the warehouse team",
        "Ada Lovelace",
    ):
        assert part in text, part
    html = (year / "incidents/INC-20261122T194156Z-4c1d.html").read_text(encoding="utf-8")
    assert 'href="../runs/20261122T194156Z-1f0c9a/datasets/order_lines.html"' in html
    assert 'href="../runs/20261122T194156Z-1f0c9a/tasks/clean.html#cell-3"' in html


def test_the_same_gives_the_same_bytes_and_untouched_files(year: Path, tmp_path: Path, watched: Any, runs: Any) -> None:
    watched(runs["passing"](), tmp_path)
    pages = sorted(path.relative_to(year) for path in year.rglob("*.html"))
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.html")) == pages
    assert [name for name in pages if (tmp_path / name).read_bytes() != (year / name).read_bytes()] == []


def test_a_datasets_page_is_written_again_only_when_it_was_measured_anew_or_leads_nowhere(
    tmp_path: Path, watching: Any, runs: Any
) -> None:
    run = runs["passing"]()
    watch = watching(run)
    write_run(tmp_path, run)
    asked: list[tuple[str, bool]] = []

    def bands(name: str, short: bool) -> Any:
        asked.append((name, short))
        return watch.bands(name, short)

    seen = replace(watch, bands=bands)
    render_run(run, reports=tmp_path)
    older = tmp_path / "runs" / watch.runs[-3].run / "index.html"
    older.parent.mkdir(parents=True)
    older.write_text("<!doctype html><title>r</title>", encoding="utf-8")

    def judged() -> set[str]:
        asked.clear()
        render_index([summarise(run)], latest=run, reports=tmp_path, watch=seen)
        return {name for name, short in asked if not short}

    assert len(judged()) == 10
    assert judged() == set()
    last = seen.runs[-1]
    fewer = replace(last, run="20261123T194156Z-aaaaaa", datasets=frozenset({"baskets"}), anomalies=())
    seen = replace(seen, runs=(*seen.runs[1:], fewer))
    assert judged() == {"baskets"}
    older.unlink()
    assert len(judged()) == 10, "a page that leads to a run without pages is made again"


def test_an_incidents_page_is_written_again_only_when_the_incident_changed(
    tmp_path: Path, watched: Any, watching: Any, runs: Any
) -> None:
    run = runs["passing"]()
    watched(run, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("incidents/*.html")}
    later = replace(run, id="20261123T194156Z-aaaaaa")
    write_run(tmp_path, later)
    watch = watching(run)
    *others, first = watch.incidents
    seen = replace(watch, incidents=(*others, replace(first, state="acknowledged")))
    render_run(later, reports=tmp_path)
    render_index([summarise(later)], latest=later, reports=tmp_path, watch=seen)
    changed = [path.name for path, data in before.items() if path.read_bytes() != data]
    assert changed == [incident_page(first.id)]


def test_an_incident_that_is_over_leads_to_what_stays_where_its_run_has_no_page_any_more(
    tmp_path: Path, watching: Any, runs: Any
) -> None:
    run = runs["passing"]()
    watch = watching(run)
    bare = {"findings": (), "causes": (), "events": (), "last_good_run": None}
    over, *_, still = (replace(one, subjects=("dataset:baskets", "task:clean"), root="dataset:baskets", **bare)
                       for one in watch.incidents)  # fmt: skip
    still = replace(still, last_bad_run=over.last_bad_run)
    seen = replace(watch, incidents=(over, still))

    def rendered(latest: Run) -> list[bytes]:
        write_run(tmp_path, latest)
        render_run(latest, reports=tmp_path)
        render_index([summarise(latest)], latest=latest, reports=tmp_path, watch=seen)
        return [(tmp_path / "incidents" / incident_page(one.id)).read_bytes() for one in (over, still)]

    first = rendered(run)
    for anchor in (b"r-d-baskets", b"r-t-clean"):
        assert b'href="../lineage.html#' + anchor in first[0]
        assert b'id="' + anchor in (tmp_path / "lineage.html").read_bytes()
    assert f"runs/{run.id}/datasets/baskets.html".encode() in first[1]
    later = replace(run, id="20261123T194156Z-aaaaaa")
    for page in (tmp_path / "runs" / run.id).rglob("*.html"):
        page.unlink()
    second = rendered(later)
    assert second[0] == first[0], "it was not written again for a page of a run that it had nothing to do with"
    assert f"runs/{later.id}/datasets/baskets.html".encode() in second[1]


def test_before_there_is_anything_to_judge_by_pages_say_so(tmp_path: Path, watched: Any, runs: Any) -> None:
    site = watched(runs["passing"](), tmp_path, runs=1)
    assert "Too few runs yet to know what is ordinary" in words(site / "monitoring.html")
    assert "learning, 1 run so far" in words(site / "monitoring.html")
    assert "1 run so far: too few" in words(site / "monitoring/order_lines.html")
    assert "No incident is open" in words(site / "incidents.html")
    assert "Open incidents" not in words(site / "index.html")


def test_without_a_run_pages_say_what_will_be_there(tmp_path: Path) -> None:
    render_index([], latest=None, reports=tmp_path)
    assert "Every build of the pipeline becomes a run" in words(tmp_path / "monitoring.html")
    assert "stays open until a run shows it mended" in words(tmp_path / "incidents.html")
    assert 'href="monitoring.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def _hostile() -> tuple[Run, Watch]:
    run = Run(id="20261122T194156Z-1f0c9a", status="succeeded", verdict="warned", pipeline=HOSTILE, command="x",
              started_at="2026-11-22T19:41:56Z",
              datasets=(Dataset(name=HOSTILE, task=HOSTILE, path="x", format="csv", owner=HOSTILE),))  # fmt: skip
    expected = Expected(low=float("nan"), high=float("inf"), basis=HOSTILE)
    out = [
        Anomaly(monitor=HOSTILE, subject=f"dataset:{HOSTILE}", column=HOSTILE, metric=metric, observed=observed,
                expected=expected, score=score, message=message)
        for metric, observed, score, message in (
            (f"share:{HOSTILE}", 0.5, float("inf"), ""), ("quantile:x", HOSTILE, float("nan"), HOSTILE), ("", None, -1.0, ""),
            (HOSTILE, 10**400, 1e300, "x" * 100_000),
        )
    ]  # fmt: skip
    points = tuple(
        BandPoint(run=HOSTILE if at else run.id, at=HOSTILE, value=value, low=float("nan"), high=float("inf"))
        for at, value in enumerate([1.0, float("nan"), 1e308, -1e308, float("inf")])
    )
    incident = Incident(
        id=HOSTILE, title=HOSTILE, state="open", severity="error", root=HOSTILE, opened_run=HOSTILE, opened_at=HOSTILE,
        owner=HOSTILE,
        subjects=(HOSTILE, f"dataset:{HOSTILE}", "task:"), last_good_run="../../etc", last_bad_run="a/../../b",
        findings=(IncidentFinding(key=HOSTILE, kind="monitor", subject=f"dataset:{HOSTILE}", message=HOSTILE, first_run="\0"),),
        causes=(Cause(kind="code", message=HOSTILE, score=float("nan"), subject=HOSTILE, cells=(1,), commit=HOSTILE,
                      evidence=(HOSTILE,)),),
        events=(IncidentEvent(at=HOSTILE, what="noted", by=HOSTILE, run=HOSTILE, message=HOSTILE),),
    )  # fmt: skip
    series = [BandSeries(metric=f"share:{HOSTILE}", column=HOSTILE, points=points, expected=expected)]
    watch = Watch(
        runs=(RunWatch(run=run.id, at=HOSTILE, datasets=frozenset({HOSTILE}), anomalies=tuple(out)),),
        incidents=(incident,),
        bands=lambda _, __: series,
    )
    return replace(run, anomalies=tuple(out)), watch


def test_hostile_names_and_numbers_are_text(tmp_path: Path) -> None:
    run, watch = _hostile()
    write_run(tmp_path, run)
    render_run(run, reports=tmp_path, incidents=watch.incidents)
    render_index([summarise(run)], latest=run, reports=tmp_path, watch=watch)
    pages = [
        *tmp_path.glob("monitoring*"),
        *tmp_path.glob("monitoring/*"),
        *tmp_path.glob("incidents/*"),
        tmp_path / "index.html",
    ]
    pages = [page for page in pages if page.is_file()]
    assert len(pages) == 4
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert "<script>alert" not in html
        assert "\x00" not in html
        assert "\u202e" not in html
        assert "&lt;script&gt;" in html
        assert len(html) < 60_000
        assert "nan%" not in html
        assert all(tmp_path in link.parents for link in links(tmp_path, page))


def test_the_overview_is_small_however_much_there_is(tmp_path: Path, runs: Any) -> None:
    base = runs["passing"]()
    item = base.datasets[0]
    names = [f"warehouse_dataset_number_{number}" for number in range(50)]
    run = replace(base, datasets=tuple(replace(item, name=name) for name in names), checks=(), tasks=base.tasks)
    ids = [f"2026{1 + at // 28:02d}{1 + at % 28:02d}T060000Z-{at:06x}" for at in range(60)]
    out = [
        Anomaly(monitor="volume", subject=f"dataset:{name}", metric=metric, column="a_column_of_it", message="m" * 200)
        for name in names
        for metric in ("rowCount", "nullRate", "mean", "maximum")
    ]
    watched = [RunWatch(run=one, at="2026-01-01", datasets=frozenset(names), anomalies=tuple(out)) for one in ids]
    points = tuple(
        BandPoint(run=ids[at % 60], at="2026-01-01", value=(at * 7919) % 1000, low=90.0 + at % 7, high=900.0, center=500.0)
        for at in range(10_000)
    )
    series = [BandSeries(metric="rowCount", points=points), BandSeries(metric="interval", points=points)]
    opened = [
        Incident(id=f"INC-{at:05d}", title="t" * 300, state="open", severity="warn", root=f"dataset:{names[at % 50]}",
                 opened_run=run.id, opened_at=run.started_at)
        for at in range(300)
    ]  # fmt: skip
    write_run(tmp_path, run)
    watch = Watch(runs=tuple(watched), incidents=tuple(opened), bands=lambda _, __: series)
    render_index([summarise(run)], latest=run, reports=tmp_path, watch=watch)
    assert (tmp_path / "monitoring.html").stat().st_size < 300_000
    assert (tmp_path / "incidents.html").stat().st_size < 300_000
    assert max(path.stat().st_size for path in tmp_path.glob("monitoring/*.html")) < 60_000


def test_findings_of_monitors_are_one_a_dataset_and_rank_between_failures_and_warnings(runs: Any) -> None:
    run = runs["passing"]()
    out = Anomaly(monitor="volume", subject="dataset:orders", metric="rowCount", observed=12, score=3.0,
                  expected=Expected(low=380, high=420, basis="the 7 runs before"))  # fmt: skip
    more = replace(out, metric="nullRate", column="email", score=9.0, message="nullRate of email is 1")
    accepted = replace(out, subject="dataset:other", accepted="EXP-1")
    slow = replace(out, subject="task:clean", metric="seconds", observed=120.0)
    found = findings(replace(run, anomalies=(out, more, accepted, slow)))
    mine = [one for one in found if one.mark == "unusual"]
    assert [(one.title, one.dataset, one.task) for one in mine] == [
        ("orders: nullRate of email is 1", "orders", None),
        ("clean: time taken is 2 min 00 s, expected 6 min 20 s to 7 min 00 s", None, "clean"),
    ]
    assert "row count is 12, expected 380 to 420" in mine[0].message
    assert headline(replace(run, anomalies=(out,))).mark == "warned"
    assert headline(replace(run, anomalies=(replace(out, severity="error"),))).mark == "failed"
    assert headline(replace(run, anomalies=(accepted,))).mark == "passed"


def test_a_run_leads_to_the_incidents_that_were_open_then() -> None:
    base = Incident(id="", title="t", state="open", severity="warn", root="task:a", opened_run="", opened_at="")
    before = replace(base, id="before", opened_run="1", resolved_run="2")
    mended = replace(base, id="mended", opened_run="1", resolved_run="3")
    opened = replace(base, id="opened", opened_run="3")
    later = replace(base, id="later", opened_run="4")
    assert [one.id for one in open_during((before, mended, opened, later), "3")] == ["opened", "mended"]


def test_an_incidents_page_never_leaves_its_folder() -> None:
    for name in ("../../x", "INC-../x", "", ".", "INC-1\0", "inc-1", "INC-" + "1" * 300):
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*\.html", incident_page(name)), name
    assert incident_page("INC-20261122T194156Z-1f0c") == "INC-20261122T194156Z-1f0c.html"


def test_what_became_of_an_incident_later_changes_no_page_of_a_run() -> None:
    def event(run: str, what: str, by: str | None = None) -> IncidentEvent:
        return IncidentEvent(at=run, what=what, run=run, by=by)  # type: ignore[arg-type]

    made = Incident(
        id="INC-1", title="t", state="open", severity="warn", root="dataset:x", opened_run="1", opened_at="1",
        events=(event("1", "opened"), event("3", "resolved")), resolved_run="3",
    )  # fmt: skip
    back = (*made.events, event("5", "reopened"), event("6", "resolved", "Ada"))
    later = replace(made, events=back, resolved_run="6")
    for now in (made, later):
        told = {run: [during_words(one, run) for one in open_during((now,), run)] for run in "01234"}
        assert told == {
            "0": [],
            "1": ["opened by this run"],
            "2": ["open before this run, and after it"],
            "3": ["shown mended by this run"],
            "4": [],
        }
        assert [one.state for run in "123" for one in open_during((now,), run)] == ["open", "open", "resolved"]
    assert [during_words(one, "5") for one in open_during((later,), "5")] == ["opened again by this run"]
    assert [during_words(one, "6") for one in open_during((later,), "6")] == ["open before this run, and after it"]
    assert open_during((later,), "7") == []
