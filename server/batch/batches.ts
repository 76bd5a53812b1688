/** The batch queue as the rest of the server sees it: jobs and files in the database, and who works them off. */
import type { Database } from '../store/database.ts'
import { FileStore } from './file-store.ts'
import type { BatchJob, LineError, NewItem, NewJob } from './job.ts'
import { JobStore } from './job-store.ts'
import { type Ask, BatchRunner, type RunnerOptions } from './runner.ts'

export class Batches {
  readonly jobs: JobStore
  readonly files: FileStore
  readonly #runner: BatchRunner

  constructor(database: Database, ask: Ask, options: RunnerOptions) {
    this.jobs = new JobStore(database)
    this.files = new FileStore(database)
    this.#runner = new BatchRunner(this.jobs, ask, options)
  }

  /** Goes on with what an earlier process left. */
  start(): void {
    this.#runner.wake()
  }

  async submit(
    job: NewJob,
    items: readonly NewItem[],
    errors?: readonly LineError[],
  ): Promise<BatchJob> {
    const made = await this.jobs.create(job, items, errors)
    this.#runner.wake()
    return made
  }

  /** False: it was over already. */
  async cancel(id: string): Promise<boolean> {
    const done = await this.jobs.cancel(id)
    if (done) this.#runner.cancel(id)
    return done
  }

  /** What is asked ends; its prompts are asked again after the next start. */
  stop(): Promise<void> {
    return this.#runner.stop()
  }
}
