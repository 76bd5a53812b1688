/**
 * Which tuning a kernel runs in: what the tuner found fastest on this adapter, where it was kept and still fits, else the
 * sound default. A kept tuning counts only for the very WGSL that it was measured with.
 */
import { createHash } from 'node:crypto'
import type { Capabilities } from './gpu/capabilities.ts'
import { specialise } from './gpu/specialise.ts'
import { type Forms, type Kernel, mapForms, type Shape, type Tuning, tunings } from './kernel.ts'
import { ROW_TILE } from './lib/matmul.ts'
import { defaultTuning } from './tune.ts'

export interface KeptTuning extends Forms<Tuning> {
  /** `versionOf` each when they were measured. */
  readonly versions: Forms<string>
}

/** Sizes of a step, places of a part and widths of tables: they change nothing about what is fast. */
const BESIDE = new Set(['batch', 'tiles', 'tileRows', 'spans', 'start', 'total', 'stride', 'pages'])

/** What a kept tuning is found by: kernel and shape. */
export function tuningKey(kernel: Pick<Kernel, 'name'>, shape: Shape): string {
  const sizes = Object.entries(shape)
    .filter(([name]) => !BESIDE.has(name))
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'number' ? Number(value.toPrecision(6)) : value}`,
    )
  return [kernel.name, ...sizes.sort()].join(' ')
}

/** A fingerprint of the WGSL of a kernel in a tuning, the numbers compiled in aside. */
export function versionOf<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
  caps: Capabilities,
): string {
  const { code } = specialise(kernel, shape, tuning, caps)
  const text = code.replace(/^const [A-Z0-9_]+: (u32|f32) = .*$/gm, '')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The shapes that a kernel's programs are made for. `rows`: of the form for many. */
export const formsOf = <S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  rows = ROW_TILE,
): Forms<S> => kernel.forms?.(shape, rows) ?? { one: shape, several: shape, many: shape }

/** A kernel in a shape that a model runs it in. */
export interface Asked {
  readonly kernel: Kernel
  readonly shape: Shape
  readonly forms: Forms<Tuning>
  /** In a kept tuning, not in the sound one. */
  readonly isKept: boolean
}

export class Tunings {
  readonly #caps: Capabilities
  readonly #kept: ReadonlyMap<string, KeptTuning>
  /** What was asked for, by key. */
  readonly asked = new Map<string, Asked>()

  constructor(caps: Capabilities, kept: ReadonlyMap<string, KeptTuning> = new Map()) {
    this.#caps = caps
    this.#kept = kept
  }

  /** Throws when the device can run none. */
  of<S extends Shape, T extends Tuning>(kernel: Kernel<S, T>, shape: S): Forms<T> {
    const key = tuningKey(kernel, shape)
    // Every layer asks for the same: what is kept is looked for and fingerprinted once.
    const known = this.asked.get(key)
    if (known) return known.forms as Forms<T>
    const kept = this.#keptFor(kernel, shape, key)
    const shapes = formsOf(kernel, shape)
    const forms = kept ?? mapForms(shapes, (one) => defaultTuning(kernel, one, this.#caps))
    const asked = { kernel: kernel as unknown as Kernel, shape, forms, isKept: kept !== null }
    this.asked.set(key, asked)
    return forms
  }

  #keptFor<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    key: string,
  ): Forms<T> | null {
    const kept = this.#kept.get(key)
    if (!kept) return null
    const shapes = formsOf(kernel, shape)
    const { one, several, many } = mapForms(shapes, (of, form) =>
      this.#fitting(kernel, of, kept[form], kept.versions[form]),
    )
    if (!one || !several || !many) return null
    const order = kernel.order ?? []
    const isAlike = order.every((name) => one[name] === several[name] && one[name] === many[name])
    return isAlike ? { one, several, many } : null
  }

  /** The valid tuning that says the same; null where there is none or the kernel has changed. */
  #fitting<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    kept: Tuning,
    version: string,
  ): T | null {
    const found = tunings(kernel, shape, this.#caps).find((one) =>
      Object.entries(one).every(([name, value]) => kept[name] === value),
    )
    return found && versionOf(kernel, shape, found, this.#caps) === version ? found : null
  }
}
