/** Progress of long work on stderr: bars on a terminal, a few plain lines elsewhere (a log is no place for a bar). */
import { SingleBar } from 'cli-progress'
import type { Progress } from '../engine/api.ts'
import { type Io, note } from './io.ts'

export interface ProgressReport {
  report(progress: Progress): void
  /** Ends an open bar, so that what follows begins on a line of its own. */
  stop(): void
}

/** @param tell takes the lines, for whoever keeps a log; there are no bars then */
export function createProgress(io: Io, tell?: (line: string) => void): ProgressReport {
  if (tell) return lines(tell)
  return io.stderr.isTTY ? bars(io) : lines((line) => note(io, line))
}

const VERB = { weights: 'Loading weights', pipelines: 'Compiling kernels' }

function label(progress: Progress): string {
  if (progress.phase === 'download') return `Downloading ${progress.file}`
  return progress.phase === 'adapter' ? progress.message : VERB[progress.phase]
}

/** Bytes as MB; pipelines are counted. */
function amount(progress: Progress, value: number): string {
  const counted = progress.phase === 'pipelines' || progress.phase === 'adapter'
  return counted ? String(value) : `${(value / 1e6).toFixed(1)} MB`
}

function bars(io: Io): ProgressReport {
  let current: { label: string; bar: SingleBar } | null = null
  const stop = () => {
    current?.bar.stop()
    current = null
  }
  return {
    report(progress) {
      const name = label(progress)
      if (current?.label !== name) {
        stop()
        const bar = new SingleBar({
          stream: io.stderr,
          hideCursor: true,
          format: '{name} [{bar}] {percentage}% | {amounts} | {eta_formatted}',
          barsize: 24,
        })
        bar.start(progress.total, 0, { name, amounts: '' })
        current = { label: name, bar }
      }
      const amounts = `${amount(progress, progress.done)} of ${amount(progress, progress.total)}`
      current.bar.setTotal(progress.total)
      current.bar.update(progress.done, { amounts })
      if (progress.done >= progress.total) stop()
    },
    stop,
  }
}

const STEPS = 4

function lines(tell: (line: string) => void): ProgressReport {
  let last = ''
  return {
    report(progress) {
      const share = progress.total > 0 ? progress.done / progress.total : 0
      const step = `${label(progress)} ${Math.floor(share * STEPS)}`
      if (step === last) return
      last = step
      if (progress.phase === 'adapter') {
        tell(progress.message)
        return
      }
      const total = amount(progress, progress.total)
      tell(`${label(progress)}: ${Math.floor(share * 100)}% of ${total}`)
    },
    stop() {},
  }
}
