"""A real server over a fake engine: what clients in another language see."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Address of a server that answers every prompt with "one two three"."""
    command = ["node", "--import", "./test/run-typescript.mjs", "test/fake-server.ts"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()
