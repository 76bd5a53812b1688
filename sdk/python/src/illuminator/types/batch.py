"""Batch jobs and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Optional, Union

from pydantic import Field

from illuminator.types.base import Answer, ApiModel

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]


class BatchJobInfo(Answer):
    """A batch job as the server told it last."""

    id: str
    name: Optional[str] = None
    # A status that a later server invents is still a status.
    status: Union[JobStatus, str]
    progress: int = Field(description="Percent.")
    created_at: datetime
    started_at: Optional[datetime] = None
    finished_at: Optional[datetime] = None
    total_prompts: int
    completed_prompts: int = Field(description="Without those that failed.")
    failed_prompts: int
    estimated_completion: Optional[datetime] = None


class BatchJobList(Answer):
    """A page of batch jobs, newest first."""

    jobs: list[BatchJobInfo]
    has_more: bool = False


class BatchResult(ApiModel):
    """The answer to one prompt of a batch. A failed one has an `error` and an empty text."""

    index: int = Field(description="Of the prompt.")
    status: str = Field(description="`completed` or `failed`.")
    generated_text: str = ""
    tokens_generated: int = 0
    generation_time: Optional[float] = None
    finish_reason: Optional[str] = None
    error: Optional[str] = None

    @property
    def is_failed(self) -> bool:
        """There is an `error` instead of a text."""
        return self.status == "failed"


class BatchResultPage(Answer):
    """Results of a job."""

    job_id: str
    results: list[BatchResult]
