"""What a server tells of itself and its models."""

from __future__ import annotations

from typing import Any, Optional

from pydantic import Field

from illuminator.types.base import Answer, ApiModel


class MemoryUsage(ApiModel):
    """Memory of the GPU; `None` where it is not known or not told."""

    gpu_memory_used: Optional[str] = None
    gpu_memory_total: Optional[str] = None


class HealthResponse(Answer):
    """How the server is: `healthy`, `loading`, `draining` or `unhealthy`."""

    status: str
    model_loaded: bool
    gpu_available: Optional[bool] = None
    memory_usage: Optional[MemoryUsage] = None
    uptime: Optional[str] = None
    version: Optional[str] = None
    progress: Optional[dict[str, Any]] = Field(None, description="Of the load.")
    reason: Optional[str] = Field(None, description="Why it is unhealthy.")

    @property
    def is_healthy(self) -> bool:
        """Requests are welcome."""
        return self.status == "healthy"


class Architecture(ApiModel):
    """Sizes of a model."""

    type: str
    layers: int
    heads: int
    d_model: int
    vocabulary_size: int
    context_length: int


class TrainingData(ApiModel):
    """What a model was trained on, where that is known."""

    sources: Optional[list[str]] = None
    total_tokens: Optional[str] = None
    languages: Optional[list[str]] = None


class ModelInfo(Answer):
    """The model that is served."""

    model_name: str
    version: str
    parameters: str
    architecture: Architecture
    capabilities: list[str] = Field(default_factory=list)
    training_data: Optional[TrainingData] = None


class ModelCard(ApiModel):
    """A model in a list."""

    id: str
    name: str
    description: str
    parameters: str
    context_length: int
    status: str


class ModelList(Answer):
    """The models that can be asked for."""

    models: list[ModelCard]


class UsageStats(ApiModel):
    """What a model was used for."""

    total_requests: int
    total_tokens_generated: int
    average_generation_time: Optional[float] = None
    error_rate: Optional[float] = None


class PerformanceMetrics(ApiModel):
    """How a model does; `None` where nothing was measured."""

    throughput: Optional[str] = None
    memory_usage: Optional[str] = None
    gpu_utilization: Optional[float] = None


class ModelStats(Answer):
    """Statistics of a model."""

    model_id: str
    usage_stats: UsageStats
    performance_metrics: PerformanceMetrics
