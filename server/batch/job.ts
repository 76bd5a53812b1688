/** Batch jobs as the store keeps them and as routes tell of them. */
import type { Caller } from '../auth/caller.ts'
import type { Dialect } from '../contract/dialect.ts'

export type JobStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

/** What a line of an input file is found to be wrong about. */
export interface LineError {
  readonly code: string
  readonly message: string
  readonly param: string | null
  readonly line: number | null
}

export interface NewJob {
  readonly dialect: Dialect
  readonly caller: Caller
  readonly name: string | null
  /** Path that answers each prompt. */
  readonly endpoint: string
  readonly inputFile: string | null
  readonly metadata: Readonly<Record<string, string>> | null
}

export interface BatchJob extends Omit<NewJob, 'caller'> {
  readonly id: string
  readonly callerId: string
  readonly status: JobStatus
  readonly total: number
  readonly completed: number
  readonly failed: number
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Why it failed before it began. */
  readonly errors: readonly LineError[]
}

/** One prompt: a request to the job's endpoint. */
export interface NewItem {
  readonly customId: string | null
  readonly body: unknown
}

/** A prompt whose turn has come. */
export interface PendingItem {
  readonly job: string
  /** Nothing of the job was asked before. */
  readonly isFirst: boolean
  readonly place: number
  readonly endpoint: string
  readonly caller: Caller
  /** JSON. */
  readonly body: string
}

/** A prompt that was answered. */
export interface AnsweredItem {
  readonly place: number
  readonly customId: string | null
  readonly status: 'completed' | 'failed'
  readonly httpStatus: number
  readonly requestId: string
  /** JSON: the endpoint's body, or its error's. */
  readonly answer: unknown
}

/** Answered prompts in percent, rounded down. */
export const progressOf = ({ completed, failed, total }: BatchJob): number =>
  Math.floor((100 * (completed + failed)) / total)

export const isOver = ({ status }: BatchJob): boolean => status !== 'queued' && status !== 'running'
