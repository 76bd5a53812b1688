"""From the bytes of a stream to its items, and to what they add up to. Knows nothing of sockets."""

from __future__ import annotations

import json
from collections import deque
from typing import Generic, Optional, TypeVar, Union

import httpx

from illuminator._calls import Call
from illuminator._errors import error_of_body
from illuminator._exchange import REQUEST_ID, shaped
from illuminator._sse import EventTooLargeError, ServerSentEvent, SseDecoder
from illuminator.exceptions import IlluminatorError, InvalidResponseError, StreamInterruptedError
from illuminator.types import ChatChunk, StreamToken, Usage

Item = TypeVar("Item", bound=Union[StreamToken, ChatChunk])

DONE = "[DONE]"


class Reading(Generic[Item]):
    """One stream: items come out of `take` in order, then its end or its error."""

    def __init__(self, call: Call[Item]) -> None:
        self._call = call
        self._decoder = SseDecoder()
        self._items: deque[Item] = deque()
        self._texts: list[str] = []
        self._headers: dict[str, str] = {}
        self._failure: Optional[IlluminatorError] = None
        self.is_done = False
        self.finish_reason: Optional[str] = None
        self.usage: Optional[Usage] = None

    @property
    def text(self) -> str:
        """What was taken so far."""
        return "".join(self._texts)

    @property
    def request_id(self) -> Optional[str]:
        return self._headers.get(REQUEST_ID) or None

    def begin(self, response: httpx.Response) -> None:
        """Looks at the head of the answer.

        Raises:
            InvalidResponseError: No events follow.
        """
        self._headers = {name.lower(): value for name, value in response.headers.items()}
        self._headers.setdefault(REQUEST_ID, response.request.headers.get(REQUEST_ID, ""))
        kind = self._headers.get("content-type", "nothing")
        if kind.split(";")[0].strip().lower() != "text/event-stream":
            raise InvalidResponseError(
                f"{response.request.url} answered with {kind}: expected text/event-stream.",
                status_code=response.status_code,
                request_id=self.request_id,
                headers=self._headers,
            )

    def feed(self, chunk: bytes) -> None:
        """Takes bytes in. What is wrong with them is raised by `take`, after what came before."""
        if self._failure is not None or self.is_done:
            return
        try:
            for event in self._decoder.feed(chunk):
                if self._hear(event):
                    return
        except IlluminatorError as error:
            self._failure = error
        except EventTooLargeError as error:
            self._failure = InvalidResponseError(str(error), request_id=self.request_id)

    def end(self) -> None:
        """No more bytes will come: before the end of the answer, that is an error."""
        if self._failure is None and not self.is_done:
            self._failure = self.interrupted("the connection ended")

    def interrupted(self, why: str) -> StreamInterruptedError:
        """The error for a stream that is not whole."""
        return StreamInterruptedError(
            f"The stream broke off after {len(self._texts) + len(self._items)} events: {why}. "
            "What came is not the whole answer.",
            request_id=self.request_id,
            headers=self._headers,
        )

    def take(self) -> Optional[Item]:
        """The next item, if it is there.

        Raises:
            IlluminatorError: What the server said, or what was wrong with what it said.
        """
        if self._items:
            item = self._items.popleft()
            self._texts.append(item.text)
            self.finish_reason = item.finish_reason or self.finish_reason
            self.usage = item.usage or self.usage
            return item
        if self._failure is not None:
            raise self._failure
        return None

    def _hear(self, event: ServerSentEvent) -> bool:
        """Takes an event; true when it is the last."""
        if event.data.strip() == DONE:
            self.is_done = True
            return True
        if event.event == "error" or _has_error(event.data):
            raise error_of_body(
                _json(event.data), fallback=event.data[:200], request_id=self.request_id
            )
        self._items.append(shaped(self._call.shape, event.data, self._headers))
        return False


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _has_error(data: str) -> bool:
    # Cheap first: this runs for every token.
    if '"error"' not in data:
        return False
    body = _json(data)
    return isinstance(body, dict) and body.get("error") is not None
