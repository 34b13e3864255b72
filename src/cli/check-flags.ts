import type { Interfaces } from '@oclif/core'
import { PerdureError } from '../index.js'
import { parseValue } from './setting-value.js'
import { flagName, SETTING_NAMES, variableName } from './settings.js'

type Output = Interfaces.ParserOutput<Interfaces.OutputFlags<Interfaces.FlagInput>>

/**
 * Looks at what oclif lets through: an empty text, which would be taken for the current folder, and a variable that is
 * neither true nor false, which would be taken for false.
 *
 * @param known the flags of the command
 * @throws PerdureError `PERDURE_ARGUMENT` naming the flag, the argument or the variable
 */
export function checkFlags({ flags, args, raw }: Output, known: Interfaces.FlagInput): void {
  const given = new Set(raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : [])))
  for (const name of SETTING_NAMES) {
    const flag = flagName(name)
    if (known[flag] === undefined) continue
    if (flags[flag] === '') throw empty(`--${flag}`)
    const variable = variableName(name)
    const text = process.env[variable]
    if (known[flag].type === 'boolean' && text && !given.has(flag)) flags[flag] = parseValue(name, text, variable)
  }
  for (const name of ['database', 'file']) if (args[name] === '') throw empty(`The ${name}`)
}

function empty(what: string): PerdureError {
  return new PerdureError('PERDURE_ARGUMENT', `${what} cannot be empty.`)
}
