"""Contracts: ``contracts/<dataset>.odcs.yaml`` in the Open Data Contract Standard v3, parsed once into frozen records.

Every rule of a file becomes a ``Check``: ``required``, ``unique``, ``primaryKey``, type options, ``enum``, relationships,
``quality`` entries and SLA properties. A word that the standard does not have, and a value of the wrong kind, is a
``ContractError`` that names the file, the path in it, what is allowed and the nearest match; all problems of a file (ten at
most) come in one error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbops.contract.columns import column_names, read_columns
from nbops.contract.definitions import read_definitions
from nbops.contract.node import Node, plain
from nbops.contract.recommendations import PROPERTY, read_recommendations
from nbops.contract.records import Contract, Relationship
from nbops.contract.relations import read_relationship
from nbops.contract.rules import Rules, read_quality
from nbops.contract.sla import read_sla
from nbops.contract.syntax import remembering
from nbops.contract.vocabulary import API_VERSION, OBJECT_KEYS, ROOT_KEYS
from nbops.contract.yamlfile import Problems, display_path, parse_yaml, read_yaml
from nbops.errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.yamlcache import DocumentCache

__all__ = ["SUFFIXES", "load_contract", "load_contracts", "parse_contracts", "read_contracts"]

SUFFIXES = (".odcs.yaml", ".odcs.yml")


def load_contracts(directory: Path, *, root: Path | None = None, cache: DocumentCache | None = None) -> Mapping[str, Contract]:
    """Read every contract of a directory.

    Args:
        directory: Usually ``contracts/``; none there means no contracts.
        root: The project's root, which paths in records and messages are relative to.
        cache: What files were read as before; the caller saves it.

    Returns:
        Dataset name to contract, sorted by name.

    Raises:
        ContractError: A file is wrong, two files are about one dataset, or a contract's name does not end in ``.odcs.yaml``.
    """
    found: dict[str, Contract] = {}
    problems: list[str] = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        if not path.name.endswith((".yaml", ".yml")) or not path.is_file():
            continue
        try:
            _add(found, path, root=root, cache=cache)
        except ContractError as error:
            problems.append(str(error))
    if problems:
        raise ContractError("\n".join(problems))
    return MappingProxyType(dict(sorted(found.items())))


def _add(found: dict[str, Contract], path: Path, *, root: Path | None, cache: DocumentCache | None) -> None:
    shown = display_path(path, root=root)
    if not path.name.endswith(SUFFIXES):
        # Other YAML may live beside contracts; a contract under another name would silently never be checked.
        if re.search(rb"^kind:\s*[\"']?DataContract\b", path.read_bytes()[:100_000], flags=re.MULTILINE):
            raise ContractError(f"{shown}: is a contract, but is not read under this name. Rename it to {path.stem}.odcs.yaml.")
        return
    for contract in read_contracts(path, root=root, cache=cache):
        if contract.dataset in found:
            raise ContractError(
                f"{shown}: dataset {contract.dataset!r} has a contract already, in {found[contract.dataset].path}."
            )
        found[contract.dataset] = contract


def load_contract(path: Path, *, root: Path | None = None) -> Contract:
    """Read a file that holds the contract of one dataset.

    Raises:
        ContractError: The file is wrong, or it holds several datasets.
    """
    contracts = read_contracts(path, root=root)
    if len(contracts) != 1:
        names = ", ".join(contract.dataset for contract in contracts)
        raise ContractError(f"{display_path(path, root=root)}: holds {len(contracts)} datasets ({names}); one was expected.")
    return contracts[0]


def read_contracts(path: Path, *, root: Path | None = None, cache: DocumentCache | None = None) -> tuple[Contract, ...]:
    """Read one file: one contract for each of its schema objects.

    The dataset of a single object is named as the file; several objects are datasets by their own names.

    Raises:
        ContractError: The file is wrong.
    """
    shown = display_path(path, root=root)
    return _judged(read_yaml(path, shown=shown, cache=cache), path=path, shown=shown, cache=cache)


def parse_contracts(raw: bytes, *, path: Path, root: Path | None = None) -> tuple[Contract, ...]:
    """Read what is (or will be) in a file, as :func:`read_contracts` does.

    Args:
        raw: The bytes.
        path: The file that they are for; it need not be there.
        root: The project's root.

    Raises:
        ContractError: It is wrong.
    """
    shown = display_path(path, root=root)
    return _judged(parse_yaml(raw, shown=shown), path=path, shown=shown, cache=None)


def _judged(document: Any, *, path: Path, shown: str, cache: DocumentCache | None) -> tuple[Contract, ...]:
    problems = Problems(shown)
    try:
        digest = _digest(document)
        with remembering(cache.judged) if cache is not None else nullcontext():
            contracts = _read(document, path=path, shown=shown, problems=problems, digest=digest)
    except RecursionError:
        raise ContractError(f"{shown}: nested too deeply, or an alias that holds itself.") from None
    problems.raise_if_any()
    return contracts


def _read(document: Any, *, path: Path, shown: str, problems: Problems, digest: str) -> tuple[Contract, ...]:
    root = Node(document, where="", problems=problems, allowed=ROOT_KEYS, what="a contract")
    if not root.data:
        if not problems.count:
            problems.add("", "is empty.")
        return ()
    _header(root)
    objects = list(root.items("schema"))
    if not objects and not problems.count:
        problems.add("", "'schema' is missing: the list of tables, each with its properties.")
    stem = next((path.name[: -len(suffix)] for suffix in SUFFIXES if path.name.endswith(suffix)), path.stem)
    tables: dict[str, str] = {}
    for where, item in objects:
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, str) and name:
            if name in tables:
                problems.add(where, f"schema object {name[:60]!r} is given twice.")
            tables[name] = stem if len(objects) == 1 else name
    made = [_object(item, where=where, root=root, shown=shown, tables=tables, digest=digest) for where, item in objects]
    return tuple(contract for contract in made if contract is not None)


def _header(root: Node) -> None:
    kind = root.text("kind", required=True)
    if kind is not None and kind != "DataContract":
        root.wrong("kind", f"must be DataContract, not {kind[:60]!r}.")
    version = root.text("apiVersion", required=True)
    if version is not None and not API_VERSION.fullmatch(version):
        root.wrong(
            "apiVersion", f"{version[:60]!r} is not read. Allowed: v3.x.y of the Open Data Contract Standard, for example v3.1.0."
        )
    root.text("version", required=True)
    root.text("id", required=True)


def _object(item: Any, *, where: str, root: Node, shown: str, tables: Mapping[str, str], digest: str) -> Contract | None:
    node = Node(item, where=where, problems=root.problems, allowed=OBJECT_KEYS, what="a schema object")
    name = node.text("name", required=True)
    if not node.data or not name or name not in tables:
        return None
    node.choice("logicalType", ("object",), "logicalType")
    rules = Rules(dataset=tables[name], file=shown, problems=root.problems, columns=column_names(node))
    severity = node.extensions(structured=frozenset([PROPERTY])).get("nbops.severity", "error")
    columns = _columns(node, rules=rules, tables=tables, api_version=str(root.data.get("apiVersion")), severity=severity)
    for at, entry in node.items("quality"):
        read_quality(entry, where=at, rules=rules, column=None)
    relationships = [
        read_relationship(entry, where=at, rules=rules, column=None, severity=severity, quarantine=False, siblings=tables)
        for at, entry in node.items("relationships")
    ]
    sla = read_sla(root, rules=rules, tables=tables)
    owner, team = _team(root)
    return Contract(
        path=shown,
        id=root.text("id") or "",
        dataset=tables[name],
        object_name=name,
        version=root.text("version") or "",
        api_version=root.text("apiVersion") or "",
        hash=hashlib.sha256(f"{digest}:{name}".encode()).hexdigest(),
        status=root.text("status"),
        description=node.text("description") or _purpose(root),
        business_name=node.text("businessName"),
        domain=root.text("domain"),
        owner=owner,
        team=team,
        tags=tuple(dict.fromkeys((*root.texts("tags"), *node.texts("tags")))),
        definitions=tuple(dict.fromkeys((*read_definitions(root), *read_definitions(node)))),
        columns=columns,
        checks=tuple(rules.checks),
        sla=sla,
        relationships=_all_relationships(columns, relationships),
        uninterpreted=tuple(rules.uninterpreted),
        personal_columns=frozenset(column.name for column in columns if column.personal),
        recommendations=read_recommendations(node, rules=rules, tables=tables),
    )


def _columns(node: Node, *, rules: Rules, tables: Mapping[str, str], api_version: str, severity: Any) -> tuple[Any, ...]:
    """Read the properties, and put the check of presence and types before the checks that depend on it."""
    before = len(rules.checks)
    columns = read_columns(node, rules=rules, siblings=tables)
    if not columns:
        return columns
    # Before 3.1 the standard had no `timestamp`: a `date` could carry a time.
    lenient = api_version.startswith("v3.0.")
    expected = [
        (
            column.name,
            "date or timestamp" if lenient and column.logical_type == "date" else column.logical_type,
            column.physical_type,
            column.options.get("timezone") is True,
        )
        for column in columns
    ]
    rules.add(
        "schema",
        "schema",
        where=node.at("properties"),
        arguments={"columns": expected},
        severity=severity,
        dimension="conformity",
    )
    rules.checks.insert(before, rules.checks.pop())
    return columns


def _all_relationships(columns: tuple[Any, ...], table_level: list[Relationship | None]) -> tuple[Relationship, ...]:
    own = [relationship for column in columns for relationship in column.relationships]
    return tuple(dict.fromkeys([*own, *(relationship for relationship in table_level if relationship is not None)]))


def _purpose(root: Node) -> str | None:
    description = root.data.get("description")
    if isinstance(description, Mapping):
        purpose = description.get("purpose")
        return purpose if isinstance(purpose, str) else None
    if description is not None:
        root.wrong("description", "must be a mapping with 'purpose', 'usage', 'limitations'.")
    return None


def _team(root: Node) -> tuple[str | None, tuple[str, ...]]:
    """Return the owner and all names. 3.0 has a list of members, 3.1 a team with a name and members."""
    team = root.data.get("team")
    if team is None:
        return None, ()
    name: Any = None
    members: Any = team
    if isinstance(team, Mapping):
        name, members = team.get("name"), team.get("members", [])
    if not isinstance(members, list) or not all(isinstance(member, Mapping) for member in members):
        root.wrong("team", "must be a team with 'name' and 'members', or a list of members.")
        return None, ()
    people = [str(member.get("name") or member.get("username") or "") for member in members]
    owners = [who for who, member in zip(people, members, strict=True) if "owner" in str(member.get("role", "")).lower()]
    owner = next((who for who in [name if isinstance(name, str) else "", *owners, *people] if who), None)
    return owner, tuple(who for who in people if who)


def _digest(value: Any, *, seen: dict[int, str] | None = None) -> str:
    """Hash plain values by content. Each object once: aliases can make a small file expand to billions of values."""
    known = {} if seen is None else seen
    if not isinstance(value, Mapping | list):
        return hashlib.sha256(json.dumps(plain(value), default=repr).encode("utf-8", "surrogatepass")).hexdigest()
    if id(value) not in known:
        if isinstance(value, Mapping):
            parts = sorted(f"{plain(key)!r}={_digest(item, seen=known)}" for key, item in value.items())
        else:
            parts = [_digest(item, seen=known) for item in value]
        known[id(value)] = hashlib.sha256("\n".join([type(value).__name__, *parts]).encode("utf-8", "surrogatepass")).hexdigest()
    return known[id(value)]
