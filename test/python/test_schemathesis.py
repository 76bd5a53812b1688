"""Every operation of our OpenAPI document, asked with what fits its schema and with what does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = os.environ.get("EXAMPLES", "200")
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]


def test_answers_are_those_of_the_document(url: str, tmp_path: Path) -> None:
    program = shutil.which("schemathesis", path=Path(sys.executable).parent)
    assert program is not None
    command = [program, "run", f"{url}/openapi.json", "--mode", "all", "--max-examples", EXAMPLES]
    command += ["--checks", ",".join(CHECKS), "--phases", "examples,fuzzing", "--seed", "7"]
    # Few strings fit a pattern by chance: that says nothing about us.
    command += ["--suppress-health-check", "filter_too_much", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
