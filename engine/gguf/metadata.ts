/** Reads values of a GGUF's metadata by the type that they must have; what is missing or odd is named. */
import { EngineError } from '../errors.ts'
import type { GgufTensor, GgufValue } from '../weights/gguf.ts'
import { show } from '../weights/json.ts'

/** A GGUF model, in one file or several: what its header says, and its tensors' bytes. */
export interface GgufSource {
  readonly path: string
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: ReadonlyMap<string, GgufTensor>
  read(tensor: GgufTensor, offset: number, into: Uint8Array): Promise<void>
}

/** An error about what a GGUF holds. */
export function refuse(source: Pick<GgufSource, 'path'>, reason: string): EngineError {
  return new EngineError('model', `${source.path}: ${reason}`)
}

const USE_ANOTHER = 'Use the safetensors form of the model.'

/** The metadata of a model, keys of its architecture without their prefix. */
export class Metadata {
  readonly source: GgufSource
  readonly architecture: string

  /** @throws EngineError('model') for a file that names no architecture */
  constructor(source: GgufSource) {
    this.source = source
    const architecture = source.metadata.get('general.architecture')
    if (typeof architecture !== 'string') {
      throw refuse(
        source,
        `general.architecture is ${show(architecture)}, expected a name. ${USE_ANOTHER}`,
      )
    }
    this.architecture = architecture
  }

  #key(key: string): string {
    return /^(general|tokenizer)\./.test(key) ? key : `${this.architecture}.${key}`
  }

  #get<T>(key: string, is: (value: GgufValue) => value is T & GgufValue, expected: string) {
    const value = this.source.metadata.get(this.#key(key))
    if (value === undefined || is(value)) return value
    throw refuse(
      this.source,
      `${this.#key(key)} is ${show(value)}, expected ${expected}. ${USE_ANOTHER}`,
    )
  }

  /** A finite number, or undefined; the same for every layer where there is a list of them. */
  number(key: string): number | undefined {
    const value = this.source.metadata.get(this.#key(key))
    if (Array.isArray(value) && value.length > 0 && value.every((each) => each === value[0])) {
      return typeof value[0] === 'number' ? value[0] : undefined
    }
    return this.#get(key, isAmount, 'one number for all layers')
  }

  /** @throws EngineError('model') where it is missing */
  needed(key: string): number {
    const value = this.number(key)
    if (value !== undefined) return value
    throw refuse(this.source, `has no number under ${this.#key(key)}. ${USE_ANOTHER}`)
  }

  flag(key: string): boolean | undefined {
    return this.#get(key, (value) => typeof value === 'boolean', 'true or false')
  }

  text(key: string): string | undefined {
    return this.#get(key, (value) => typeof value === 'string', 'a text')
  }

  strings(key: string): readonly string[] | undefined {
    return this.#get(
      key,
      (value): value is string[] => isListOf(value, 'string'),
      'a list of texts',
    )
  }

  numbers(key: string): readonly number[] | undefined {
    return this.#get(
      key,
      (value): value is number[] => isListOf(value, 'number'),
      'a list of numbers',
    )
  }

  /** Numbers as F32 that stand for short decimals: 1e-5, not 9.999999747378752e-6. */
  decimal(key: string): number | undefined {
    const value = this.number(key)
    return value === undefined ? undefined : shortest(value)
  }

  list(key: string): readonly GgufValue[] | undefined {
    const value = this.source.metadata.get(this.#key(key))
    return Array.isArray(value) ? value : undefined
  }
}

const isAmount = (value: GgufValue): value is number =>
  typeof value === 'number' && Number.isFinite(value)

const isListOf = (value: GgufValue, type: 'string' | 'number'): boolean =>
  Array.isArray(value) && value.every((each) => typeof each === type)

/** The shortest decimal that is this number in F32. */
export function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === Math.fround(value)) return candidate
  }
  return value
}
