"""Why a shard is set aside: it has no documents in the pool until the cause is gone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    """The causes, stable between versions."""

    DUPLICATE = "duplicate"
    """another shard holds its ids or its whole content"""
    UNREADABLE = "unreadable"
    """the file as a whole cannot be used"""
    GONE = "gone"
    """there is no such file any more"""
    CHANGING = "changing"
    """the file was written to while it was read"""
    UNREACHABLE = "unreachable"
    """the storage did not answer"""


@dataclass(frozen=True)
class SetAside:
    """Why a shard is set aside.

    Attributes:
        kind: the cause.
        message: what is wrong and what to do, in sentences.
        because_of: of a duplicate, the shards that hold its ids or content, each with the checksum
            of its file; when one of them goes or changes, the shard is tried again.
    """

    kind: Kind
    message: str
    because_of: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The value as it is stored."""
        return {"kind": str(self.kind), "message": self.message, "because_of": self.because_of}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """The value that `as_json` stored."""
        return cls(Kind(stored["kind"]), stored["message"], dict(stored["because_of"]))
