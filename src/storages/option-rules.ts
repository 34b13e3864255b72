import { PerdureError } from '../core/errors.js'

/** What an option may be, in words and as a test. */
export interface OptionRule {
  readonly expected: string
  readonly test: (value: unknown) => boolean
}

/** Of an option that is either there or not. */
export const SWITCH: OptionRule = { expected: 'true or false', test: (value) => typeof value === 'boolean' }

/** Of the option `durability`. */
export const DURABILITY: OptionRule = {
  expected: "'fsync' or 'os'",
  test: (value) => value === 'fsync' || value === 'os',
}

/** Whether a value is a whole number of bytes within these limits, themselves included. */
export function isBytes(least: number, most: number): (value: unknown) => boolean {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

/**
 * Refuses options that do not exist or are not what their rules demand. Values are not repeated: they may be secret.
 *
 * @param storage name of the class, for the message
 * @throws PerdureError `PERDURE_ARGUMENT`
 */
export function checkRules(storage: string, rules: Readonly<Record<string, OptionRule>>, options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) {
      const known = Object.keys(rules).join(', ')
      throw new PerdureError('PERDURE_ARGUMENT', `A ${storage} has no option "${name}". Its options are: ${known}.`)
    }
    if (value !== undefined && !rule.test(value)) {
      throw new PerdureError('PERDURE_ARGUMENT', `The option "${name}" must be ${rule.expected}.`)
    }
  }
}
