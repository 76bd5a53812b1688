"""What is known of a batch job, sync or async."""

from __future__ import annotations

from datetime import datetime
from typing import Optional

from illuminator.exceptions import APITimeoutError
from illuminator.types import BatchJobInfo, BatchResultPage

#: Results that are fetched at once.
PAGE = 1000

_OPEN = frozenset({"queued", "running"})


class JobFacts:
    """What is known of a job since it was last asked about."""

    def __init__(self, info: BatchJobInfo) -> None:
        self._info = info

    @property
    def info(self) -> BatchJobInfo:
        """All that the server said last."""
        return self._info

    @property
    def id(self) -> str:
        """Names the job, also after this program has ended."""
        return self._info.id

    @property
    def name(self) -> Optional[str]:
        """For people."""
        return self._info.name

    @property
    def status(self) -> str:
        """`queued`, `running`, `completed`, `failed` or `cancelled`."""
        return self._info.status

    @property
    def progress(self) -> int:
        """Answered prompts, those that failed included, in percent."""
        return self._info.progress

    @property
    def total_prompts(self) -> int:
        """All of them."""
        return self._info.total_prompts

    @property
    def completed_prompts(self) -> int:
        """Those that have a text."""
        return self._info.completed_prompts

    @property
    def failed_prompts(self) -> int:
        """Those that have an error."""
        return self._info.failed_prompts

    @property
    def created_at(self) -> datetime:
        """When it was submitted."""
        return self._info.created_at

    @property
    def started_at(self) -> Optional[datetime]:
        """When its first prompt had its turn."""
        return self._info.started_at

    @property
    def finished_at(self) -> Optional[datetime]:
        """When it was over."""
        return self._info.finished_at

    @property
    def estimated_completion(self) -> Optional[datetime]:
        """From the pace so far."""
        return self._info.estimated_completion

    @property
    def is_over(self) -> bool:
        """As far as is known: completed, failed or cancelled."""
        return self.status not in _OPEN

    def still(self, seconds: float) -> APITimeoutError:
        return APITimeoutError(
            f"The batch job {self.id} is still {self.status} after {seconds:g} s, "
            f"at {self.progress}%. It goes on: wait again, or cancel it."
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(id={self.id!r}, status={self.status!r}, "
            f"progress={self.progress})"
        )


def following(page: BatchResultPage) -> Optional[int]:
    """Where the next page begins; ``None``: this was the last."""
    # A server that knows no pages sends them all.
    return page.results[-1].index + 1 if len(page.results) == PAGE else None
