"""What the tests share: servers of this repository, and a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Optional

import pytest

PROJECT = Path(__file__).parents[1]
ROOT = PROJECT.parents[1]


def _shared_folder() -> Optional[Path]:
    """The folder of reference data beside a development checkout; a clean clone has none."""
    named = os.environ.get("ILLUMINATOR_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if folder.is_dir():
        return folder
    if named:
        raise FileNotFoundError(f"ILLUMINATOR_SHARED is {named}, which is no folder.")
    return None


#: Read before the tests clean the environment.
SHARED = _shared_folder()
SERVER_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("ILLUMINATOR_")},
    "ILLUMINATOR_ADAPTER": os.environ.get("ILLUMINATOR_ADAPTER", "auto"),
}

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


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes a checkpoint with torch."""

    def write(value: object, name: str = "checkpoint.pt", **options: object) -> Path:
        import torch

        path = tmp_path / name
        torch.save(value, path, **options)
        return path

    return write


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


@contextmanager
def real_server(model: Path) -> Iterator[str]:
    """`illuminator serve` with a real model on whatever adapter there is."""
    command = [*NODE, "cli/main.ts", "serve", "--model", str(model), "--port", "0"]
    command += ["--data", ":memory:", "--log-level", "error"]
    with subprocess.Popen(
        command, cwd=ROOT, env=SERVER_ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            address = ""
            for line in server.stdout:
                address = line.split()[3] if " listens on " in line else address
                if line.startswith("Ready:"):
                    if "swiftshader" in line.lower():
                        pytest.skip("too slow on SwiftShader [needs lavapipe or a GPU]")
                    break
            else:
                pytest.fail("the server ended before it was ready; see its last words above")
            yield address
        finally:
            server.terminate()
            server.stdout.read()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a user's pip would build it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(PROJECT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def fresh_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return python
