"""How runs, jobs and datasets are called in events.

A run's id there follows from its id here, so that an event that is made or sent again is the same event: a UUID of version 7
(time first, RFC 9562) whose other bits are a hash of namespace, pipeline, run and task (``generate_static_uuid`` of the client).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

from openlineage.client.uuid import generate_static_uuid

__all__ = ["Names"]

_STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names in the events of one run."""

    namespace: str
    pipeline: str
    run_id: str

    def run(self, task: str = "", part: str = "") -> str:
        """Return the id of the run, or of a task's run, or of a part of it (``checks``)."""
        try:
            instant = datetime.strptime(self.run_id[:_STAMP_LENGTH], _STAMP).replace(tzinfo=timezone.utc)
        except ValueError:
            instant = datetime.fromtimestamp(0, timezone.utc)
        data = f"{self.namespace}\0{self.pipeline}\0{self.run_id}\0{task}\0{part}"
        return str(generate_static_uuid(instant, data.encode("utf-8", "replace")))

    def job(self, task: str = "", part: str = "") -> str:
        """Return the name of the pipeline's job, or of a task's: ``shop``, ``shop.clean``, ``shop.clean.checks``."""
        return ".".join(name for name in (self.pipeline, task, part) if name)

    def dataset(self, place: str) -> tuple[str, str]:
        """Return namespace and name of a dataset, given its path in the project, its relation or its URL.

        A URL is named as others name it, without user, password and query. Paths of a project are named under it, as absolute
        paths of one machine say nothing on another.
        """
        if "://" in place:
            try:
                parts = urlsplit(place)
                host = parts.hostname or ""
                port = f":{parts.port}" if parts.port else ""
            except ValueError:
                return self.namespace, f"{self.pipeline}/{place.split('?', 1)[0].rsplit('@', 1)[-1]}"
            return f"{parts.scheme}://{host}{port}", parts.path.lstrip("/") or "/"
        return self.namespace, f"{self.pipeline}/{place}"

    def source(self, place: str) -> tuple[str, str]:
        """Return name and URI of where a dataset is."""
        namespace, name = self.dataset(place)
        if "://" in namespace:
            return namespace, f"{namespace}/{quote(name.lstrip('/'))}"
        return "file", f"file:{quote(place)}"
