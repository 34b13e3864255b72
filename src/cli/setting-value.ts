import { PerdureError } from '../index.js'
import { type SettingName, settingOf } from './settings.js'

export type SettingValue = string | number | boolean

/**
 * A value as it stands in a configuration file, checked.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` that names `place`
 */
export function checkValue(name: SettingName, value: unknown, place: string): SettingValue {
  const { kind } = settingOf(name)
  const wanted = kind === 'integer' ? 'number' : kind
  if (typeof value !== wanted) throw wrong(name, value, place)
  return checkRange(name, value as SettingValue, place)
}

/**
 * A value as it stands in the environment, where all is text.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` that names `place`
 */
export function parseValue(name: SettingName, text: string, place: string): SettingValue {
  switch (settingOf(name).kind) {
    case 'string':
      return checkRange(name, text, place)
    case 'boolean':
      if (/^(1|true|yes|on)$/i.test(text)) return true
      if (/^(0|false|no|off)$/i.test(text)) return false
      throw wrong(name, text, place)
    default:
      if (text.trim() === '') throw wrong(name, text, place)
      if (Number.isNaN(Number(text))) throw wrong(name, text, place)
      return checkRange(name, Number(text), place)
  }
}

function checkRange(name: SettingName, value: SettingValue, place: string): SettingValue {
  const { kind, choices, min = -Infinity, max = Infinity } = settingOf(name)
  if (typeof value === 'number' && !(value >= min && value <= max)) throw wrong(name, value, place)
  if (value === '') throw wrong(name, value, place)
  if (kind === 'integer' && !Number.isSafeInteger(value)) throw wrong(name, value, place)
  if (choices !== undefined && !choices.includes(value as string)) throw wrong(name, value, place)
  return value
}

function wrong(name: SettingName, value: unknown, place: string): PerdureError {
  return new PerdureError(
    'PERDURE_ARGUMENT',
    `${place}: ${name} cannot be ${JSON.stringify(value)}; it is ${expected(name)}.`,
  )
}

function expected(name: SettingName): string {
  const { kind, choices, min, max } = settingOf(name)
  if (choices !== undefined) return `one of ${choices.join(', ')}`
  if (kind === 'boolean') return 'true or false'
  if (kind === 'string') return 'a text that is not empty'
  const bounds = [min === undefined ? '' : ` from ${min}`, max === undefined ? '' : ` to ${max}`].join('')
  return `a ${kind === 'integer' ? 'whole ' : ''}number${bounds}`
}
