"""Server-sent events out of bytes, cut anywhere (the HTML standard, 9.2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

_CR, _LF = 0x0D, 0x0A
_BOM = b"\xef\xbb\xbf"

#: A stream without a line end must not fill the memory.
MAX_EVENT_BYTES = 32 * 1024 * 1024


class EventTooLargeError(ValueError):
    """An event is larger than anything this API sends."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One event; ``data`` has its lines joined by ``\\n``."""

    data: str
    event: str = "message"
    id: str = ""
    retry: Optional[int] = None


class SseDecoder:
    """Takes bytes as they come, gives whole events.

    Lines end with CR, LF or both, also where the two come in different pieces; UTF-8 is decoded a
    line at a time, so that a character is never cut. What follows the last blank line when the
    stream ends is no event.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._line = bytearray()
        self._size = 0
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._retry: Optional[int] = None
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Events that this piece completes."""
        events: list[ServerSentEvent] = []
        start = 0
        for end in _line_ends(chunk):
            if chunk[end] == _LF and end == start and self._after_cr:
                # Second half of a CRLF; its line ended with the CR.
                start = end + 1
                self._after_cr = False
                continue
            self._take(chunk[start:end])
            self._after_cr = chunk[end] == _CR
            start = end + 1
            event = self._end_line()
            if event is not None:
                events.append(event)
        if start < len(chunk):
            self._after_cr = False
            self._take(chunk[start:])
        return events

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max:
            raise EventTooLargeError(f"An event is larger than {self._max} bytes.")
        self._line += piece

    def _end_line(self) -> Optional[ServerSentEvent]:
        raw = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            raw = raw.removeprefix(_BOM)
        if not raw:
            return self._dispatch()
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        # A comment has no name.
        self._set(name, value.removeprefix(" "))
        return None

    def _set(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = int(value)

    def _dispatch(self) -> Optional[ServerSentEvent]:
        data, event, retry = self._data, self._event, self._retry
        self._data, self._event, self._retry, self._size = [], "", None, 0
        if not data:
            return None
        return ServerSentEvent("\n".join(data), event or "message", self._id, retry)


def _line_ends(chunk: bytes) -> list[int]:
    if b"\r" not in chunk:
        ends, at = [], chunk.find(b"\n")
        while at >= 0:
            ends.append(at)
            at = chunk.find(b"\n", at + 1)
        return ends
    return [at for at, byte in enumerate(chunk) if byte in (_CR, _LF)]
