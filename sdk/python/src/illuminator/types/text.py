"""Continued texts, and texts as tokens."""

from __future__ import annotations

from typing import Optional

from pydantic import AliasChoices, Field

from illuminator.types.base import Answer, ApiModel


class PromptTokensDetails(ApiModel):
    """What became of the prompt's tokens."""

    cached_tokens: int = Field(0, description="Found in the prefix cache.")


class Usage(ApiModel):
    """Tokens that were counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Optional[PromptTokensDetails] = None


class GenerateResponse(Answer):
    """A continued text."""

    generated_text: str
    tokens_generated: int
    generation_time: float = Field(description="Seconds.")
    model_version: str
    finish_reason: str = Field(description="`stop` or `length`.")
    usage: Usage


class StreamToken(ApiModel):
    """A piece of a streamed text; the last one has `finish_reason` and `usage`."""

    text: str = Field(validation_alias=AliasChoices("token", "text"))
    index: int = Field(description="Ordinal of its last token.")
    finish_reason: Optional[str] = None
    usage: Optional[Usage] = None

    @property
    def token(self) -> str:
        """`text`, as the API names it."""
        return self.text


class TokenizeResponse(Answer):
    """A text as token ids."""

    tokens: list[int]
    token_count: int
    text_length: int = Field(description="Unicode code points.")


class DetokenizeResponse(Answer):
    """Token ids as a text."""

    text: str
    token_count: int
