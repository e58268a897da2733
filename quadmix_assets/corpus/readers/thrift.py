"""Decodes structs of Thrift's compact protocol, in which Parquet writes its footer and pages.

Arrow decodes them too, but ends the process where it meets what it does not expect (a column that
is encrypted), and says nothing of pages before it unpacks them.
"""

from typing import Any

Struct = dict[int, Any]
"""The fields of a struct by their number; structs in it are Structs, lists are lists."""

_TRUE, _FALSE, _I8, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_DEPTH = 16
_MAX_VARINT_BYTES = 10
_LONG_LIST = 15


class ThriftError(ValueError):
    """The bytes are no struct of the compact protocol."""


def decode_struct(content: bytes) -> tuple[Struct, int]:
    """The struct at the start of `content`, and the number of bytes that it takes.

    Raises:
        ThriftError: it is damaged.
        EOFError: it does not end within `content`.
    """
    decoder = _Decoder(content)
    return decoder.struct(0), decoder.position


class _Decoder:
    """Reads values one after another; `position` is the byte after the last one."""

    def __init__(self, content: bytes) -> None:
        self.position = 0
        self._content = content

    def struct(self, depth: int) -> Struct:
        fields: Struct = {}
        number = 0
        while header := self._byte():
            delta, kind = header >> 4, header & 15
            number = number + delta if delta else _signed(self._varint())
            fields[number] = kind == _TRUE if kind <= _FALSE else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ThriftError(f"values are nested more than {_MAX_DEPTH} deep")
        if kind in (_I16, _I32, _I64):
            return _signed(self._varint())
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_TRUE, _FALSE, _I8):  # Of a list: one byte each.
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _MAP:
            return self._map(depth + 1)
        raise ThriftError(f"there is no type {kind}")

    def _list(self, depth: int) -> list[Any]:
        header = self._byte()
        size, kind = header >> 4, header & 15
        size = self._varint() if size == _LONG_LIST else size
        self._require(size)
        return [self._value(kind, depth) for _ in range(size)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        size = self._varint()
        if not size:
            return []
        self._require(size)
        kinds = self._byte()
        return [
            (self._value(kinds >> 4, depth), self._value(kinds & 15, depth)) for _ in range(size)
        ]

    def _varint(self) -> int:
        value = 0
        for number in range(_MAX_VARINT_BYTES):
            byte = self._byte()
            value |= (byte & 127) << (7 * number)
            if byte < 128:
                return value
        raise ThriftError("a number is too long")

    def _byte(self) -> int:
        self._require(1)
        self.position += 1
        return self._content[self.position - 1]

    def _bytes(self, size: int) -> bytes:
        self._require(size)
        self.position += size
        return self._content[self.position - size : self.position]

    def _require(self, size: int) -> None:
        """Every value takes at least a byte, so this bounds the length of lists too."""
        if self.position + size > len(self._content):
            raise EOFError("the struct does not end")


def _signed(number: int) -> int:
    """The zigzag code of a signed number, undone."""
    return (number >> 1) ^ -(number & 1)
