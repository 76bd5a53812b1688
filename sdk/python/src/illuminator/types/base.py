"""What all answers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class ApiModel(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class RateLimits(ApiModel):
    """How the caller's limits stand, as the headers of an answer tell it."""

    limit: Optional[int] = None
    remaining: Optional[int] = None
    reset: Optional[int] = Field(None, description="Epoch second at which all are free again.")
    reset_tokens: Optional[int] = Field(None, description="The same of the hour's tokens.")


class Answer(ApiModel):
    """A whole answer, with what its headers tell."""

    _headers: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def request_id(self) -> Optional[str]:
        """Names the request in the server's log."""
        return self._headers.get("x-request-id")

    @property
    def rate_limits(self) -> RateLimits:
        """How the caller's limits stand; all ``None`` where none apply."""
        return RateLimits(
            limit=self._count("x-ratelimit-limit"),
            remaining=self._count("x-ratelimit-remaining"),
            reset=self._count("x-ratelimit-reset"),
            reset_tokens=self._count("x-ratelimit-reset-tokens"),
        )

    def _count(self, name: str) -> Optional[int]:
        text = self._headers.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else None
