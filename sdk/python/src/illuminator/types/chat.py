"""Answered conversations."""

from __future__ import annotations

from typing import Optional

from pydantic import Field, field_validator

from illuminator.types.base import Answer, ApiModel
from illuminator.types.text import Usage


class ChatMessage(ApiModel):
    """One turn of a conversation."""

    role: str
    content: str = ""
    name: Optional[str] = None

    @field_validator("content", mode="before")
    @classmethod
    def _absent_is_empty(cls, value: object) -> object:
        return "" if value is None else value


class TopLogprob(ApiModel):
    """A token that could have been chosen."""

    token: str
    logprob: float
    bytes: Optional[list[int]] = None


class TokenLogprob(TopLogprob):
    """A token that was chosen."""

    top_logprobs: list[TopLogprob] = Field(default_factory=list)


class ChoiceLogprobs(ApiModel):
    """Log-probabilities of an answer's tokens."""

    content: Optional[list[TokenLogprob]] = None


class ChatChoice(ApiModel):
    """One of the answers to a conversation."""

    index: int
    message: ChatMessage
    finish_reason: Optional[str] = None
    logprobs: Optional[ChoiceLogprobs] = None


class ChatResponse(Answer):
    """An answered conversation."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice] = Field(min_length=1)
    usage: Optional[Usage] = None

    @property
    def message(self) -> ChatMessage:
        """The first answer."""
        return self.choices[0].message

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the first answer ended: `stop` or `length`."""
        return self.choices[0].finish_reason


class ChatDelta(ApiModel):
    """What a chunk adds to a message."""

    role: Optional[str] = None
    content: Optional[str] = None


class ChatChunkChoice(ApiModel):
    """What a chunk adds to one of the answers."""

    index: int
    delta: ChatDelta
    finish_reason: Optional[str] = None
    logprobs: Optional[ChoiceLogprobs] = None


class ChatChunk(ApiModel):
    """A piece of a streamed answer."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: Optional[Usage] = None

    def _first(self) -> Optional[ChatChunkChoice]:
        return next((choice for choice in self.choices if choice.index == 0), None)

    @property
    def text(self) -> str:
        """What the chunk adds to the first answer."""
        first = self._first()
        return (first.delta.content if first else None) or ""

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the first answer ended, in the chunk that ends it."""
        first = self._first()
        return first.finish_reason if first else None
