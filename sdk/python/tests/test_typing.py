"""What a type checker says of programs that use this package."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import PROJECT
from examples import contract_examples, program

api = pytest.importorskip("mypy.api", reason="mypy is not installed")

WRONG = """
from illuminator import AsyncIlluminatorClient, BatchClient, ChatClient, IlluminatorClient

client = IlluminatorClient(api_key=5)  # E: arg-type
client.generate("x", max_tokens="five")  # E: arg-type
client.generate("x", max_token=5)  # E: call-arg
client.generate()  # E: call-arg
client.chat([{"role": "user", "content": "x"}], stop_sequences=[])  # E: call-arg
client.generate("x").generated_txt  # E: attr-defined
client.generate("x").tokens_generated.lower()  # E: attr-defined
AsyncIlluminatorClient().generate("x").generated_text  # E: attr-defined
ChatClient().complete(temperature="hot")  # E: arg-type
BatchClient().submit_job(["x"], max_tokens=[1])  # E: arg-type
for token in client.generate_stream("x"):
    token.text + 1  # E: operator
"""


def mypy(folder: Path, *options: str) -> tuple[str, int]:
    arguments = ["--config-file=", "--cache-dir", str(folder / "cache"), *options]
    output, problems, status = api.run([*arguments, *map(str, sorted(folder.glob("*.py")))])
    assert problems == ""
    return output, status


@pytest.fixture(autouse=True)
def _sources_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(PROJECT / "src"))


def test_the_examples_of_the_contract_have_no_type_errors(tmp_path: Path) -> None:
    for example in contract_examples():
        name = f"example_{example.number}.py"
        (tmp_path / name).write_text(program(example, "http://localhost"), encoding="utf-8")
    output, status = mypy(tmp_path, "--check-untyped-defs", "--warn-return-any")
    assert status == 0, output


def test_mistakes_are_found_before_they_run(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    output, _ = mypy(tmp_path, "--strict")
    lines = WRONG.splitlines()
    expected = {at: line.split("# E: ")[1] for at, line in enumerate(lines, 1) if "# E: " in line}
    found = {
        int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]")
        for line in output.splitlines()
        if ": error: " in line
    }
    assert found == expected, output
