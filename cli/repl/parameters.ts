/** How a chat's answers are chosen, as `/set` changes and `/show` lists it: the flags, with their own parsers. */
import { Command, type Option } from 'commander'
import type { GenerateOptions } from '../../engine/api.ts'
import { suggestion } from '../config/nearest.ts'
import { parseValue } from '../config/parse-value.ts'
import { UsageError } from '../exit.ts'
import { addSampling, type SamplingFlags, samplingFrom, several } from '../options.ts'

const OPTIONS = addSampling(new Command(), undefined).options

/** As the contract writes parameters. */
export const PARAMETERS: readonly string[] = OPTIONS.map(nameOf)

function nameOf(option: Option): string {
  return option.name().replaceAll('-', '_')
}

/**
 * Changes one.
 * @param text "default" takes it back
 * @throws UsageError for a name or a value that is none
 */
export function setParameter(flags: SamplingFlags, name: string, text: string): SamplingFlags {
  const wanted = name.replaceAll('-', '_').toLowerCase()
  const option = OPTIONS.find((each) => nameOf(each) === wanted)
  if (!option) {
    throw new UsageError(
      `There is no parameter ${JSON.stringify(name)}; ${suggestion(name, PARAMETERS)}`,
    )
  }
  const key = option.attributeName() as keyof SamplingFlags
  const { [key]: before, ...rest } = flags
  if (text === 'default') {
    const usual: unknown = option.defaultValue
    return usual === undefined ? rest : { ...rest, [key]: usual }
  }
  return { ...rest, [key]: readValue(option, text, before) }
}

function readValue(option: Option, text: string, before: unknown): unknown {
  if (option.isBoolean()) {
    if (text === 'on' || text === 'off') return text === 'on'
    throw new UsageError(`${nameOf(option)} is on or off.`)
  }
  if (text === '') throw new UsageError(`${nameOf(option)} needs a value, or "default".`)
  if (option.parseArg === several) return several(text, before as string[] | undefined)
  return parseValue(option, text, nameOf(option))
}

const WIDTH = Math.max(...PARAMETERS.map((name) => name.length))

/** A fact as `/show` lists it, in line with the parameters. */
export const shownLine = (name: string, value: string): string => `${name.padEnd(WIDTH)}  ${value}`

/** `temperature  0.7`, one a line; those that are the model's or the context's own say so. */
export function parameterLines(flags: SamplingFlags): string[] {
  const options: GenerateOptions = samplingFrom(flags)
  return OPTIONS.map((option) => {
    const value = options[option.attributeName() as keyof SamplingFlags]
    const unset = option.defaultValueDescription ?? 'not set'
    return shownLine(nameOf(option), value === undefined ? unset : JSON.stringify(value))
  })
}
