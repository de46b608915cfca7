"""What DynamoDB charges for: the size of an item, and the units of a read or a write of it."""

from __future__ import annotations

from typing import Any


def size(item: dict[str, Any]) -> int:
    """Bytes of an item: names and values, as DynamoDB counts them."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return 1 + (len(held.lstrip("-0")) + 1) // 2
        case "M":
            return 3 + size(held) + len(held)
        case "L":
            return 3 + sum(_value(each) for each in held) + len(held)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"no size of {kind}")


def write_units(item_bytes: int) -> int:
    """One for each KB; a transaction costs twice that."""
    return max(1, -(-item_bytes // 1024))


def read_units(item_bytes: int) -> int:
    """Strongly consistent: one for each 4 KB. What is eventually consistent costs half."""
    return max(1, -(-item_bytes // 4096))
