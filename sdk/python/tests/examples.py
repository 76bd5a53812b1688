"""The Python blocks of a Markdown page, and a way to run them as programs of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import SHARED

CONTRACT = Path(__file__).with_name("contract-examples.md")
CONTRACT_SOURCE = None if SHARED is None else SHARED / "spec" / "api-reference.md"

#: What the contract's examples call the API; the only thing in them that a test changes.
PUBLIC_URL = "https://api.illuminator.ai"


@dataclass(frozen=True)
class Example:
    """A block of code under its heading."""

    heading: str
    code: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.number}-{re.sub('[^a-z]+', '-', self.heading.lower())}"


def python_blocks(page: Path) -> list[Example]:
    heading = ""
    blocks: list[Example] = []
    # Every fenced block is taken whole: a comment in one is no heading.
    pattern = r"^(?:#+ (?P<heading>[^\n]*)|```(?P<language>\w*)\n(?P<code>.*?)^```)$"
    for found in re.finditer(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        if found["heading"] is not None:
            heading = found["heading"]
        elif found["language"] == "python":
            blocks.append(Example(heading, found["code"], len(blocks)))
    return blocks


def contract_examples() -> list[Example]:
    return python_blocks(CONTRACT_SOURCE or CONTRACT)


#: Before a block: the contract's batch example sleeps without importing the module.
PRELUDE = {"Batch Processing": "import time\n"}

#: After a block that only prepares something: it is used, and says what came of it.
EPILOGUE = {
    "Configuration": 'print(client.generate("Hello world", max_tokens=8).generated_text)\n'
    "print(client.config)\n",
    "Handling Rate Limits": 'print(generate_with_retry("Hello world").generated_text)\n',
    "Chat Interface": "print([message.role for message in history])\n",
}


def program(example: Example, url: str) -> str:
    code = example.code.replace(PUBLIC_URL, url)
    return PRELUDE.get(example.heading, "") + code + EPILOGUE.get(example.heading, "")


def run_program(
    code: str, url: str, folder: Path, python: str = sys.executable, limit: float = 120
) -> subprocess.CompletedProcess[str]:
    """Runs code as its own process, as a user would; warnings about it are errors."""
    file = folder / "program.py"
    file.write_text(code, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if "ILLUMINATOR" not in name}
    return subprocess.run(
        [python, "-W", "error", str(file)],
        cwd=folder,
        env={**clean, "ILLUMINATOR_BASE_URL": url, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=limit,
        check=False,
    )


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout
