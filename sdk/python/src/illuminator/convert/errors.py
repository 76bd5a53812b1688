"""What is wrong with a checkpoint, in words for the person who has it."""

from __future__ import annotations

from collections.abc import Iterable


class ConvertError(Exception):
    """A checkpoint cannot be converted: what was found, what was expected, what to do."""


#: Names that a message lists before it only counts.
_LISTED = 8


def listed(names: Iterable[str]) -> str:
    """Names as a list of lines, the rest counted."""
    given = list(names)
    lines = [f"  {name}" for name in given[:_LISTED]]
    if len(given) > _LISTED:
        lines.append(f"  and {len(given) - _LISTED} more")
    return "\n".join(lines)
