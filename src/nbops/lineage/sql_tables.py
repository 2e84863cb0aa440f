"""Tables of SQL that is beyond analysis, told from its words alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

from nbops.lineage.sql_model import IDENTITY, Relation, Value
from nbops.lineage.sql_names import known_columns

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

    from nbops.lineage.sql_scope import Context
    from nbops.lineage.sql_writes import Writes

__all__ = ["tables_of"]

_READ = frozenset({"from", "join", "infile", "inpath"})
_WRITE = frozenset({"into", "table", "view", "update", "overwrite"})
_NOISE = frozenset({"if", "not", "exists", "only", "lateral", "table", "into", "directory", "local", "outfile"})
_NO_NAMES = frozenset({"select", "values", "unnest", "set", "where", "on", "as", "with", "flatten"})


def tables_of(tokens: Sequence[Token], context: Context, writes: Writes) -> None:
    """Tell which tables a statement reads and writes, with an edge "all columns of" from each to each.

    Args:
        tokens: The statement.
        context: Takes the tables that are read.
        writes: Takes those that are written.
    """
    own = _own_names(tokens)
    using = {"using"} if tokens and tokens[0].text.lower() in {"merge", "delete"} else set()
    read: dict[str, None] = {}
    written: dict[str, None] = {}
    for place, token in enumerate(tokens):
        word = token.text.lower()
        if token.token_type in {TokenType.STRING, TokenType.IDENTIFIER}:
            continue
        kind = read if word in _READ | using else written if word in _WRITE else None
        if kind is None:
            continue
        name = _name(tokens, place + 1)
        if name and name.lower() not in own:
            found = known_columns(name, context.schemas)
            kind[found[0] if found else name] = None
    context.reads.update(read)
    relation = Relation([(None, Value({(table, None): IDENTITY for table in read}))] if read else [])
    for name in written:
        writes.table(name, relation, keep=True)
    if not written and read:
        writes.query(relation)


def _own_names(tokens: Sequence[Token]) -> set[str]:
    """Return names that look like CTEs: ``name AS (`` and ``name (columns) AS (``."""
    names = set()
    for place in range(1, len(tokens) - 1):
        if tokens[place].text.lower() != "as" or tokens[place + 1].token_type != TokenType.L_PAREN:
            continue
        before = place - 1
        while before > 0 and tokens[before].text != "(" and tokens[place - 1].text == ")":
            before -= 1
        names.add(tokens[before - 1 if tokens[before].text == "(" else before].text.lower())
    return names


def _name(tokens: Sequence[Token], place: int) -> str:
    """Return the dotted name that starts at a place, "" when none does."""
    while place < len(tokens) and tokens[place].text.lower() in _NOISE:
        place += 1
    parts: list[str] = []
    while place < len(tokens):
        token = tokens[place]
        usable = token.token_type in {TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING} or token.text.isidentifier()
        if not usable or (not parts and token.text.lower() in _NO_NAMES and token.token_type != TokenType.IDENTIFIER):
            break
        parts.append(token.text)
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if following is None or following.token_type != TokenType.DOT:
            calls = following is not None and following.token_type == TokenType.L_PAREN
            return "" if calls and token.token_type == TokenType.VAR else ".".join(parts)
        place += 2
    return ""
