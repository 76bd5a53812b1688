/** How far a batch is, on stderr: a bar on a terminal, a line now and then elsewhere. */
import { SingleBar } from 'cli-progress'
import { duration } from '../duration.ts'
import { type Io, note } from '../io.ts'

const BAR_MS = 250
const LINE_MS = 10_000

export class BatchProgress {
  readonly #io: Io
  readonly #total: number
  #answered: number
  #failed: number
  /** Of this run. */
  #now = 0
  #tokens = 0
  #started = performance.now()
  #waitEnds: number | null = null
  #bar: SingleBar | null = null
  #timer: NodeJS.Timeout | undefined
  #said = ''

  /** @param answered prompts that an earlier run has answered, the failed ones among them */
  constructor(io: Io, total: number, answered: number, failed: number) {
    this.#io = io
    this.#total = total
    this.#answered = answered
    this.#failed = failed
  }

  /** From here on time counts: the model is there. */
  start(): void {
    this.#started = performance.now()
    if (this.#io.stderr.isTTY) {
      this.#bar = new SingleBar({
        stream: this.#io.stderr,
        hideCursor: true,
        format: 'Answering [{bar}] {percentage}% | {value} of {total} prompts{facts}',
        barsize: 24,
      })
      this.#bar.start(this.#total, this.#answered, { facts: '' })
    }
    this.#timer = setInterval(() => this.#tell(), this.#bar ? BAR_MS : LINE_MS)
    this.#timer.unref()
  }

  tokens(count: number): void {
    this.#tokens += count
  }

  answered(isFailed: boolean): void {
    this.#answered++
    this.#now++
    if (isFailed) this.#failed++
  }

  /** Everything waits for so long; null: no more. */
  waiting(milliseconds: number | null): void {
    this.#waitEnds = milliseconds === null ? null : performance.now() + milliseconds
    this.#tell()
  }

  stop(): void {
    clearInterval(this.#timer)
    if (!this.#bar) return
    this.#tell()
    this.#bar.stop()
    this.#bar = null
  }

  /** What was done in this run. */
  get facts() {
    const seconds = (performance.now() - this.#started) / 1000
    return {
      total: this.#total,
      completed: this.#answered - this.#failed,
      failed: this.#failed,
      answered_now: this.#now,
      tokens_generated: this.#tokens,
      seconds: Math.round(seconds * 1000) / 1000,
      tokens_per_second: seconds > 0 ? Math.round((this.#tokens / seconds) * 10) / 10 : null,
    }
  }

  #tell(): void {
    const facts = this.#factsLine()
    if (this.#bar) {
      this.#bar.update(this.#answered, { facts })
      return
    }
    const line = `${this.#answered} of ${this.#total} prompts${facts}`
    if (line !== this.#said) note(this.#io, line)
    this.#said = line
  }

  #factsLine(): string {
    const { failed, tokens_per_second: rate, seconds } = this.facts
    const left = (this.#total - this.#answered) * (seconds / this.#now)
    const wait = this.#waitEnds === null ? null : (this.#waitEnds - performance.now()) / 1000
    return [
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(rate ? [`${rate.toFixed(1)} tokens/s`] : []),
      ...(this.#now > 0 && left > 0 ? [`${duration(left)} left`] : []),
      ...(wait !== null && wait > 0 ? [`the server asks to wait ${duration(wait)}`] : []),
    ]
      .map((fact) => ` | ${fact}`)
      .join('')
  }
}
