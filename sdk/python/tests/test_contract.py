"""Every Python example of the contract runs as it is written there, but for the address."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import SHARED
from examples import (
    CONTRACT,
    CONTRACT_SOURCE,
    PRELUDE,
    Example,
    contract_examples,
    output_of,
    program,
    python_blocks,
    run_program,
)
from raw_server import Handler, refusal, serving, whole

EXAMPLES = contract_examples()
BY_HEADING = {example.heading: example for example in EXAMPLES}


@pytest.mark.skipif(SHARED is None, reason="there is no contract beside this checkout")
def test_the_copy_is_the_contract() -> None:
    assert CONTRACT_SOURCE is not None
    assert python_blocks(CONTRACT) == python_blocks(CONTRACT_SOURCE)


def test_there_are_all_of_them() -> None:
    assert [example.heading for example in EXAMPLES] == [
        "Basic Usage",
        "Advanced Usage",
        "Chat Interface",
        "Batch Processing",
        "Error Handling",
        "Configuration",
        "Handling Rate Limits",
        "Creative Writing",
        "Data Analysis",
    ]


def test_only_what_an_example_lacks_is_put_before_it() -> None:
    for heading, lines in PRELUDE.items():
        code = BY_HEADING[heading].code
        assert "time.sleep(" in code
        assert lines == "import time\n"
        assert lines not in code


EXPECTED = {
    "Basic Usage": "one two three\n",
    "Advanced Usage": "one two three",
    "Chat Interface": "one two three\none two three\n['user', 'assistant', 'user', 'assistant']\n",
    "Error Handling": "",
    "Handling Rate Limits": "one two three\n",
    "Creative Writing": "one two three\n",
    "Data Analysis": "one two three\n",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(example: Example, url: str, tmp_path: Path) -> None:
    output = output_of(run_program(program(example, url), url, tmp_path))
    if example.heading == "Batch Processing":
        answers = [f"Prompt {number}: one two three" for number in range(3)]
        *progress, first, second, third = output.splitlines()
        assert [first, second, third] == answers
        assert all(line.startswith("Progress: ") and line.endswith("%") for line in progress)
    elif example.heading == "Configuration":
        assert output.startswith("one two three\nConfig(api_key='***', base_url='http://127.")
        assert "Timeout(total=60, connect=10.0, read=60" in output
        assert "max_retries=3, retry_delay=1.0" in output
    else:
        assert output == EXPECTED[example.heading]


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        pytest.param(
            refusal(401, "authentication_error", "invalid_api_key"),
            "Invalid API key\n",
            id="no key",
        ),
        pytest.param(
            refusal(429, "rate_limit_error", "rate_limit_exceeded", retry_after="500"),
            "Rate limit exceeded. Retry after 500.0 seconds\n",
            id="limit",
        ),
        pytest.param(
            refusal(404, "model_error", "model_not_found"), "Model not available\n", id="model"
        ),
        pytest.param(
            refusal(422, "validation_error", "invalid_parameter", message="Wrong."),
            "API error: Wrong. [req_body]\n",
            id="any other",
        ),
    ],
)
def test_the_example_of_errors_tells_them_apart(
    handler: Handler, told: str, tmp_path: Path
) -> None:
    with serving(handler) as server:
        code = program(BY_HEADING["Error Handling"], server.url)
        assert output_of(run_program(code, server.url, tmp_path)) == told


def test_the_example_of_errors_with_a_real_key(keyed: tuple[str, str], tmp_path: Path) -> None:
    url, _ = keyed
    code = program(BY_HEADING["Error Handling"], url)
    assert output_of(run_program(code, url, tmp_path)) == "Invalid API key\n"


def test_the_example_of_rate_limits_waits_and_tries_again(tmp_path: Path) -> None:
    limited = refusal(
        429, "rate_limit_error", "rate_limit_exceeded", retry_after="0.3", x_should_retry="false"
    )
    with serving(limited, whole()) as server:
        code = program(BY_HEADING["Handling Rate Limits"], server.url)
        assert output_of(run_program(code, server.url, tmp_path)) == "one two three\n"
        first, second = server.requests
    assert second.at - first.at >= 0.3
