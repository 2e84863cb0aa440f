"""ASCII text of Parquet as arrays of eight-byte words: patterns and repeated keys at the speed of whole numbers.

A column is decoded in batches by Arrow, and each text becomes words, eight of its bytes in each, with zeros behind. Then

- a byte is in a range when adding and subtracting the range's ends sets its highest bit, eight bytes at a time, so a ``Shape`` is
  tried on a million texts in a few additions (the method is known as SIMD within a register);
- a text repeats an earlier one when all its words do. Each text is put into the slot of a table that a multiplicative hash of its
  words names; who finds another text there is compared with it by value, and goes to the next round when they differ. Hashes only
  bring candidates together; equal means equal bytes.

What is not plain ASCII without NUL, not text, or not to be read is left to the engine, which knows every fault of data.
"""

from __future__ import annotations

import bisect
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from nbops.quality.shapes import Shape
    from nbops.quality.source import Source, SourceColumn

__all__ = ["Repeats", "count_broken", "find_repeats", "is_packable"]

_BATCH = 1 << 15
"""Rows decoded at a time."""
_WORD = 8
_BYTES = 120_000_000
"""What the words of one column may take; more is the engine's, which spills."""
_FEW = 256
_FREE = 0xFFFFFFFF
_ROUNDS = 64
_GOLDEN, _MIX1, _MIX2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Constants of SplitMix64 (Steele, Lea, Flood 2014)."""
_HIGH, _ONES = 0x8080808080808080, 0xFFFFFFFFFFFFFFFF


class _UnsuitedError(Exception):
    """The column is the engine's."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows whose text stands in another row too."""

    surplus: int
    """How many rows repeat an earlier one."""
    rows: tuple[int, ...] | None
    """The numbers of all rows of which there are several; ``None``: too many to list."""


@dataclass(slots=True)
class _Texts:
    """The texts of one batch, without those that are NULL."""

    data: np.ndarray
    """Their bytes, and eight zeros."""
    starts: np.ndarray
    lengths: np.ndarray
    width: int | None
    """The length of each, when it is the same and they stand without gaps."""
    rows: np.ndarray | None
    """Their row numbers in the batch; ``None`` when no row is NULL."""
    total: int
    """Rows of the batch."""


def is_packable(source: Source, column: SourceColumn) -> bool:
    """Whether a column may be read here: text in one Parquet file."""
    return source.format == "parquet" and source.path is not None and column.type == "VARCHAR"


def count_broken(source: Source, column: SourceColumn, shape: Shape) -> int | None:
    """Return how many texts have another shape; ``None``: to be counted by the engine."""
    with contextlib.suppress(_UnsuitedError):
        return sum(_broken(texts, shape) for texts in _batches(source, column))
    return None


def find_repeats(source: Source, column: SourceColumn, *, most: int) -> Repeats | None:
    """Find texts that occur more than once; NULL is no text.

    Args:
        source: The opened dataset.
        column: A column of it that ``is_packable``.
        most: Up to so many rows are listed.

    Returns:
        ``None``: to be found by the engine.
    """
    with contextlib.suppress(_UnsuitedError):
        keys = _Keys(rows=source.rows, most=most)
        for texts in _batches(source, column):
            keys.add(texts)
        return keys.repeats()
    return None


def _batches(source: Source, column: SourceColumn) -> Iterator[_Texts]:
    import pyarrow as pa  # noqa: PLC0415 - for long data only
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(source.path) as file:
            if file.metadata.num_rows != source.rows:
                raise _UnsuitedError
            for batch in file.iter_batches(_BATCH, columns=[column.name], use_threads=False):
                if batch.schema.names != [column.name]:
                    raise _UnsuitedError
                yield _texts(batch.column(0))
    except (pa.ArrowException, OSError, ValueError, UnicodeError) as error:
        raise _UnsuitedError from error


def _texts(array: Any) -> _Texts:
    """Take a batch apart.

    Raises:
        _UnsuitedError: Not text, or not plain ASCII.
    """
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    if array.type not in {pa.string(), pa.large_string()}:
        raise _UnsuitedError
    _, places, values = array.buffers()
    kind = np.dtype(np.int32 if array.type == pa.string() else np.int64)
    count = len(array) + 1 if len(array) else 0
    offsets = np.frombuffer(places, kind, count, array.offset * kind.itemsize) if count else np.zeros(1, kind)
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.zeros(last - first + 8, np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(values, np.uint8, last - first, first)
        # as signed numbers, NUL is 0 and everything beyond ASCII is below
        if data[:-8].view(np.int8).min() <= 0:
            raise _UnsuitedError
    starts, lengths = offsets[:-1] - kind.type(first), np.diff(offsets)
    rows = None
    if array.null_count:
        rows = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
        starts, lengths = starts[rows], lengths[rows]
    width = int(lengths[0]) if len(lengths) else 0
    even = bool((lengths == width).all()) and width * len(lengths) == last - first
    return _Texts(data=data, starts=starts, lengths=lengths, width=width if even else None, rows=rows, total=len(array))


def _word(texts: _Texts, number: int) -> np.ndarray:
    """Return the bytes from ``8 * number`` on of each text, as one word."""
    import numpy as np  # noqa: PLC0415

    masks = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
    place = 8 * number
    if texts.width is not None:
        size = min(max(texts.width - place, 0), 8)
        if size == 0:
            return np.zeros(len(texts.lengths), np.uint64)
        even: np.ndarray = np.ndarray((len(texts.lengths),), "<u8", texts.data, place, (texts.width,))
        found: np.ndarray = even if size == _WORD else even & masks[size]
        return found
    every: np.ndarray = np.ndarray((len(texts.data) - 7,), "<u8", texts.data, 0, (1,))
    sizes = np.clip(texts.lengths - place, 0, 8)
    gathered: np.ndarray = every[np.minimum(texts.starts + place, len(every) - 1)]
    gathered &= masks[sizes]
    return gathered


def _broken(texts: _Texts, shape: Shape) -> int:
    import numpy as np  # noqa: PLC0415

    count = len(texts.lengths)
    texts = _of_length(texts, len(shape))
    right = np.ones(len(texts.lengths), np.bool_)
    for number in range(-(-len(shape) // 8)):
        right &= _matches(_word(texts, number), shape[8 * number : 8 * number + 8])
    return count - int(np.count_nonzero(right))


def _of_length(texts: _Texts, length: int) -> _Texts:
    """Return those that have a length."""
    import numpy as np  # noqa: PLC0415

    same = texts.lengths == length
    odd = np.flatnonzero(~same)
    if texts.width is not None and not len(odd):
        return texts
    if texts.rows is None and len(odd) * _FEW < len(same):
        # Closing a few gaps is cheaper than looking each text up.
        cuts = zip([0, *(texts.starts[odd] + texts.lengths[odd]).tolist()], [*texts.starts[odd].tolist(), None], strict=True)
        data = np.concatenate([texts.data[first:last] for first, last in cuts])
        lengths = np.broadcast_to(np.int32(length), len(same) - len(odd))
        return _Texts(data=data, starts=lengths, lengths=lengths, width=length, rows=None, total=len(lengths))
    lengths = texts.lengths[same]
    return _Texts(data=texts.data, starts=texts.starts[same], lengths=lengths, width=None, rows=None, total=len(lengths))


def _matches(words: np.ndarray, places: Shape) -> np.ndarray:
    """Whether each byte of a word is in one of its ranges; bytes are below 128, so no addition carries into the next byte."""
    import numpy as np  # noqa: PLC0415

    found: np.ndarray | None = None
    for turn in range(max(map(len, places))):
        low, high = 0, 0
        for index, ranges in enumerate(places):
            first, last = ranges[turn] if turn < len(ranges) else ranges[0]
            low |= (0x80 - first) << 8 * index
            high |= (0x80 + last) << 8 * index
        high |= sum(0x80 << 8 * index for index in range(len(places), 8))
        inside = words + np.uint64(low)
        inside &= np.uint64(high) - words
        if found is None:
            found = inside
        else:
            found |= inside
    wanted = np.uint64(_HIGH & ((1 << 8 * len(places)) - 1))
    if found is None:
        return np.zeros(len(words), np.bool_)
    right: np.ndarray = (found & wanted) == wanted
    return right


@dataclass
class _Keys:
    """The texts of a column as words, and what was found among them as they were read."""

    rows: int
    most: int
    words: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    seen: int = 0
    parts: list[tuple[int, int, np.ndarray | None]] = field(default_factory=list)
    """For each batch, its first text's number among all texts, its first row, and its rows that are not NULL."""
    surplus: int = 0
    members: list[np.ndarray] | None = field(default_factory=list)
    """Numbers of texts of which there are several; ``None`` when there are more than ``most``."""
    left: list[np.ndarray] = field(default_factory=list)
    """Numbers of texts in whose slot another one stands: to be looked at again."""
    table: np.ndarray | None = None

    def add(self, texts: _Texts) -> None:
        """Take in a batch.

        Raises:
            _UnsuitedError: The texts are too long.
        """
        longest = int(texts.lengths.max()) if len(texts.lengths) else 0
        self._widen(longest)
        end = self.count + len(texts.lengths)
        for number in range(-(-longest // 8)):
            self.words[number][self.count : end] = _word(texts, number)
        self.parts.append((self.count, self.seen, texts.rows))
        if self.table is None:
            self.table = _table(self.rows)
        self._note(*_contest(self.words, self.table, slice(self.count, end), turn=0), self.words, None)
        self.count, self.seen = end, self.seen + texts.total

    def _widen(self, longest: int) -> None:
        """Make room for the words of a text."""
        import numpy as np  # noqa: PLC0415

        needed = max(-(-longest // 8), 1)
        for number in range(needed):
            kind = np.uint32 if longest - 8 * number <= 4 else np.uint64  # noqa: PLR2004 - half a word
            if number == len(self.words):
                self.words.append(np.zeros(self.rows, kind))
            elif self.words[number].itemsize < np.dtype(kind).itemsize:
                self.words[number] = self.words[number].astype(kind)
        if sum(item.nbytes for item in self.words) > _BYTES:
            raise _UnsuitedError

    def _note(self, losers: np.ndarray, winners: np.ndarray, words: Sequence[np.ndarray], names: np.ndarray | None) -> None:
        """Compare those that met in a slot; ``names`` are their numbers among all texts where only some are looked at."""
        import numpy as np  # noqa: PLC0415

        equal = np.ones(len(losers), np.bool_)
        for item in words:
            equal &= item[losers] == item[winners]
        named, others = (losers, winners) if names is None else (names[losers], names[winners])
        self.surplus += int(np.count_nonzero(equal))
        if self.surplus > self.most:
            self.members = None
        elif self.members is not None:
            self.members += [named[equal], others[equal]]
        self.left.append(named[~equal])

    def repeats(self) -> Repeats:
        """Look again at what met another, and tell what was found.

        Raises:
            _UnsuitedError: The hashes do not tell the texts apart.
        """
        import numpy as np  # noqa: PLC0415

        self.table = None
        for turn in range(1, _ROUNDS):
            names = np.concatenate(self.left) if self.left else np.zeros(0, np.uint32)
            if not len(names):
                break
            self.left = []
            words, table = [item[names] for item in self.words], _table(len(names))
            for start in range(0, len(names), _BATCH):
                part = slice(start, min(start + _BATCH, len(names)))
                self._note(*_contest(words, table, part, turn=turn), words, names)
        else:
            raise _UnsuitedError
        if self.members is None:
            return Repeats(surplus=self.surplus, rows=None)
        members = np.unique(np.concatenate(self.members)) if self.members else np.zeros(0, np.uint32)
        return Repeats(surplus=self.surplus, rows=tuple(self._row(number) for number in members.tolist()))

    def _row(self, number: int) -> int:
        """Return the row of a text, given by its number among all texts."""
        first, start, rows = self.parts[bisect.bisect_right(self.parts, number, key=lambda part: part[0]) - 1]
        return start + (number - first if rows is None else int(rows[number - first]))


def _table(count: int) -> np.ndarray:
    """Return a table with a slot or two for each text."""
    import numpy as np  # noqa: PLC0415

    return np.full(1 << max(count - 1, 1).bit_length(), _FREE, np.uint32)


def _contest(words: Sequence[np.ndarray], table: np.ndarray, part: slice, *, turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Put texts into slots of a table, where these are free.

    Args:
        words: The words of all texts.
        table: For each slot, the number of the text in it.
        part: Which texts.
        turn: Each round has a hash of its own.

    Returns:
        The numbers of those that another stands in the slot of, and the numbers of these others.
    """
    import numpy as np  # noqa: PLC0415

    mixed = np.zeros(part.stop - part.start, np.uint64)
    for number, item in enumerate(words):
        piece = item[part].astype(np.uint64, copy=False)
        mixed += (piece ^ (piece >> np.uint64(29))) * np.uint64(_odd(number, turn))
    slots = (mixed >> np.uint64(65 - len(table).bit_length())).astype(np.int64)
    mine = np.arange(part.start, part.stop, dtype=np.uint32)
    free = table[slots] == _FREE
    table[slots[free]] = mine[free]
    holders = table[slots]
    lost = np.flatnonzero(holders != mine)
    return mine[lost], holders[lost]


def _odd(number: int, turn: int) -> int:
    """Return an odd constant of its own for each word and round (SplitMix64)."""
    mixed = (_GOLDEN * (1 + number + 64 * turn)) & _ONES
    mixed = ((mixed ^ (mixed >> 30)) * _MIX1) & _ONES
    mixed = ((mixed ^ (mixed >> 27)) * _MIX2) & _ONES
    return (mixed ^ (mixed >> 31)) | 1
