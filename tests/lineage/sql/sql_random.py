"""Makes queries at random that DuckDB runs: CTEs, joins, windows, aggregates, conditions, set operations, stars."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["random_query"]

Column = tuple[str, str]
"""A column's text and its kind: INT, TEXT or DATE."""
Named = tuple[str, list[Column]]


def random_query(seed: int, tables: dict[str, dict[str, str]]) -> str:
    """Return a query over tables; the same for the same seed."""
    return _Maker(seed, tables).top()


class _Maker:
    def __init__(self, seed: int, tables: dict[str, dict[str, str]]) -> None:
        self.dice = random.Random(seed)
        self.tables = tables
        self.made = 0

    def name(self, stem: str) -> str:
        self.made += 1
        return f"{stem}{self.made}"

    def of(self, columns: Sequence[Column], kind: str) -> list[str]:
        return [text for text, what in columns if what == kind]

    def value(self, columns: Sequence[Column], kind: str, depth: int = 2, *, windows: bool = True) -> str:
        own = self.of(columns, kind)
        if own and (depth <= 0 or self.dice.random() < 0.35):
            return self.dice.choice(own)
        if depth <= 0:
            return {"INT": str(self.dice.randint(0, 9)), "TEXT": f"'{self.dice.choice('xyz')}'"}.get(kind, "DATE '2020-01-01'")
        number, text = (lambda of=of: self.value(columns, of, depth - 1, windows=windows) for of in ("INT", "TEXT"))
        if kind == "DATE":
            return f"({self.value(columns, 'DATE', depth - 1)} + INTERVAL 1 DAY)::DATE"
        if kind == "TEXT":
            forms = [
                lambda: f"upper({text()})",
                lambda: f"({text()} || {text()})",
                lambda: f"CASE {number()} WHEN {number()} THEN {text()} ELSE {text()} END",
                lambda: f"coalesce({text()}, 'n')",
                lambda: f"CAST({number()} AS VARCHAR)",
            ]
            return self.dice.choice(forms)()
        forms = [
            lambda: f"({number()} {self.dice.choice('+-*')} {number()})",
            lambda: f"length({text()})",
            lambda: f"coalesce({number()}, {number()})",
            lambda: f"CASE WHEN {self.condition(columns, depth - 1)} THEN {number()} ELSE {number()} END",
            lambda: f"greatest({number()}, {number()})",
        ]
        if windows:  # none inside another one
            inner = self.value(columns, "INT", depth - 1, windows=False)
            pick = ["row_number()", "rank()", f"lag({inner})", f"last_value({inner})"]
            total = [f"sum({inner})", f"max({inner})", f"count({inner})"]
            forms += [
                lambda: f"{self.dice.choice(pick)} OVER ({self.over(columns, ordered=True)})",
                lambda: f"{self.dice.choice(total)} OVER ({self.over(columns, ordered=False)})",
            ]
        return self.dice.choice(forms)()

    def over(self, columns: Sequence[Column], *, ordered: bool) -> str:
        kind = self.dice.choice(["INT", "TEXT"])
        partition = f"PARTITION BY {self.value(columns, kind, 1, windows=False)} " if self.dice.random() < 0.6 else ""
        order = f"ORDER BY {self.value(columns, 'INT', 1, windows=False)}" if ordered or self.dice.random() < 0.5 else ""
        return partition + order

    def condition(self, columns: Sequence[Column], depth: int) -> str:
        number = self.value(columns, "INT", depth, windows=False)
        forms = [
            f"{self.value(columns, 'TEXT', depth, windows=False)} IS NOT NULL",
            f"{number} IN (SELECT id FROM archive WHERE amount < {self.dice.randint(3, 9)})",
            f"EXISTS (SELECT 1 FROM items WHERE qty = {self.value(columns, 'INT', 0, windows=False)})",
            f"{number} {self.dice.choice(['<', '>', '<>'])} {self.value(columns, 'INT', depth, windows=False)}",
        ]
        return self.dice.choice([*forms, forms[-1], forms[-1]])

    def source(self, ctes: Sequence[Named], depth: int) -> Named:
        alias = self.name("a")
        if depth > 0 and self.dice.random() < 0.25:
            text, columns = self.query(ctes, depth - 1)
            text = f"({text})"
        elif ctes and self.dice.random() < 0.5:
            text, columns = self.dice.choice(ctes)
        else:
            text = self.dice.choice(sorted(self.tables))
            columns = list(self.tables[text].items())
        return f"{text} AS {alias}", [(f"{alias}.{column}", kind) for column, kind in columns]

    def joined(self, ctes: Sequence[Named], depth: int) -> Named:
        text, columns = self.source(ctes, depth)
        if self.dice.random() < 0.35:
            other, more = self.source(ctes, depth)
            left, right = self.of(columns, "INT"), self.of(more, "INT")
            if left and right:
                how = self.dice.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
                text += f" {how} {other} ON {self.dice.choice(left)} = {self.dice.choice(right)}"
                columns = columns + more
        return text, columns

    def query(self, ctes: Sequence[Named], depth: int) -> Named:
        text, columns = self.joined(ctes, depth)
        where = f" WHERE {self.condition(columns, 1)}" if self.dice.random() < 0.2 else ""
        mode = self.dice.random()
        if mode < 0.3:
            return self.grouped(f"{text}{where}", columns)
        bare = [(column.split(".")[1], kind) for column, kind in columns]
        if mode < 0.45 and len(dict(bare)) == len(bare):
            name = self.name("c")
            return f"SELECT *, {self.value(columns, 'INT')} AS {name} FROM {text}{where}", [*bare, (name, "INT")]
        kinds = [self.dice.choice(["INT", "INT", "TEXT", "DATE"]) for _ in range(self.dice.randint(1, 4))]
        made = [(self.name("c"), kind) for kind in kinds]
        listed = ", ".join(f"{self.value(columns, kind)} AS {name}" for name, kind in made)
        keeps = f" QUALIFY row_number() OVER ({self.over(columns, ordered=True)}) <= 2" if self.dice.random() < 0.1 else ""
        head = "SELECT DISTINCT" if self.dice.random() < 0.1 else "SELECT"
        result = f"{head} {listed} FROM {text}{where}{keeps}"
        if self.dice.random() < 0.2:
            table = self.dice.choice(sorted(self.tables))
            alias = self.name("a")
            below = [(f"{alias}.{column}", kind) for column, kind in self.tables[table].items()]
            values = ", ".join(self.value(below, kind, 1, windows=False) for _, kind in made)
            how = self.dice.choice(["UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
            result += f" {how} SELECT {values} FROM {table} AS {alias}"
        return result, made

    def grouped(self, text: str, columns: Sequence[Column]) -> Named:
        number, condition = self.value(columns, "INT", 1, windows=False), self.condition(columns, 1)
        order = self.value(columns, "INT", 0, windows=False)
        forms = [
            f"sum({number})",
            f"count({number})",
            "count(*)",
            f"max_by({number}, {order})",
            f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)",
            f"sum({number}) FILTER (WHERE {condition})",
        ]
        made = [(self.name("c"), "INT") for _ in range(self.dice.randint(1, 3))]
        listed = [f"{self.dice.choice(forms)} AS {name}" for name, _ in made]
        keys = [column for column in columns if self.dice.random() < 0.2][:2]
        named = [(self.name("c"), kind) for _, kind in keys]
        listed += [f"{text_} AS {name}" for (text_, _), (name, _) in zip(keys, named, strict=True)]
        group = f" GROUP BY {', '.join(text_ for text_, _ in keys)}" if keys else ""
        return f"SELECT {', '.join(listed)} FROM {text}{group}", [*made, *named]

    def top(self) -> str:
        ctes: list[Named] = []
        texts = []
        for _ in range(self.dice.randint(0, 2)):
            name = self.name("w")
            text, columns = self.query(ctes, 1)
            ctes.append((name, columns))
            texts.append(f"{name} AS ({text})")
        query, _ = self.query(ctes, 2)
        return f"WITH {', '.join(texts)} {query}" if texts else query
