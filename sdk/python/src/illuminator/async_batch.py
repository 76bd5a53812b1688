"""Many prompts at once, from an event loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Optional

import anyio
from typing_extensions import Unpack

from illuminator import _calls, _job
from illuminator._async import AsyncTransport
from illuminator._calls import Prompt
from illuminator._job import JobFacts, following
from illuminator._owner import AsyncOver, ClientOptions, refuse_both
from illuminator.async_client import AsyncIlluminatorClient
from illuminator.params import BatchParams
from illuminator.types import BatchJobInfo, BatchResult


class AsyncBatchJob(JobFacts):
    """A submitted job. Its facts are as of the last :meth:`is_complete` or :meth:`refresh`."""

    def __init__(self, transport: AsyncTransport, info: BatchJobInfo) -> None:
        super().__init__(info)
        self._transport = transport

    async def refresh(self) -> AsyncBatchJob:
        """As :meth:`BatchJob.refresh`."""
        self._info = await self._transport.send(_calls.get_job(self.id))
        return self

    async def is_complete(self) -> bool:
        """As :meth:`BatchJob.is_complete`."""
        return self.is_over or (await self.refresh()).is_over

    async def wait(
        self,
        timeout: Optional[float] = None,  # noqa: ASYNC109 - its error says how the job stands
        poll_interval: float = 1.0,
    ) -> AsyncBatchJob:
        """As :meth:`BatchJob.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        while not await self.is_complete():
            if end is not None and time.monotonic() + poll_interval > end:
                raise self.still(timeout or 0)
            await anyio.sleep(poll_interval)
        return self

    async def iter_results(self) -> AsyncIterator[BatchResult]:
        """As :meth:`BatchJob.iter_results`."""
        offset: Optional[int] = 0
        while offset is not None:
            page = await self._transport.send(_calls.job_results(self.id, offset, _job.PAGE))
            for result in page.results:
                yield result
            offset = following(page)

    async def get_results(self) -> list[BatchResult]:
        """As :meth:`BatchJob.get_results`."""
        return [result async for result in self.iter_results()]

    async def cancel(self) -> AsyncBatchJob:
        """As :meth:`BatchJob.cancel`."""
        self._info = await self._transport.send(_calls.cancel_job(self.id))
        return self


class AsyncBatchClient(AsyncOver):
    """Submits batch jobs, and finds them again.

    Arguments as of :class:`BatchClient`, with an :class:`~illuminator.AsyncIlluminatorClient`.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        client: Optional[AsyncIlluminatorClient] = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        refuse_both(client, api_key, base_url, options)
        made = None if client else AsyncIlluminatorClient(api_key, base_url, **options)
        super().__init__(client, made)

    async def submit_job(
        self,
        prompts: Sequence[Prompt],
        *,
        name: Optional[str] = None,
        **params: Unpack[BatchParams],
    ) -> AsyncBatchJob:
        """As :meth:`BatchClient.submit_job`."""
        transport = self._client._transport
        info = await transport.send(_calls.submit_job(prompts, name, params))
        return AsyncBatchJob(transport, info)

    async def get_job(self, job_id: str) -> AsyncBatchJob:
        """As :meth:`BatchClient.get_job`."""
        transport = self._client._transport
        return AsyncBatchJob(transport, await transport.send(_calls.get_job(job_id)))

    async def list_jobs(
        self, *, limit: Optional[int] = None, after: Optional[str] = None
    ) -> list[AsyncBatchJob]:
        """As :meth:`BatchClient.list_jobs`."""
        transport = self._client._transport
        page = await transport.send(_calls.list_jobs(limit, after))
        return [AsyncBatchJob(transport, info) for info in page.jobs]


__all__ = ["AsyncBatchClient", "AsyncBatchJob"]
