/**
 * The limits of callers, exact however many come at once: counted in memory in one step, and written to the database
 * in the same turn of the event loop, before anybody is answered. So a process that is killed and started again gives
 * no new allowance. What it had set aside for answers under way stays counted: they may have been given, and dying must
 * not be a way to free tokens; the window gives it back within the hour.
 */
import type { Caller } from '../auth/caller.ts'
import type { Dialect } from '../contract/dialect.ts'
import { ApiError } from '../contract/errors.ts'
import type { Database, Statement } from '../store/database.ts'
import { GroupCommit } from '../store/group-commit.ts'
import type { Gate, Reservation } from './gate.ts'
import { rateHeaders, type Standing } from './rate-headers.ts'
import { SlidingWindow } from './sliding-window.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const SPANS = { requests: MINUTE, tokens: HOUR } as const

type Kind = keyof typeof SPANS

interface Use {
  readonly caller: string
  readonly kind: Kind
  readonly bucket: number
  /** Negative: given back. */
  readonly amount: number
}

export interface LimiterOptions {
  readonly log: (line: string) => void
  readonly now?: () => number
}

export class Limiter implements Gate {
  readonly #windows: Readonly<Record<Kind, Map<string, SlidingWindow>>> = {
    requests: new Map(),
    tokens: new Map(),
  }
  readonly #journal: GroupCommit<Use>
  readonly #now: () => number
  #swept = 0

  private constructor(database: Database, { log, now = Date.now }: LimiterOptions) {
    this.#now = now
    this.#journal = new GroupCommit(database, {
      what: 'limits',
      log,
      delayMs: 0,
      toStatements: (uses) => [...sumsOf(uses).map(toStatement), ...this.#sweep()],
    })
  }

  /** A limiter that knows what was used before it. */
  static async open(database: Database, options: LimiterOptions): Promise<Limiter> {
    const limiter = new Limiter(database, options)
    const { rows } = await database.execute('SELECT caller, kind, bucket, used FROM limit_buckets')
    for (const { caller, kind, bucket, used } of rows) {
      const window = limiter.#window(kind === 'tokens' ? 'tokens' : 'requests', String(caller))
      window.add(Number(bucket), Number(used))
    }
    return limiter
  }

  enter(caller: Caller): void {
    const limit = caller.limits.requestsPerMinute
    if (limit === null) return
    const now = this.#now()
    const window = this.#window('requests', caller.id)
    if (window.used(now) + 1 > limit) {
      const seconds = secondsUntil(window.fallsTo(limit - 1, now), now)
      throw new ApiError(
        'rate_limited',
        `More than ${limit} requests a minute; the next one may come in ${seconds} s.`,
        null,
        { 'retry-after': String(seconds) },
      )
    }
    this.#use(caller.id, 'requests', window, now, 1)
  }

  reserve(caller: Caller, tokens: number): Reservation {
    const limit = caller.limits.tokensPerHour
    if (limit === null) return { settle: () => undefined }
    const now = this.#now()
    const window = this.#window('tokens', caller.id)
    if (tokens > limit) throw neverFits(tokens, limit)
    if (window.used(now) + tokens > limit) throw quotaExceeded(window, tokens, limit, now)
    const bucket = this.#use(caller.id, 'tokens', window, now, tokens)
    let settled = false
    return {
      settle: (used) => {
        if (settled) return
        settled = true
        const amount = Math.min(0, used - tokens)
        if (amount === 0) return
        // Into the bucket it came from: after an hour it has come back by itself.
        if (bucket < window.oldestOf(this.#now())) return
        window.add(bucket, amount)
        this.#journal.add({ caller: caller.id, kind: 'tokens', bucket, amount })
      },
    }
  }

  headers(caller: Caller, dialect: Dialect): Readonly<Record<string, string>> {
    const now = this.#now()
    const { requestsPerMinute, tokensPerHour } = caller.limits
    return rateHeaders(
      this.#standing('requests', caller.id, requestsPerMinute, now),
      this.#standing('tokens', caller.id, tokensPerHour, now),
      dialect,
      now,
    )
  }

  written(): Promise<void> {
    return this.#journal.written()
  }

  #use(caller: string, kind: Kind, window: SlidingWindow, now: number, amount: number): number {
    const bucket = window.bucketOf(now)
    window.add(bucket, amount)
    this.#journal.add({ caller, kind, bucket, amount })
    return bucket
  }

  #standing(kind: Kind, caller: string, limit: number | null, now: number): Standing | null {
    if (limit === null) return null
    const window = this.#window(kind, caller)
    return { limit, used: window.used(now), resetsAt: window.fallsTo(0, now) }
  }

  #window(kind: Kind, caller: string): SlidingWindow {
    const windows = this.#windows[kind]
    const window = windows.get(caller) ?? new SlidingWindow(SPANS[kind])
    windows.set(caller, window)
    return window
  }

  /** Once a minute: forgets callers without use, and gives the statements that drop what is too old. */
  #sweep(): Statement[] {
    const now = this.#now()
    if (now - this.#swept < MINUTE) return []
    this.#swept = now
    return (Object.keys(SPANS) as Kind[]).map((kind) => {
      const windows = this.#windows[kind]
      for (const [caller, window] of windows) if (window.used(now) === 0) windows.delete(caller)
      return {
        sql: 'DELETE FROM limit_buckets WHERE kind = ? AND bucket < ?',
        args: [kind, new SlidingWindow(SPANS[kind]).oldestOf(now)],
      }
    })
  }
}

const secondsUntil = (then: number, now: number): number =>
  Math.max(1, Math.ceil((then - now) / 1000))

function quotaExceeded(
  window: SlidingWindow,
  tokens: number,
  limit: number,
  now: number,
): ApiError {
  const seconds = secondsUntil(window.fallsTo(limit - tokens, now), now)
  const left = limit - window.used(now)
  return new ApiError(
    'quota_exceeded',
    `This may take ${tokens} tokens (prompt and longest answer), and ${left} of ${limit} an hour are left. Ask for fewer (max_tokens), or again in ${seconds} s.`,
    null,
    { 'retry-after': String(seconds) },
  )
}

/** Waiting does not help, and a client that retries by itself must know. */
function neverFits(tokens: number, limit: number): ApiError {
  return new ApiError(
    'quota_exceeded',
    `This may take ${tokens} tokens (prompt and longest answer), more than the ${limit} an hour that the key has. Ask for fewer (max_tokens).`,
    null,
    { 'retry-after': String(HOUR / 1000), 'x-should-retry': 'false' },
  )
}

/** One use for each bucket. */
function sumsOf(uses: readonly Use[]): Use[] {
  const sums = new Map<string, Use>()
  for (const use of uses) {
    const key = `${use.kind} ${use.bucket} ${use.caller}`
    sums.set(key, { ...use, amount: use.amount + (sums.get(key)?.amount ?? 0) })
  }
  return [...sums.values()]
}

function toStatement({ caller, kind, bucket, amount }: Use): Statement {
  return {
    sql: `INSERT INTO limit_buckets (caller, kind, bucket, used) VALUES (?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET used = max(0, used + excluded.used)`,
    args: [caller, kind, bucket, amount],
  }
}
