/**
 * Compiles every pipeline and runs it once: drivers compile at the first use. Where that takes long, those that not every
 * answer needs are compiled after the load, beside the first answers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Device,
  type Dispatch,
  GpuError,
  type Pipelines,
  packSettings,
  replay,
  SETTINGS_BYTES,
  sparing,
} from '../../kernels/index.ts'
import { GREEDY } from '../sampling/sampling.ts'
import type { ModelBuffers, SequenceBuffers } from './buffers.ts'
import type { CompilingBeside } from './compiling-beside.ts'
import type { DecoderDispatches } from './dispatches.ts'
import { passed } from './wait.ts'

/** What a first answer may take to begin, and how often to look whether the device is still open, ms. */
const FIRST_ANSWER = 500
const OPEN_STILL = 25

/** What is compiled, and what it is run with. */
export interface Warming {
  readonly device: Device
  readonly pipelines: Pipelines
  readonly dispatches: DecoderDispatches
  readonly buffers: ModelBuffers
  readonly sequences: SequenceBuffers
  readonly beside: CompilingBeside
}

/**
 * What it leaves in page 0 nobody finds. Throws GpuError.
 * @param onProgress pipelines that were compiled, and that were run, of as many
 * @returns resolves once the rest is compiled as well, or the device is closed: `dispatches.isWhole` then
 */
export async function warmUp(
  { device, pipelines, dispatches, buffers, sequences, beside }: Warming,
  onProgress: (done: number, total: number) => void,
): Promise<{ rest: Promise<void> }> {
  writeInputs(device, buffers, sequences)
  const { first, rest } = dispatches.pipelines
  const total = 2 * (first.length + rest.length)
  let done = 0
  onProgress(done, total)
  const onPipeline = (): void => onProgress(++done, total)
  const compile = async (some: readonly Dispatch[]): Promise<void> => {
    const compiled = some.map(({ pipeline }) => pipelines.get(pipeline.source).then(onPipeline))
    await sparing(Promise.all(compiled))
  }
  const run = async (some: readonly Dispatch[]): Promise<void> => {
    const [from, to] = [sequences.history, sequences.readbacks[0] as GPUBuffer]
    const mark = { from, fromOffset: 0, to, toOffset: 0, bytes: 4 }
    replay(device, [{ dispatches: some, rows: 1 }], [mark])
    await passed(device, to)
  }
  const runOne = async (dispatch: Dispatch): Promise<void> => {
    await run([dispatch])
    onPipeline()
  }
  // Where drivers compile at the first use, the first answers need not wait for what the rest takes before.
  await compile(beside.helps ? first : [...first, ...rest])
  let isBeside = await runAll(beside, first, () => run([]), runOne)
  const onFound = (dispatch: Dispatch): void => dispatches.compiled(dispatch)
  first.forEach(onFound)
  const left = [...rest]
  if (!isBeside && beside.helps) await compile(rest)
  // A process that ended early has left some of them to be compiled.
  while (!isBeside && left.length > 0) {
    const dispatch = left.shift() as Dispatch
    const ran = runOne(dispatch)
    isBeside = beside.helps && (await isCompiling(ran, beside.compiled))
    await ran
    onFound(dispatch)
  }
  onProgress(total, total)
  if (!isBeside) {
    dispatches.isWhole = true
    return { rest: Promise.resolve() }
  }
  const compileBeside = async (): Promise<void> => {
    const onCompiled = async (dispatch: Dispatch): Promise<void> => {
      await sparing(pipelines.get(dispatch.pipeline.source))
      onFound(dispatch)
    }
    await forFirstAnswer(device)
    await beside.compile(left, onCompiled)
    // What the second device could not do, the first does when it comes to it.
    if (device.open) for (const dispatch of left) await onCompiled(dispatch)
    dispatches.isWhole = true
  }
  return { rest: compileBeside().catch((error: unknown) => failed(device, error)) }
}

/** Who asks at once has the processors alone until an answer has begun: compiling beside takes half of a CPU adapter. */
async function forFirstAnswer(device: Device): Promise<void> {
  const until = performance.now() + FIRST_ANSWER
  while (device.open && performance.now() < until) await sleep(OPEN_STILL)
}

/** Beside the answers: what befell the first device there is what befalls it anywhere. */
function failed(device: Device, error: unknown): void {
  if (!(error instanceof GpuError)) throw error
  device.fail(error)
}

/** A step of one token, the first of slot 0. */
function writeInputs({ memory }: Device, buffers: ModelBuffers, sequences: SequenceBuffers): void {
  const row = new Uint32Array(32)
  row[3] = 1
  for (const rows of buffers.rowsByGroup) memory.write(rows, 0, row)
  memory.write(buffers.tiles, 0, Uint32Array.of(0, 1, 0, 0))
  memory.write(buffers.picks, 0, new Uint32Array(4))
  memory.write(buffers.headSource, 0, new Uint32Array(1))
  for (const table of sequences.pageTables) memory.write(table, 0, new Uint32Array(1))
  memory.write(sequences.entries, 0, new Uint32Array(2))
  memory.write(sequences.wanted, 0, Uint32Array.of(1))
  const settings = new ArrayBuffer(SETTINGS_BYTES)
  packSettings(GREEDY.settings, settings)
  memory.write(sequences.settings, 0, new Uint8Array(settings))
}

/**
 * Runs each pipeline once. As soon as one shows that the driver compiles, a second device compiles beside, where that helps;
 * where all is found in the driver's cache, it would only cost memory.
 * @returns whether it did
 */
async function runAll(
  beside: CompilingBeside,
  dispatches: readonly Dispatch[],
  idle: () => Promise<void>,
  run: (dispatch: Dispatch) => Promise<void>,
): Promise<boolean> {
  const length = ({ pipeline }: Dispatch): number => pipeline.source.code.length
  const left = [...dispatches].sort((a, b) => length(b) - length(a))
  const found: Dispatch[] = []
  let second: Promise<void> | null = null
  let isSlow = false
  // What was begun before, clearing for one, is no pipeline's time.
  await idle()
  for (let one = left.shift(); one; one = left.shift()) {
    const done = run(one)
    if (!isSlow && left.length > 1 && beside.helps) {
      isSlow = await isCompiling(done, beside.compiled)
      if (isSlow) second = beside.compile(left, async (dispatch) => void found.push(dispatch))
      // It is awaited below; until then its failure is nobody's.
      second?.catch(() => undefined)
    }
    await done
  }
  await second
  for (const dispatch of [...found, ...left]) await run(dispatch)
  return isSlow
}

const isCompiling = (done: Promise<void>, ms: number): Promise<boolean> =>
  Promise.race([done.then(() => false), sleep(ms, true, { ref: false })])
