"""Settings: where they come from, what is refused, what is never shown."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from illuminator import (
    AsyncIlluminatorClient,
    Config,
    ConfigurationError,
    IlluminatorClient,
    Timeout,
)
from illuminator.config import DEFAULT_BASE_URL


def test_the_defaults() -> None:
    config = Config()
    assert config.api_key is None
    assert config.base_url == DEFAULT_BASE_URL == "https://api.illuminator.ai"
    assert (config.max_retries, config.retry_delay, config.max_retry_wait) == (3, 1.0, 120.0)
    assert config.timeout == Timeout(total=600, connect=10, read=60, stream=None)


def test_the_environment_fills_in_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ILLUMINATOR_API_KEY", "sk-environment\n")
    monkeypatch.setenv("ILLUMINATOR_URL", "http://localhost:1")
    assert Config().api_key == "sk-environment"
    assert Config().base_url == "http://localhost:1"
    monkeypatch.setenv("ILLUMINATOR_BASE_URL", "http://localhost:2/")
    assert Config().base_url == "http://localhost:2"
    given = Config(api_key="sk-given", base_url="http://localhost:3")
    assert (given.api_key, given.base_url) == ("sk-given", "http://localhost:3")
    assert Config(api_key="").api_key is None
    assert Config(api_key="").replace(max_retries=0).api_key is None


def test_a_client_takes_a_config_and_what_is_given_beside_it_wins() -> None:
    config = Config(api_key="sk-1", timeout=60, max_retries=3, headers={"x-a": "1"})
    with IlluminatorClient(config=config, max_retries=5, headers={"x-b": "2"}) as client:
        assert client.config.api_key == "sk-1"
        assert client.config.timeout.total == 60
        assert client.config.max_retries == 5
        assert client.config.headers == {"x-a": "1", "x-b": "2"}
        other = client.with_options(timeout=Timeout(total=1), max_retries=0)
        assert (other.config.timeout.total, other.config.max_retries) == (1, 0)
        assert client.config.max_retries == 5


def test_a_number_is_the_total_and_bounds_its_parts() -> None:
    assert Timeout.of(5) == Timeout(total=5, connect=5, read=5)
    assert Timeout.of(90) == Timeout(total=90, connect=10, read=60)
    assert Timeout.of(None) == Timeout(total=None, connect=None, read=None, stream=None)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_url": "localhost:8000"}, "base_url is 'localhost:8000'"),
        ({"base_url": "ftp://a"}, "expected an address"),
        ({"base_url": "http://a:port"}, "expected an address"),
        ({"base_url": "http://a/?x=1"}, "expected an address"),
        ({"base_url": 5}, "expected an address"),
        ({"api_key": "sk-a b"}, "ASCII"),
        ({"api_key": "sk-é"}, "ASCII"),
        ({"api_key": 5}, "api_key is a int"),
        ({"timeout": 0}, "timeout is 0: expected a number of seconds more than 0"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": "60"}, "timeout is '60'"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": 1.5}, "max_retries is 1.5"),
        ({"max_retries": True}, "max_retries is True"),
        ({"retry_delay": -0.5}, "retry_delay is -0.5"),
        ({"max_retry_wait": float("inf")}, "max_retry_wait is inf"),
    ],
)
def test_what_cannot_be_is_refused_in_words(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match="^.*" + told.replace("(", r"\(")) as refused:
        Config(**settings)
    assert isinstance(refused.value, ValueError)
    with pytest.raises(ConfigurationError):
        Timeout(read=-1)


def test_a_wrong_key_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Config(api_key="sk-secret secret")
    assert "secret" not in str(refused.value)


def test_neither_configs_nor_clients_show_a_key() -> None:
    config = Config(api_key="sk-secret", headers={"x-token": "secret-too"})
    for shown in (repr(config), str(config), repr(IlluminatorClient(config=config))):
        assert "secret" not in shown
        assert "api_key='***'" in shown
    assert "secret" not in repr(AsyncIlluminatorClient(config=config))


def test_a_config_does_not_change_and_is_compared_by_what_it_says() -> None:
    config = Config(api_key="sk-1", headers={"x-a": "1"})
    with pytest.raises(AttributeError, match="replace"):
        config.api_key = "sk-2"
    with pytest.raises(AttributeError, match="does not change"):
        del config.api_key
    with pytest.raises(TypeError):
        config.headers["x-a"] = "2"  # type: ignore[index]
    assert config == config.replace()
    assert hash(config) == hash(config.replace())
    assert config != config.replace(max_retries=9)
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301
