/**
 * What a kernel is: one declaration that the engine, the tests, the bench, the tuner and the docs all read.
 * The WGSL beside it declares its own bindings; they are reflected, so nothing is said twice.
 */
import type { Capabilities } from './gpu/capabilities.ts'

/** A case or a shape: sizes, and the names of a weight format or a KV type where the kernel reads one. */
export type Shape = Readonly<Record<string, number | string>>
export type Tuning = Readonly<Record<string, number>>
export type Arrays = Record<string, Float32Array | Uint32Array>

/** Contents of u32 words: pairs of f16, f32 bits, four int8 (scales among them as f32 bits), or those and f32 bits in turn. */
export type Packing = 'f16' | 'f32' | 'int8' | 'int8 beside f32'

/** A WGSL text called by fixed names, and the features it needs. */
export interface Fragment {
  readonly wgsl: URL
  readonly enables?: readonly ('subgroups' | 'f16')[]
}

/** The part of a matrix that a kernel reads through a weight format. */
export interface WeightShape {
  readonly format: string
  readonly rows: number
  readonly columns: number
}

/** Steps of one row, of several and of many run different programs, where that is faster. They differ in no bit. */
export const FORMS = ['one', 'several', 'many'] as const
export type Form = (typeof FORMS)[number]
/** A kernel with fewer forms has one of them twice, or thrice. */
export type Forms<T> = { readonly [K in Form]: T }

export const mapForms = <T, U>(forms: Forms<T>, map: (of: T, form: Form) => U): Forms<U> => ({
  one: map(forms.one, 'one'),
  several: map(forms.several, 'several'),
  many: map(forms.many, 'many'),
})

export interface Kernel<S extends Shape = Shape, T extends Tuning = Tuning> {
  readonly name: string
  /** One line for the docs: the formula. */
  readonly summary: string
  readonly wgsl: URL
  /** Fragments it calls into, besides its weight format's. */
  uses?(shape: S, tuning: T, caps: Capabilities): readonly Fragment[]
  /** The matrix behind bind group 1, if it reads one. */
  weight?(shape: S): WeightShape
  /** Rows of that matrix that one dispatch reads, each time they are read, where it does not read all of them once. */
  weightRows?(shape: S): number
  /** Compiled in as `const NAME`; integers become u32, others f32. SCREAMING_CASE in the WGSL. */
  consts(shape: S, tuning: T): Readonly<Record<string, number>>
  /** Workgroups. */
  dispatch(shape: S, tuning: T): readonly [number, number?, number?]
  /** Every value the tuner may try; the first of each is the default. */
  readonly tune: { readonly [K in keyof T]: readonly T[K][] }
  valid?(shape: S, tuning: T, caps: Capabilities): boolean
  /** The tuning to take on an adapter never seen; the first valid one where a kernel does not say. */
  sound?(shape: S, caps: Capabilities): T
  /** Where they differ: the shape of each. `rows`: of the form for many. */
  forms?(shape: S, rows: number): Forms<S>
  /** Parts of the tuning that decide the order of a sum: the same in all forms, or answers would depend on the company. */
  readonly order?: readonly (keyof T & string)[]
  /** Contents of every binding of groups 0 and 2, outputs included, for a test or a bench. */
  inputs(shape: S, random: Random): Arrays
  /** The truth in float64, written over the outputs in `io`; `weight` is [rows, columns], decoded. */
  oracle(shape: S, io: Arrays, weight: Float32Array): void
  /** What the u32 words of a binding hold, where they are no integers. */
  packed?(shape: S): Readonly<Record<string, Packing>>
  /** Error allowed per element, relative to 1 + |expected|. */
  readonly tolerance: number
  /** Shapes that must be right: small, odd, at the edges. */
  readonly cases: readonly S[]
  /** Shapes that must be fast, by name; bench and tuner read them. */
  readonly bench: Readonly<Record<string, S>>
  /** Bytes moved (weights aside: the format knows those) and operations done. */
  cost(shape: S): { bytes: number; flops: number }
}

/** Checks a declaration against its shape and tuning types; returns it as it is. */
export const defineKernel = <S extends Shape, T extends Tuning>(kernel: Kernel<S, T>) => kernel

/** Every tuning that is valid for a shape on a device; the default comes first. */
export function tunings<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  caps: Capabilities,
): T[] {
  let all: Record<string, number>[] = [{}]
  for (const [name, values] of Object.entries<readonly number[]>(kernel.tune)) {
    all = all.flatMap((one) => values.map((value) => ({ ...one, [name]: value })))
  }
  return (all as T[]).filter((tuning) => kernel.valid?.(shape, tuning, caps) ?? true)
}

/** A small seeded generator (xorshift32): the same numbers in every run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  u32(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }

  /** Uniform in [-scale, scale), exactly representable in f32. */
  f32(scale = 1): number {
    return Math.fround(((this.u32() >>> 8) / 2 ** 23 - 1) * scale)
  }

  below(n: number): number {
    return this.u32() % n
  }

  floats(length: number, scale = 1): Float32Array {
    return Float32Array.from({ length }, () => this.f32(scale))
  }
}

export const roundUp = (value: number, multiple: number): number =>
  Math.ceil(value / multiple) * multiple
