"""Personal values: what stands in the columns that contracts classify as personal, found again in any text.

The values are kept as 64-bit hashes of their words, 8 bytes each in a sorted array, so a million of them take 8 MB and no value
can be read back. A text is cut into words the same way; runs of one to six words are looked up at once. Upper and lower case,
punctuation between words and escapes (HTML, JSON, URL) make no difference. Of longer values every run of six words is known, so a
quoted part is found too.

What counts: texts of 4 characters or more, numbers of 5 digits or more. Shorter ones cannot be told from other text; in
notebooks the columns' cells are masked whatever they hold (see :mod:`nbops.record.tables`).
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nbops.record.escapes import decoded
from nbops.record.secret_values import replace_spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PERSONAL_MASK", "Found", "PersonalPart", "PersonalValues", "ordinary_words"]

PERSONAL_MASK = "•••"

_SHORTEST_TEXT = 4  # characters; one of Chinese, Japanese or Korean counts twice
_SHORTEST_NUMBER = 5  # digits
_TELLING_NUMBER = 9  # digits; counts and sizes that long are rare
_DENSE = 1e-4  # share of all numbers of some digits; above, a match is likely chance
_LONGEST_RUN = 6  # words
_LONGEST_VALUE = 65_536  # characters of a value that are looked at
_WIDEST_GAP = 5  # characters between two words of one value
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002ffff"
_ASCII_WORD = re.compile("[A-Za-z0-9]+")  # of a text that is all ASCII
_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+")
_ZEROS = re.compile(r"\.0+(?![\d.])")
_TRIVIAL = frozenset(["none", "null", "true", "false", "unknown", "other", "missing", "test", "value", "empty", "undefined"])
_MULTIPLIER = 0x9E3779B97F4A7C15  # of Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4)
_BATCH = 50_000  # values whose hashes are computed at once
_REMEMBERED = 200_000  # words whose hashes are kept: those of one page stand on the next, too
_AT_A_TIME = 10_000  # values between two pauses of a reading that pauses

Kind = Literal["word", "phrase", "number"]


class Found(NamedTuple):
    """Where a personal value stands in a text."""

    start: int
    end: int
    kind: Kind


def _fold(word: str) -> str:
    return word.lower() if word.isascii() else unicodedata.normalize("NFC", word).casefold()


def _chain(columns: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the hashes of runs of words; ``columns`` holds the hashes of their first words, of their second ones..."""
    state = columns[0] * 0
    for hashes in columns:
        state = _step(state, hashes)
    return state


def _step(state: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (state ^ hashes) * state.dtype.type(_MULTIPLIER)
    result: NDArray[np.uint64] = mixed ^ (mixed >> mixed.dtype.type(29))
    return result


@cache  # compiling these two takes longer than importing the module does otherwise
def _word() -> re.Pattern[str]:
    return re.compile(
        # the first alternative finds nothing that the third would not, in half of the time
        rf"[A-Za-z0-9]+(?![A-Za-z0-9\u0080-\U0010ffff])|[{_CJK}]|(?:[^\W_{_CJK}]|[\u0300-\u036f])+|•+"
    )


@cache
def _wide() -> re.Pattern[str]:
    return re.compile(rf"[{_CJK}]")


def _words(text: str) -> list[str]:
    found: list[str] = (_ASCII_WORD if text.isascii() else _word()).findall(text)
    return found


@cache
def _ordinary_words() -> frozenset[str]:
    """Return the words of the ledger's own format, which stand in every ledger whatever the data."""
    from nbops.record.schema import SCHEMA_PATH  # noqa: PLC0415  (only when there are personal values)

    return frozenset(_fold(word) for word in _words(SCHEMA_PATH.read_text(encoding="utf-8")))


def ordinary_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of some texts, and of the ledger's own format, folded: by themselves they are never a finding."""
    return _ordinary_words() | {_fold(word) for text in texts for word in _words(text)}


class PersonalPart(NamedTuple):
    """Hashes of the values of some columns. They mean nothing to another process, whose hashes differ."""

    columns: frozenset[str]
    runs: Mapping[int, NDArray[np.uint64]]
    """Number of words to sorted hashes."""
    numbers: Mapping[int, NDArray[np.uint64]]
    """Number of digits to sorted hashes."""


class _Builder:
    """Collects values as hashes, 8 bytes each."""

    def __init__(self, ordinary: frozenset[str]) -> None:
        self._ordinary = ordinary
        self._pending: dict[tuple[str, int], array[int]] = {}  # kind and words (or digits), to hashes of the words
        self._done: dict[tuple[str, int], list[NDArray[np.uint64]]] = {}
        self._count = 0

    def add(self, value: str) -> None:
        text = value[:_LONGEST_VALUE].strip()
        if text.endswith("0") and (whole := _WHOLE_FLOAT.fullmatch(text)):
            text = whole[1]  # it was a whole number before nulls made the column one of floats
        plain = text.isascii()
        words = _words(text.lower()) if plain else [_fold(word) for word in _words(text)]
        if not words:
            return
        if words[0].isdecimal() and all(map(str.isdecimal, words)):
            self._add_digits(words)
        elif len(text) + (0 if plain else len(_wide().findall(text))) >= _SHORTEST_TEXT and text.casefold() not in _TRIVIAL:
            self._add_words(words)

    def _add_digits(self, words: list[str]) -> None:
        digits = sum(map(len, words))
        if digits < _SHORTEST_NUMBER:
            return
        if len(words) > 1:
            self._add_words(words)
        else:
            self._push(("number", digits), words)

    def _add_words(self, words: list[str]) -> None:
        count = len(words)
        if count == 1 and words[0] in self._ordinary:
            return
        if count <= _LONGEST_RUN:
            self._push(("run", count), words)
        else:
            for at in range(count - _LONGEST_RUN + 1):
                self._push(("run", _LONGEST_RUN), words[at : at + _LONGEST_RUN])

    def _push(self, key: tuple[str, int], words: list[str]) -> None:
        if key not in self._pending:
            self._pending[key] = array("q")
        self._pending[key].extend(map(hash, words))
        self._count += 1
        if self._count >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        import numpy as np  # noqa: PLC0415  (only when there are personal values)

        for (kind, size), pending in self._pending.items():
            words = np.frombuffer(pending, dtype=np.int64).view(np.uint64).reshape(-1, size if kind == "run" else 1)
            found = [_chain(words.T)]
            if (kind, size) == ("run", 2):  # "Doe, Jane" for "Jane Doe"
                found.append(_chain(words.T[::-1]))
            self._done.setdefault((kind, size), []).extend(map(np.unique, found))
        self._pending, self._count = {}, 0

    def take(self, kind: str) -> dict[int, NDArray[np.uint64]]:
        """Return the sorted hashes of a kind, by number of words or digits."""
        if not self._pending and not self._done:
            return {}
        import numpy as np  # noqa: PLC0415

        self._flush()
        return {size: np.unique(np.concatenate(parts)) for (kind_of, size), parts in self._done.items() if kind_of == kind}


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts inside a value of a cell; whether something is true is not personal by itself."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, (bool, bytes)):
        yield str(value)


def _gathered(columns: Iterable[tuple[str, Iterable[Any]]], ordinary: frozenset[str]) -> Iterator[PersonalPart | None]:
    """Yield None now and then while columns are read, and at last what they hold."""
    builder, names, left = _Builder(ordinary), set(), _AT_A_TIME
    for name, values in columns:
        names.add(name.casefold())
        for value in values:
            for text in _texts(value):
                builder.add(text)
            left -= 1
            if not left:
                yield None
                left = _AT_A_TIME
    yield PersonalPart(frozenset(names), builder.take("run"), builder.take("number"))


def _joined(parts: Iterable[Mapping[int, NDArray[np.uint64]]]) -> dict[int, NDArray[np.uint64]]:
    found: dict[int, list[NDArray[np.uint64]]] = {}
    for part in parts:
        for size, hashes in part.items():
            found.setdefault(size, []).append(hashes)
    return {size: _merged(some) if len(some) > 1 else some[0] for size, some in found.items()}


class PersonalValues:
    """Values that must not be shown, and the columns that hold them.

    Args:
        columns: Column name to its values: texts, numbers, dates, None, lists of these. They are read once, a value at a time.
        ordinary: Texts whose single words are never a finding, such as a page's headings: a customer called "Page" or "Will" is
            not disclosed by them. Values of several words are found all the same.

    Attributes:
        columns: The columns' names, in lower case.

    >>> people = PersonalValues({"name": ["Jane O'Neil"], "phone": [4915112345678]})
    >>> people.mask("Call JANE O&#x27;NEIL: 4915112345678 (3 orders)")
    'Call •••: ••• (3 orders)'
    """

    def __init__(self, columns: Mapping[str, Iterable[Any]], *, ordinary: Iterable[str] = ()) -> None:
        self._join(_gathered(columns.items(), ordinary_words(ordinary)))

    def _join(self, parts: Iterable[PersonalPart | None], *, columns: Iterable[str] = ()) -> None:
        found = [part for part in parts if part is not None]
        self.columns = frozenset().union(*(part.columns for part in found), map(str.casefold, columns))
        runs, numbers = _joined(part.runs for part in found), _joined(part.numbers for part in found)
        self._index = _Index(runs, numbers) if runs or numbers else None

    @classmethod
    def from_files(
        cls,
        files: Iterable[tuple[Path, str, Sequence[str]]],
        *,
        ordinary: Iterable[str] = (),
        columns: Iterable[str] = (),
        known: Iterable[PersonalPart] = (),
    ) -> PersonalValues:
        """Read the values from datasets with DuckDB, a part at a time.

        Args:
            files: Path, format (``parquet``, ``csv``, ``jsonl``) and personal columns of each dataset. A column that the file has
                not is passed over.
            ordinary: See the class.
            columns: Further personal columns, known by name only: tables are masked under them, too.
            known: What was read of further datasets, see :meth:`reading`.

        Raises:
            DataError: A file cannot be read, so what it holds cannot be kept private.
        """
        from nbops.record.personal_files import read_columns  # noqa: PLC0415  (loads DuckDB)

        read = list(files)
        found = cls({})
        found._join([*known, *(_gathered(read_columns(read), ordinary_words(ordinary)) if read else ())], columns=columns)
        return found

    @staticmethod
    def reading(
        file: tuple[Path, str, Sequence[str]], *, ordinary: frozenset[str], threads: int = 1
    ) -> Generator[PersonalPart | None]:
        """Read one dataset with pauses: yield None at each of them, and what was read at the end.

        Args:
            file: Path, format and personal columns, as for :meth:`from_files`.
            ordinary: See :func:`ordinary_words`.
            threads: Of DuckDB; with one, this process can be forked in a pause.

        Raises:
            DataError: The file cannot be read.
        """
        from nbops.record.personal_files import read_columns  # noqa: PLC0415  (loads DuckDB)

        yield from _gathered(read_columns([file], threads=threads), ordinary)

    def __bool__(self) -> bool:
        return bool(self.columns or self._index)

    def find(self, text: str, *, numbers: Literal["all", "telling"] = "all") -> list[Found]:
        """Return where personal values stand in ``text``, in order; spans may overlap.

        Args:
            text: Any text; escapes are seen through.
            numbers: ``telling`` leaves out single numbers of less than 9 digits where the column is so full of them that a match
                is likely chance (more than 1 in 10,000 of all numbers of that many digits).
        """
        if self._index is None or not text:
            return []
        seen = decoded(text)
        found = self._index.find(seen.text, telling_only=numbers == "telling")
        return sorted(Found(*seen.span(item.start, item.end), item.kind) for item in found)

    def mask(self, text: str, *, numbers: Literal["all", "telling"] = "all") -> str:
        """Return ``text`` with every personal value replaced by ``•••``."""
        return replace_spans(text, ((start, end, PERSONAL_MASK) for start, end, _ in self.find(text, numbers=numbers)))


class _Index:
    """Sorted hashes of the values, and the search for them in a text."""

    def __init__(self, runs: dict[int, NDArray[np.uint64]], numbers: dict[int, NDArray[np.uint64]]) -> None:
        self._runs = runs
        self._numbers = _merged(numbers.values())
        self._telling = _merged(hashes for size, hashes in numbers.items() if _is_telling(size, len(hashes)))
        self._words = _WordHashes()

    def find(self, text: str, *, telling_only: bool) -> Iterator[Found]:
        pattern = _ASCII_WORD if text.isascii() else _word()
        words = pattern.findall(text)
        if not words:
            return
        hashes = self._hashes(words)
        runs = list(self._candidates(hashes))
        known = self._telling if telling_only else self._numbers
        numbers = _known(known, _chain([hashes])).nonzero()[0].tolist() if len(known) else []
        if not runs and not numbers:
            return  # as on nearly every page: where the words stand is not asked
        spans = [match.span() for match in pattern.finditer(text)]
        for size, at in runs:
            start, end = spans[at][0], spans[at + size - 1][1]
            apart = any(spans[place + 1][0] - spans[place][1] > _WIDEST_GAP for place in range(at, at + size - 1))
            if not apart and (size > 1 or not _inside_identifier(text, start, end)):
                yield Found(start, end, "phrase" if size > 1 else "word")
        for at in numbers:
            end = _end_of_number(text, *spans[at])
            if end:
                yield Found(spans[at][0], end, "number")

    def _candidates(self, hashes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
        """Look up every run of words, all of one length at a time; yield how many words, and the first one's place."""
        import numpy as np  # noqa: PLC0415

        if not self._runs:
            return
        state: NDArray[np.uint64] = np.zeros(len(hashes), dtype=np.uint64)
        for size in range(1, min(max(self._runs), len(hashes)) + 1):
            state = _step(state[: len(hashes) - size + 1], hashes[size - 1 :])
            if size in self._runs:
                for at in np.flatnonzero(_known(self._runs[size], state)).tolist():
                    yield size, at

    def _hashes(self, words: Sequence[str]) -> NDArray[np.uint64]:
        """Return the hash of each folded word."""
        import numpy as np  # noqa: PLC0415

        if len(self._words) > _REMEMBERED:
            self._words.clear()
        return np.fromiter(map(self._words.__getitem__, words), dtype=np.int64, count=len(words)).view(np.uint64)


class _WordHashes(dict[str, int]):
    """Words to the hashes of their folded forms; texts repeat their words."""

    def __missing__(self, word: str) -> int:
        self[word] = found = hash(_fold(word))
        return found


def _known(values: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    places = values.searchsorted(wanted)
    places[places == len(values)] = 0
    found: NDArray[np.bool_] = values[places] == wanted
    return found


def _is_telling(digits: int, count: int) -> bool:
    """Say whether a number of so many digits tells of a value, when there are ``count`` of them."""
    return digits >= _TELLING_NUMBER or count <= _DENSE * 9 * 10 ** (digits - 1)


def _merged(parts: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    import numpy as np  # noqa: PLC0415

    found = list(parts)
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.uint64)


def _inside_identifier(text: str, start: int, end: int) -> bool:
    """Say whether a word is part of a name such as ``total_price``: a customer called Price is not meant."""
    return text[start - 1 : start] == "_" or text[end : end + 1] == "_"


def _end_of_number(text: str, start: int, end: int) -> int:
    """Return where a number ends, ``.0`` included; 0 when it is part of a decimal or a colour."""
    if text[start - 1 : start] == "#" or (text[start - 1 : start] == "." and text[start - 2 : start - 1].isdigit()):
        return 0
    zeros = _ZEROS.match(text, end)
    if zeros:
        return zeros.end()
    return 0 if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit() else end
