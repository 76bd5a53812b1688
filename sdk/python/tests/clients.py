"""Clients of raw servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from illuminator import IlluminatorClient
from raw_server import Handler, RawServer, serving


@contextmanager
def client_of(*handlers: Handler, **options: Any) -> Iterator[tuple[RawServer, IlluminatorClient]]:
    with (
        serving(*handlers) as server,
        IlluminatorClient(base_url=server.url, max_retries=0, **options) as client,
    ):
        yield server, client
