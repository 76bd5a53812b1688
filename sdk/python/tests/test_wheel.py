"""The wheel in a fresh environment, and the contract with a real model from there."""

from __future__ import annotations

import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import illuminator
from conftest import PROJECT, ROOT, SHARED, real_server
from examples import Example, contract_examples, output_of, program, run_program

MODEL = None if SHARED is None else SHARED / "models" / "smollm2-135m-instruct-4bit"


def test_the_wheel_holds_the_package_its_types_and_its_licence(wheel: Path) -> None:
    assert wheel.name == f"illuminator_sdk-{illuminator.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    sources = (PROJECT / "src").rglob("*.py")
    expected = {path.relative_to(PROJECT / "src").as_posix() for path in sources}
    held = {name for name in names if not name.startswith("illuminator_sdk-")}
    assert held == expected | {"illuminator/py.typed"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_licence_is_that_of_the_repository() -> None:
    assert (PROJECT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_is_installed_is_what_was_asked_for(fresh_python: Path, tmp_path: Path) -> None:
    code = (
        "import illuminator, importlib.metadata as m\n"
        "print(illuminator.__version__, m.version('illuminator-sdk'))\n"
        "print(illuminator.__file__)\n"
    )
    version, place = output_of(
        run_program(code, "http://127.0.0.1:1", tmp_path, str(fresh_python))
    ).splitlines()
    assert version.split() == [illuminator.__version__] * 2
    assert str(fresh_python.parents[1].resolve()) in str(Path(place).resolve())
    done = subprocess.run(
        [fresh_python.with_name("illuminator-convert"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "CHECKPOINT" in done.stdout


@pytest.mark.skipif(
    MODEL is None, reason="there is no model beside this checkout [needs ../shared]"
)
def test_all_examples_of_the_contract_run_from_the_wheel_with_a_real_model(
    fresh_python: Path, tmp_path: Path
) -> None:
    assert MODEL is not None
    examples = contract_examples()
    with real_server(MODEL) as url, ThreadPoolExecutor(len(examples)) as pool:

        def run(example: Example) -> str:
            folder = tmp_path / example.name
            folder.mkdir()
            code = program(example, url)
            return output_of(run_program(code, url, folder, str(fresh_python), limit=400))

        outputs = dict(zip((one.heading for one in examples), pool.map(run, examples)))
    for heading, output in outputs.items():
        print(f"--- {heading}\n{output}")
    # The example of errors has nothing to say where nothing goes wrong.
    assert outputs.pop("Error Handling") == ""
    assert len(outputs) == 8
    assert all(len(output.strip()) > 20 for output in outputs.values()), outputs
    assert all(f"Prompt {number}: " in outputs["Batch Processing"] for number in range(3))
    assert "['user', 'assistant', 'user', 'assistant']" in outputs["Chat Interface"]
