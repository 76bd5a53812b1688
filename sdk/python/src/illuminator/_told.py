"""What a stream tells of itself, sync or async."""

from __future__ import annotations

from typing import Callable, Generic, Optional

import httpx

from illuminator._calls import Call
from illuminator._errors import error_of_exception
from illuminator._exchange import Deadline
from illuminator._reading import Item, Reading
from illuminator.exceptions import APITimeoutError, IlluminatorError
from illuminator.types import Usage


class Told(Generic[Item]):
    """What a stream tells of itself, sync or async."""

    def __init__(
        self,
        call: Call[Item],
        seconds: Optional[float],
        on_end: Optional[Callable[[str], None]] = None,
    ) -> None:
        self._reading = Reading(call)
        self._seconds = seconds
        self._deadline = Deadline(None)
        self._on_end = on_end
        self._response: Optional[httpx.Response] = None
        self._closed = False
        # Bytes are being waited for: the generator that brings them cannot be closed meanwhile.
        self._waits = False

    @property
    def text(self) -> str:
        """All text so far."""
        return self._reading.text

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the answer ended, once it has: `stop` or `length`."""
        return self._reading.finish_reason

    @property
    def usage(self) -> Optional[Usage]:
        """Tokens that were counted, once the answer has ended."""
        return self._reading.usage

    @property
    def request_id(self) -> Optional[str]:
        """Names the request in the server's log, once it was answered."""
        return self._reading.request_id

    def _begin(self, response: httpx.Response) -> None:
        self._response = response
        self._deadline = Deadline(self._seconds)

    def _failed(self, thrown: httpx.RequestError) -> IlluminatorError:
        """The error for a connection that broke after the stream had begun."""
        url = str(thrown.request.url)
        if isinstance(thrown, httpx.ReadTimeout):
            return self._late(f"Nothing came from {url} for too long, not even a sign of life.")
        error = error_of_exception(thrown, url)
        return self._reading.interrupted(error.message)

    def _name(self, error: BaseException) -> None:
        """Puts the request's id on an error that has none."""
        if isinstance(error, IlluminatorError) and error.request_id is None:
            error.request_id = self.request_id

    def _late(self, why: str) -> APITimeoutError:
        return APITimeoutError(why, request_id=self.request_id)

    def _tell_end(self, *, well: bool) -> None:
        heard, self._on_end = self._on_end, None
        if heard is not None and well:
            heard(self.text)
