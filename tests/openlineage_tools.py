"""For the tests of OpenLineage: the specification's own schemas."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.receivers import Receiver, receiver

__all__ = ["Receiver", "key_of", "receiver", "validate"]

SPEC = Path(os.environ.get("NBOPS_SHARED", str(Path(__file__).parents[2] / "shared"))) / "data" / "openlineage" / "spec"


def key_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return job and type."""
    return event["job"]["name"], event["eventType"]


@cache
def _registry() -> Any:
    import referencing
    import referencing.jsonschema

    def retrieve(uri: str) -> Any:
        name = uri.rsplit("/", 1)[-1]
        place = SPEC / name if name == "OpenLineage.json" else SPEC / "facets" / name
        return referencing.Resource.from_contents(
            json.loads(place.read_text(encoding="utf-8")), default_specification=referencing.jsonschema.DRAFT202012
        )

    return referencing.Registry(retrieve=retrieve)  # type: ignore[call-arg]


def _check(uri: str, document: Any) -> None:
    import jsonschema

    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator({"$ref": uri}, registry=_registry(), format_checker=checker).validate(document)


def validate(event: Mapping[str, Any]) -> None:
    """Hold an event and each of its facets against the specification's schemas.

    Raises:
        jsonschema.ValidationError: It does not agree.
    """
    if not SPEC.is_dir():
        pytest.skip("the shared OpenLineage specification is not beside the project")
    _check("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", event)
    for owner, facets in _facets(event):
        for name, facet in facets.items():
            uri = facet["_schemaURL"]
            _check(uri, facet)
            file = SPEC / "facets" / uri.split("#")[0].rsplit("/", 1)[-1]
            known = json.loads(file.read_text(encoding="utf-8"))
            assert name in known["properties"], f"{file.name} is no facet {name!r}"
            assert known["properties"][name] == {"$ref": f"#/$defs/{uri.rsplit('/', 1)[-1]}"}
            parents = json.dumps(known["$defs"])
            assert f"#/$defs/{owner}" in parents, f"{name} is no {owner}"


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "RunFacet", event["run"].get("facets", {})
    yield "JobFacet", event["job"].get("facets", {})
    for item in (*event.get("inputs", ()), *event.get("outputs", ())):
        yield "DatasetFacet", item.get("facets", {})
        yield "InputDatasetFacet", item.get("inputFacets", {})
        yield "OutputDatasetFacet", item.get("outputFacets", {})


def until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
