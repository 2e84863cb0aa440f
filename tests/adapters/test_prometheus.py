"""Metrics for Prometheus: what is written and pushed, held against Debian's Prometheus, Pushgateway and promtool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.metrics_tools import HOSTILE, incident_of, run_of
from tests.openlineage_tools import until
from tests.prometheus_tools import Monitoring, debian, running_prometheus
from tests.receivers import Receiver, receiver

from nbops.adapters.prometheus import PrometheusPush, PrometheusTextfile, rules_file
from nbops.cli.app import program
from nbops.model import Dataset, Measurement, Run
from nbops.record.codec import encode
from nbops.record.gauges import gauges_of
from nbops.record.plain import clean_text
from nbops.record.run_export import RunExport, run_outbox
from nbops.record.store import write_run

pytest.importorskip("prometheus_client", reason="prometheus-client is in the test extra")
from prometheus_client.parser import text_string_to_metric_families

from nbops.adapters.prometheus.exposition import exposition
from nbops.adapters.prometheus.sending import connect


def values_of(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "pipeline")
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


# -- what is said ------------------------------------------------------------------------------------------------


def test_names_and_numbers() -> None:
    found = values_of(exposition(run_of(), [incident_of(), incident_of("warn", "acknowledged"), incident_of(state="resolved")]))
    assert found == {
        "nbops_run_timestamp_seconds": 1795376576.5,
        "nbops_run_duration_seconds": 60.5,
        "nbops_run_success": 1.0,
        "nbops_run_tasks{status=succeeded}": 1.0,
        "nbops_run_tasks{status=up_to_date}": 1.0,
        "nbops_run_quarantined_rows": 0.0,
        "nbops_task_duration_seconds{task=load}": 2.5,
        "nbops_task_peak_memory_bytes{task=load}": 1e6,
        "nbops_task_success{task=load}": 1.0,
        "nbops_dataset_rows{dataset=orders}": 541909.0,
        "nbops_dataset_size_bytes{dataset=orders}": 9000.0,
        "nbops_dataset_age_seconds{dataset=orders}": 7200.0,
        "nbops_dataset_published{dataset=orders}": 1.0,
        "nbops_dataset_published{dataset=gone}": 0.0,
        **{
            f"nbops_checks{{dataset=orders,verdict={word}}}": float(word == "passed")
            for word in ("passed", "warned", "failed", "errored", "skipped")
        },
        "nbops_anomalies{severity=warn}": 1.0,
        "nbops_anomalies{severity=error}": 0.0,
        "nbops_incidents_open{severity=warn}": 1.0,
        "nbops_incidents_open{severity=error}": 1.0,
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_labels(name: str) -> None:
    dataset = Dataset(name=name, task=name, path="x", format="csv", rows=3)
    text = exposition(run_of(pipeline=name, datasets=(dataset,), checks=(), anomalies=()), [])
    found = values_of(text)
    assert found["nbops_run_success"] == 1.0
    assert [value for key, value in found.items() if key.startswith("nbops_dataset_rows")] == [3.0]
    assert all(line.startswith(("# HELP nbops_", "# TYPE nbops_", "nbops_")) for line in text.splitlines())
    _promtool_takes(text)


def test_numbers_that_are_none_are_left_out() -> None:
    odd = Dataset(
        name="odd",
        task="t",
        path="x",
        format="csv",
        measurements=(Measurement(metric="freshness", value=float("nan")), Measurement(metric="freshness", value="soon")),
    )
    names = {gauge.name for gauge in gauges_of(run_of(seconds=float("inf"), datasets=(odd,), finished_at="never", started_at=""))}
    assert names.isdisjoint({"run.duration", "run.timestamp", "dataset.age", "dataset.rows"})


def _promtool_takes(text: str) -> None:
    promtool = debian("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_promtool_has_nothing_to_say_against_names() -> None:
    _promtool_takes(exposition(run_of(fails=True), [incident_of()]))


# -- rules --------------------------------------------------------------------------------------------------------


def test_promtool_checks_the_rules() -> None:
    subprocess.run([debian("promtool", "prometheus"), "check", "rules", str(rules_file())], check=True)


def test_promtool_tries_the_rules(tmp_path: Path) -> None:
    def series(text: str, values: str) -> dict[str, str]:
        return {"series": text, "values": values}

    def fires(at: str, name: str, *found: tuple[dict[str, str], str]) -> dict[str, Any]:
        alerts = [{"exp_labels": labels, "exp_annotations": {"summary": text}} for labels, text in found]
        return {"eval_time": at, "alertname": name, "exp_alerts": alerts}

    shop = {"pipeline": "shop"}
    tests = {
        "interval": "1m",
        "input_series": [
            series('nbops_run_success{pipeline="shop"}', "1 0 1x100"),
            series('nbops_run_success{pipeline="other"}', "1x100"),
            series('nbops_anomalies{pipeline="shop",severity="warn"}', "0 2 0x100"),
            series('nbops_anomalies{pipeline="shop",severity="error"}', "0 1 0x100"),
            series('nbops_run_timestamp_seconds{pipeline="shop"}', "0x2000"),
            series('nbops_dataset_age_seconds{pipeline="shop",dataset="orders"}', "86400x3000"),
        ],
        "alert_rule_test": [
            fires("0m", "NbopsRunFailed"),
            {
                "eval_time": "1m",
                "alertname": "NbopsRunFailed",
                "exp_alerts": [
                    {
                        "exp_labels": {**shop, "severity": "critical"},
                        "exp_annotations": {
                            "summary": "The last run of shop failed.",
                            "description": "A task failed, or data broke a check of severity error. `nbops show` tells more.",
                        },
                    }
                ],
            },
            fires("2m", "NbopsRunFailed"),
            fires("0m", "NbopsAnomalies"),
            fires(
                "1m",
                "NbopsAnomalies",
                ({**shop, "severity": "warning"}, "Monitors found 3 things out of the ordinary in shop."),
            ),
            fires("23h", "NbopsDatasetOld"),
            fires(
                "25h",
                "NbopsDatasetOld",
                ({**shop, "dataset": "orders", "severity": "warning"}, "The newest data of orders is 2d 1h 0m 0s old."),
            ),
        ],
    }
    path = tmp_path / "rules.test.yml"
    path.write_text(json.dumps({"rule_files": [str(rules_file())], "tests": [tests]}))  # JSON is YAML
    done = subprocess.run(
        [debian("promtool", "prometheus"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_come_with_the_package() -> None:
    result = CliRunner().invoke(program, ["metrics", "rules"], standalone_mode=False)
    assert result.output == rules_file().read_text(encoding="utf-8")


# -- a file for node_exporter ---------------------------------------------------------------------------------------------


def test_a_file_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBOPS_PROMETHEUS_TEXTFILE", raising=False)
    assert PrometheusTextfile().open(tmp_path) is None
    for place in (tmp_path / "mine.prom", tmp_path):
        monkeypatch.setenv("NBOPS_PROMETHEUS_TEXTFILE", str(place))
        export = PrometheusTextfile().open(tmp_path)
        assert export is not None
        export.ended(run_of(), code={}, incidents=())
        assert export.close(0.0) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.prom", "nbops_shop.prom"]
    assert values_of((tmp_path / "nbops_shop.prom").read_text())["nbops_run_success"] == 1.0


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PROMETHEUS_TEXTFILE", str(tmp_path / "none/x.prom"))
    export = PrometheusTextfile().open(tmp_path)
    assert export is not None
    export.ended(run_of(), code={})
    said = export.close(0.0)
    assert said == "metrics for Prometheus could not be written: No such file or directory (NBOPS_PROMETHEUS_TEXTFILE)"


# -- a gateway that does not do what it should ------------------------------------------------------------------------------


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver(bytes.decode) as found:
        yield found


def push(root: Path, *runs: Run, seconds: float = 20.0) -> str | None:
    export = PrometheusPush().open(root)
    assert isinstance(export, RunExport)
    for run in runs:
        export.begun(run)
        export.ended(run, code={}, incidents=[incident_of()])
    return export.close(seconds)


def test_a_push_is_one_group_of_the_pipeline(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", hears.url.replace("//", "//me:hunter22@"))
    assert push(tmp_path, run_of()) is None
    assert hears.paths == ["/metrics/job/nbops/pipeline/shop"]
    assert values_of(hears.events[0])["nbops_incidents_open{severity=error}"] == 1.0


@pytest.mark.parametrize("word", ["503", "reset"])
def test_what_was_not_taken_is_pushed_by_the_next_build_or_command(
    word: str, tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", hears.url)
    hears.behaviour = lambda _number, _text: word
    said = push(tmp_path, run_of())
    assert said is not None
    assert said.startswith("1 runs are not told to pushgateway yet (")
    hears.behaviour = lambda _number, _text: "ok"
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")
    result = CliRunner().invoke(program, ["-C", str(tmp_path), "metrics", "send"], standalone_mode=False)
    assert (result.return_value, result.output) == (0, "pushgateway: 1 runs sent\npushgateway: 0 runs wait, 0 were refused\n")
    assert len(hears.events) == 1


def test_what_is_refused_is_kept_and_the_next_goes_on(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", hears.url)
    hears.behaviour = lambda number, _text: "400" if number == 0 else "ok"
    assert "refused" in str(push(tmp_path, run_of()))
    assert "refused" in str(push(tmp_path, run_of("20261123T194156Z-1f0c9a")))
    assert len(hears.events) == 1
    assert run_outbox(tmp_path, "pushgateway").rejected() == 1


def test_only_the_newest_run_is_pushed(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = run_outbox(tmp_path, "pushgateway")
    for day in (22, 23, 24):
        run = run_of(f"202611{day}T194156Z-1f0c9a", seconds=float(day))
        outbox.put(run.id, {"run": encode(run), "incidents": []})
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", hears.url)
    assert push(tmp_path, run_of("20261125T194156Z-1f0c9a", seconds=25.0)) is None
    assert values_of(hears.events[-1])["nbops_run_duration_seconds"] == 25.0
    assert run_outbox(tmp_path, "pushgateway").waiting() == 0


def test_an_address_that_is_none_is_said_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("ftp://me:hunter22@x", "http://[hunter22", "hunter22"):
        monkeypatch.setenv("NBOPS_PUSHGATEWAY", address)
        with pytest.raises(RuntimeError, match="NBOPS_PUSHGATEWAY must be an address") as caught:
            connect()
        assert "hunter22" not in str(caught.value)
    assert "must be an address" in str(push(tmp_path, run_of()))


def test_files_that_are_damaged_hold_up_nothing(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", hears.url)
    folder = tmp_path / ".nbops/pushgateway/waiting"
    folder.mkdir(parents=True)
    (folder / "99999999T000000Z-aaaaaa.json").write_text("{")
    assert "refused" in str(push(tmp_path, run_of()))
    assert "refused" in str(push(tmp_path, run_of()))
    assert len(hears.events) == 1


# -- Debian's ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as found:
        yield found


def test_the_rule_fires_on_a_failing_run_and_no_longer_on_the_next(
    monitoring: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", monitoring.gateway)
    assert push(tmp_path, run_of(fails=True)) is None
    until(lambda: monitoring.firing("NbopsRunFailed") != [])
    assert monitoring.firing("NbopsRunFailed")[0]["pipeline"] == "shop"
    assert monitoring.firing("NbopsIncidentOpen")
    (rows,) = monitoring.query('nbops_dataset_rows{dataset="orders",job="nbops"}')
    assert rows["value"][1] == "541909"
    assert (rows["metric"]["pipeline"], rows["metric"]["job"]) == ("shop", "nbops")
    assert push(tmp_path, run_of("20261123T194156Z-1f0c9a")) is None
    until(lambda: monitoring.firing("NbopsRunFailed") == [])


def test_hostile_names_come_out_as_they_went_in(monitoring: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PUSHGATEWAY", monitoring.gateway)
    names = [name for name in HOSTILE if name]
    datasets = tuple(Dataset(name=name, task="t", path="x", format="csv", rows=7) for name in names)
    pipeline = 'a/b/../"c"\n🙂'  # names the group, in the address
    assert push(tmp_path, run_of(pipeline=pipeline, datasets=datasets, checks=())) is None
    wanted = {(clean_text(name)[:200], pipeline) for name in names}
    until(
        lambda: (
            {(item["metric"]["dataset"], item["metric"]["pipeline"]) for item in monitoring.query("nbops_dataset_rows == 7")}
            == wanted
        )
    )


def test_a_textfile_is_scraped(monitoring: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_PROMETHEUS_TEXTFILE", str(monitoring.files))
    export = PrometheusTextfile().open(tmp_path)
    assert export is not None
    export.ended(run_of(pipeline="files"), code={})
    until(lambda: bool(monitoring.query('nbops_run_duration_seconds{pipeline="files"} == 60.5')))
    assert monitoring.query('nbops_checks{pipeline="files",verdict="passed"}')[0]["value"][1] == "1"


# -- the command ---------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")

    def called(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(program, ["-C", str(tmp_path), "metrics", *arguments], standalone_mode=False)
        assert result.exception is None
        return result.return_value, result.output

    assert called() == (3, "nbops: there is no run yet\n")
    write_run(tmp_path / "reports", run_of())
    code, text = called()
    assert (code, values_of(text)["nbops_run_success"]) == (0, 1.0)
    assert called("status")[1].endswith("pushgateway: 0 runs wait, 0 were refused\n")
    assert called("send") == (0, "")
