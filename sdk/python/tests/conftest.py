"""What the tests share: servers of this repository, and a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NODE = ["node", "--import", "./test/run-typescript.mjs"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ILLUMINATOR_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@contextmanager
def fake_server(*arguments: str) -> Iterator[str]:
    """The real server over a fake engine that answers every prompt with "one two three"."""
    if shutil.which("node") is None:
        pytest.skip("there is no node to run the server with [needs node]")
    command = [*NODE, "test/fake-server.ts", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            assert url.startswith("http://"), f"the server did not start: {url!r}"
            yield url
        finally:
            server.kill()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with fake_server() as address:
        yield address


@pytest.fixture(scope="session")
def slow_url() -> Iterator[str]:
    """Five tokens a second."""
    with fake_server("", "5") as address:
        yield address


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that needs a key, and one for two requests a minute."""
    data = str(tmp_path_factory.mktemp("data"))
    command = [*NODE, "cli/main.ts", "keys", "create", "--data", data, "--name", "sdk"]
    made = subprocess.run(
        [*command, "--rpm", "2"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    key = next(word for word in made.stdout.split() if word.startswith("sk-"))
    with fake_server(data) as address:
        yield address, key
