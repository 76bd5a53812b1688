"""A server that does what a test tells it to, byte by byte, on this machine only."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection; a handler writes to it, and may ask whether the client has gone."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._file = raw.makefile("rb")

    def receive(self) -> Optional[Request]:
        line = self._file.readline().decode("latin-1").split()
        if len(line) < 2:
            return None
        headers: dict[str, str] = {}
        while True:
            text = self._file.readline().decode("latin-1").strip()
            if not text:
                break
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self._file.read(int(headers.get("content-length", "0")))
        return Request(line[0], line[1], headers, body, time.monotonic())

    def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        for piece in pieces:
            self._raw.sendall(piece)
            time.sleep(pause)

    def is_left(self, within: float = 5.0) -> bool:
        """Whether the client closes its side within so many seconds."""
        self._raw.settimeout(within)
        try:
            return self._raw.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def reset(self) -> None:
        """Breaks the connection instead of ending it."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._file.close()
        self._raw.close()

    def end(self) -> None:
        """Nothing more goes out or comes in; wakes who waits for it."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        self._file.close()
        self._raw.close()


Handler = Callable[[Connection], None]


class RawServer:
    """Answers the n-th request with the n-th handler, and those beyond with the last."""

    def __init__(self, handlers: Sequence[Handler]) -> None:
        self._handlers = list(handlers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[Connection] = []
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, raw: socket.socket) -> None:
        connection = Connection(raw)
        self._open.append(connection)
        try:
            while True:
                request = connection.receive()
                if request is None:
                    return
                with self._lock:
                    place = min(len(self.requests), len(self._handlers) - 1)
                    self.requests.append(request)
                self._handlers[place](connection)
        except (ConnectionError, ValueError, OSError):
            return  # The client left, or the handler has closed the connection.
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.failures.append(error)
        finally:
            connection.close()

    def close(self) -> None:
        # Wakes `accept`, which closing alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.end()
        for thread in self._threads:
            thread.join(timeout=10)
        if self.failures:
            raise self.failures[0]


@contextlib.contextmanager
def serving(*handlers: Handler) -> Iterator[RawServer]:
    server = RawServer(handlers)
    try:
        yield server
    finally:
        server.close()


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: req_stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    """In HTTP's chunked coding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


def event(payload: object) -> bytes:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"data: {text}\n\n".encode()


def token(text: str, index: int, **more: object) -> bytes:
    return event({"token": text, "index": index, **more})


USAGE = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}

GENERATED = {
    "generated_text": "one two three",
    "tokens_generated": 3,
    "generation_time": 0.25,
    "model_version": "4.9B",
    "finish_reason": "stop",
    "usage": USAGE,
}


def whole(
    status: int = 200, body: object = GENERATED, reason: str = "OK", **headers: str
) -> Handler:
    """Answers with JSON (or text) and a length."""

    def handle(connection: Connection) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        lines = [
            f"HTTP/1.1 {status} {reason}",
            "content-type: application/json",
            f"content-length: {len(content)}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        connection.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    return handle


def refusal(status: int, kind: str, code: str, message: str = "No.", **headers: str) -> Handler:
    error = {
        "type": kind,
        "code": code,
        "message": message,
        "param": None,
        "request_id": "req_body",
    }
    return whole(status, {"error": error}, reason="No", **headers)


def streaming(*pieces: bytes, pause: float = 0.0, ends: bool = True) -> Handler:
    """Answers with a stream of those pieces, each a chunk."""

    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD, *(chunk(piece) for piece in pieces), pause=pause)
        if ends:
            connection.send(LAST_CHUNK)

    return handle


def dropped(connection: Connection) -> None:
    """Closes without a word."""
    connection.close()


DONE = b"data: [DONE]\n\n"
THREE = (
    token("one", 0)
    + token(" two", 1)
    + token(" three 💡", 2, finish_reason="stop", usage=USAGE)
    + DONE
)
