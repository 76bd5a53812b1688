"""Client of the iLLuMinator API: text, chat, streams and batches, sync and async."""

from illuminator._version import __version__
from illuminator.async_batch import AsyncBatchClient, AsyncBatchJob
from illuminator.async_client import AsyncIlluminatorClient
from illuminator.async_streams import AsyncStream
from illuminator.batch import BatchClient, BatchJob
from illuminator.chat import AsyncChatClient, ChatClient
from illuminator.client import IlluminatorClient
from illuminator.config import Config, Timeout
from illuminator.exceptions import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    IlluminatorError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    ValidationError,
)
from illuminator.params import BatchPrompt, MessageParam
from illuminator.streams import Stream
from illuminator.types import (
    BatchResult,
    ChatChunk,
    ChatMessage,
    ChatResponse,
    GenerateResponse,
    StreamToken,
    Usage,
)

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AsyncBatchClient",
    "AsyncBatchJob",
    "AsyncChatClient",
    "AsyncIlluminatorClient",
    "AsyncStream",
    "AuthenticationError",
    "BatchClient",
    "BatchJob",
    "BatchPrompt",
    "BatchResult",
    "ChatChunk",
    "ChatClient",
    "ChatMessage",
    "ChatResponse",
    "Config",
    "ConfigurationError",
    "ConflictError",
    "GenerateResponse",
    "IlluminatorClient",
    "IlluminatorError",
    "InvalidResponseError",
    "MessageParam",
    "ModelError",
    "ModelNotFoundError",
    "NotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
    "Stream",
    "StreamInterruptedError",
    "StreamToken",
    "Timeout",
    "Usage",
    "ValidationError",
    "__version__",
]
