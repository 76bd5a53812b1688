/** Progress of long work on stderr: bars on a terminal, a few plain lines elsewhere (a log is no place for a bar). */
import { MultiBar, type SingleBar } from 'cli-progress'
import type { Progress as LoadProgress } from '../engine/api.ts'
import type { ImportProgress, QuantizeProgress } from '../engine/index.ts'
import { duration } from './duration.ts'
import { type Io, note } from './io.ts'

type Progress = LoadProgress | QuantizeProgress | ImportProgress

export interface ProgressReport {
  report(progress: Progress): void
  /** Ends open bars, so that what follows begins on a line of its own. */
  stop(): void
}

/** @param tell takes the lines, for whoever keeps a log; there are no bars then */
export function createProgress(io: Io, tell?: (line: string) => void): ProgressReport {
  if (tell) return lines(tell)
  return io.stderr.isTTY ? bars(io) : lines((line) => note(io, line))
}

const VERB = {
  weights: 'Loading weights',
  pipelines: 'Compiling kernels',
  quantize: 'Quantizing weights',
  import: 'Importing weights',
}

function label(progress: Progress): string {
  if (progress.phase === 'download') return `Downloading ${progress.file}`
  return progress.phase === 'adapter' ? progress.message : VERB[progress.phase]
}

const noteOf = (progress: Progress): string | undefined =>
  progress.phase === 'download' ? progress.note : undefined

/** Bytes as MB, those of small files as kB; pipelines are counted. */
function amount(progress: Progress, value: number): string {
  if (progress.phase === 'pipelines' || progress.phase === 'adapter') return String(value)
  return progress.total < 1e5 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`
}

/** A bar for each thing that is under way. One that is done becomes a line above those that are not. */
function bars(io: Io): ProgressReport {
  let all: MultiBar | null = null
  const open = new Map<string, SingleBar>()
  const stop = () => {
    all?.stop()
    all = null
    open.clear()
  }
  const begin = (name: string, total: number): SingleBar => {
    all ??= new MultiBar({
      stream: io.stderr,
      hideCursor: true,
      format: '{name} [{bar}] {percentage}% | {amounts} | {eta_formatted}{why}',
      barsize: 24,
      etaBuffer: 50,
      // Nothing comes, or nothing has come yet: no number says how long.
      formatTime: (seconds) => (Number.isFinite(seconds) ? duration(seconds) : '?'),
    })
    const bar = all.create(total, 0, { name, amounts: '', why: '' })
    open.set(name, bar)
    return bar
  }
  return {
    report(progress) {
      const name = label(progress)
      const { done, total } = progress
      const isDone = done >= total
      // What is there already needs no bar.
      if (isDone && !open.has(name) && open.size > 0) return
      const bar = open.get(name) ?? begin(name, total)
      const amounts = `${amount(progress, done)} of ${amount(progress, total)}`
      bar.setTotal(total)
      const why = noteOf(progress)
      bar.update(done, { amounts, why: why ? ` (${why})` : '' })
      if (!isDone) return
      if (open.size === 1) return stop()
      all?.log(`${name}: ${amount(progress, total)}\n`)
      all?.remove(bar)
      open.delete(name)
    },
    stop,
  }
}

const STEPS = 4

function lines(tell: (line: string) => void): ProgressReport {
  /** By label: how far each was when it was last told. */
  const told = new Map<string, string>()
  return {
    report(progress) {
      const name = label(progress)
      const share = progress.total > 0 ? progress.done / progress.total : 0
      const why = noteOf(progress)
      const step = `${Math.floor(share * STEPS)}${why ?? ''}`
      if (told.get(name) === step) return
      told.set(name, step)
      if (progress.phase === 'adapter') {
        tell(progress.message)
        return
      }
      const total = amount(progress, progress.total)
      tell(`${name}: ${Math.floor(share * 100)}% of ${total}${why ? ` (${why})` : ''}`)
    },
    stop() {},
  }
}
