"""Many prompts at once, answered in the background and kept on the server's disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Optional

from typing_extensions import Unpack

from illuminator import _calls, _job
from illuminator._calls import Prompt
from illuminator._job import JobFacts, following
from illuminator._owner import ClientOptions, Over, refuse_both
from illuminator._sync import SyncTransport
from illuminator.client import IlluminatorClient
from illuminator.params import BatchParams
from illuminator.types import BatchJobInfo, BatchResult


class BatchJob(JobFacts):
    """A submitted job. Its facts are as of the last :meth:`is_complete` or :meth:`refresh`."""

    def __init__(self, transport: SyncTransport, info: BatchJobInfo) -> None:
        super().__init__(info)
        self._transport = transport

    def refresh(self) -> BatchJob:
        """Asks how it stands."""
        self._info = self._transport.send(_calls.get_job(self.id))
        return self

    def is_complete(self) -> bool:
        """Asks how it stands: true once it is over, well or not; `status` tells which."""
        return self.is_over or self.refresh().is_over

    def wait(self, timeout: Optional[float] = None, poll_interval: float = 1.0) -> BatchJob:
        """Waits until it is over.

        Args:
            timeout: Most seconds; absent: without end.
            poll_interval: Seconds between the questions.

        Raises:
            APITimeoutError: It is not over in time. The job itself goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_complete():
            if end is not None and time.monotonic() + poll_interval > end:
                raise self.still(timeout or 0)
            time.sleep(poll_interval)
        return self

    def iter_results(self) -> Iterator[BatchResult]:
        """Results by index, fetched a page at a time; of an open job those that there are."""
        offset: Optional[int] = 0
        while offset is not None:
            page = self._transport.send(_calls.job_results(self.id, offset, _job.PAGE))
            yield from page.results
            offset = following(page)

    def get_results(self) -> list[BatchResult]:
        """All results by index: once it is complete, one for each prompt, in their order."""
        return list(self.iter_results())

    def cancel(self) -> BatchJob:
        """Cancels what is not answered yet.

        Raises:
            ConflictError: It is over already.
        """
        self._info = self._transport.send(_calls.cancel_job(self.id))
        return self


class BatchClient(Over):
    """Submits batch jobs, and finds them again.

    Args:
        api_key: Absent: ``ILLUMINATOR_API_KEY``.
        base_url: Absent: ``ILLUMINATOR_BASE_URL`` or ``ILLUMINATOR_URL``, else the public API.
        client: A client to share; it is not closed with this one.
        **options: As of :class:`~illuminator.IlluminatorClient`.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        client: Optional[IlluminatorClient] = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        refuse_both(client, api_key, base_url, options)
        made = None if client else IlluminatorClient(api_key, base_url, **options)
        super().__init__(client, made)

    def submit_job(
        self,
        prompts: Sequence[Prompt],
        *,
        name: Optional[str] = None,
        **params: Unpack[BatchParams],
    ) -> BatchJob:
        """Submits prompts.

        A submission whose answer is lost is not sent again, because the job may be there by then:
        :meth:`list_jobs` tells.

        Args:
            prompts: Texts, or ``{"prompt": ..., "max_tokens": ...}`` with parameters of their own.
            name: For people.
            **params: For the prompts that do not set them, as of ``generate``.

        Raises:
            IlluminatorError: See :mod:`illuminator.exceptions`.
        """
        transport = self._client._transport
        return BatchJob(transport, transport.send(_calls.submit_job(prompts, name, params)))

    def get_job(self, job_id: str) -> BatchJob:
        """A job by its id.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        transport = self._client._transport
        return BatchJob(transport, transport.send(_calls.get_job(job_id)))

    def list_jobs(
        self, *, limit: Optional[int] = None, after: Optional[str] = None
    ) -> list[BatchJob]:
        """The caller's jobs, newest first: at most ``limit``, of those older than ``after``."""
        transport = self._client._transport
        page = transport.send(_calls.list_jobs(limit, after))
        return [BatchJob(transport, info) for info in page.jobs]


__all__ = ["BatchClient", "BatchJob"]
