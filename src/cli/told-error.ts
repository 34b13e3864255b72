import { CLIError } from '@oclif/core/errors'
import { PerdureError } from '../index.js'
import { EXIT, exitCodeOf } from './exit-codes.js'

/** An error as `perdure` tells it. */
export interface ToldError {
  /** That of a PerdureError; of another error its name. */
  readonly code: string
  readonly message: string
  readonly details: object
  /** With what the process ends. */
  readonly exit: number
}

/** Any error in the form that `--json` has for all: what oclif says of a command line is long, and holds its whole inside. */
export function toldError(error: Error): ToldError {
  const { message } = error
  if (error instanceof PerdureError) {
    return { code: error.code, message, details: error.details, exit: exitCodeOf(error.code) }
  }
  if (error instanceof CLIError) {
    const said = message.replace(/\s*See more help with --help$/, '')
    return { code: 'PERDURE_ARGUMENT', message: said, details: {}, exit: error.oclif.exit ?? EXIT.usage }
  }
  return { code: error.name, message, details: {}, exit: EXIT.failure }
}
