/** Runs every pipeline once: drivers compile at the first use. */
import { type Device, packSettings, replay, SETTINGS_BYTES } from '../../kernels/index.ts'
import { GREEDY } from '../sampling/sampling.ts'
import type { ModelBuffers, SequenceBuffers } from './buffers.ts'
import type { DecoderDispatches } from './dispatches.ts'

/** What it leaves in page 0 nobody finds. Throws GpuError. */
export async function warmUp(
  device: Device,
  dispatches: DecoderDispatches,
  buffers: ModelBuffers,
  sequences: SequenceBuffers,
  onPipeline: () => void,
): Promise<void> {
  const { memory } = device
  const row = new Uint32Array(32)
  row[3] = 1
  memory.write(buffers.rows, 0, row)
  memory.write(buffers.tiles, 0, Uint32Array.of(0, 1, 0, 0))
  memory.write(buffers.picks, 0, new Uint32Array(4))
  memory.write(buffers.headSource, 0, new Uint32Array(1))
  memory.write(sequences.pageTable, 0, new Uint32Array(1))
  memory.write(sequences.entries, 0, new Uint32Array(2))
  memory.write(sequences.wanted, 0, Uint32Array.of(1))
  const settings = new ArrayBuffer(SETTINGS_BYTES)
  packSettings(GREEDY.settings, settings)
  memory.write(sequences.settings, 0, new Uint8Array(settings))
  for (const dispatch of dispatches.pipelines) {
    replay(device, [{ dispatches: [dispatch], rows: 1 }])
    await device.gpu.queue.onSubmittedWorkDone()
    device.check()
    onPipeline()
  }
  // Every layer once: what was never touched is cleared when it first is, and the first answer would wait for it.
  replay(device, [{ dispatches: dispatches.body(1, 1), rows: 1 }])
  await device.gpu.queue.onSubmittedWorkDone()
  device.check()
}
