/** What a decoded token must take at least: the bytes and operations of all its dispatches against the probes. */
import { Pipelines } from '../../kernels/index.ts'
import { Probes } from '../probes.ts'
import { Decoding } from '../profile/decoding.ts'
import { placedOf, sum, workOf } from '../profile/placed.ts'
import { promptOf } from '../prompts.ts'
import { Stopwatch } from '../stopwatch.ts'

/** Milliseconds of a token by the tokens before it. */
export type Floors = (context: number) => number

/** Loads the model once more, for a look at a token's dispatches on a device that the probes run on. */
export async function floorsOf(
  model: string | undefined,
  adapter: string | undefined,
): Promise<Floors> {
  const decoding = await Decoding.open(model, adapter)
  try {
    const { device } = decoding.model.open
    const prompt = promptOf(8, decoding.model.config.vocabularySize)
    const placed = placedOf((await decoding.run(prompt, 4)).step)
    const stopwatch = await Stopwatch.open(device)
    const probes = await Probes.run(device, new Pipelines(device), stopwatch)
    return (context) => {
      const { bytes, flops } = sum(placed.map((one) => workOf(one, context)))
      return probes.floor(bytes, flops)
    }
  } finally {
    await decoding.close()
  }
}
