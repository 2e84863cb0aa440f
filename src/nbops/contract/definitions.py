"""``authoritativeDefinitions``: where the meaning of a thing is laid down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.contract.node import Node
from nbops.contract.vocabulary import DEFINITION_KEYS
from nbops.model import Definition

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_definitions"]


def read_definitions(node: Node) -> tuple[Definition, ...]:
    """Return the authoritative definitions of a contract, schema object or property; what is wrong is noted there."""
    return tuple(_definitions(node))


def _definitions(node: Node) -> Iterator[Definition]:
    for where, item in node.items("authoritativeDefinitions"):
        entry = Node(item, where=where, problems=node.problems, allowed=DEFINITION_KEYS, what="an authoritative definition")
        url, kind = entry.text("url", required=bool(entry.data)), entry.text("type", required=bool(entry.data))
        if url and kind:
            yield Definition(url=url, type=kind, description=entry.text("description"))
