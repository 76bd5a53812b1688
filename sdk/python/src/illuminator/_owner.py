"""Clients for one purpose: over a client of their own, or over one that is shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Optional, TypeVar, Union

from typing_extensions import TypedDict

from illuminator._closing import AsyncClosing, Closing
from illuminator.async_client import AsyncIlluminatorClient
from illuminator.client import IlluminatorClient
from illuminator.config import Config, Timeout

Client = TypeVar("Client", IlluminatorClient, AsyncIlluminatorClient)


class ClientOptions(TypedDict, total=False):
    """Settings of the client, where none is shared."""

    timeout: Union[float, Timeout, None]
    max_retries: Optional[int]
    retry_delay: Optional[float]
    max_retry_wait: Optional[float]
    headers: Optional[Mapping[str, str]]
    config: Optional[Config]


class _Over(Generic[Client]):
    """Holds a client, and whether it is its own."""

    def __init__(self, shared: Optional[Client], made: Optional[Client]) -> None:
        client = shared or made
        if client is None:
            raise TypeError("There is neither a client nor settings for one.")
        self._client: Client = client
        self._owned = shared is None

    @property
    def client(self) -> Client:
        """The client that speaks with the API."""
        return self._client


def refuse_both(client: object, *settings: object) -> None:
    """Settings beside a shared client would be ignored.

    Raises:
        TypeError: There are some.
    """
    if client is not None and any(setting not in (None, {}) for setting in settings):
        raise TypeError("A client was given, and settings for one: give either.")


class Over(_Over[IlluminatorClient], Closing):
    """Over a sync client."""

    def close(self) -> None:
        """Closes the connections, unless the client is shared. Idempotent."""
        if self._owned:
            self._client.close()


class AsyncOver(_Over[AsyncIlluminatorClient], AsyncClosing):
    """Over an async client."""

    async def close(self) -> None:
        """Closes the connections, unless the client is shared. Idempotent."""
        if self._owned:
            await self._client.close()

    aclose = close
