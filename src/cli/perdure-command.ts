import { Command, type Interfaces } from '@oclif/core'
import { ExitError } from '@oclif/core/errors'
import { PerdureError } from '../index.js'
import { checkFlags } from './check-flags.js'
import { EXIT, exitCodeOf } from './exit-codes.js'
import { hintsFor, typed } from './hints.js'
import { preferStronger } from './prefer-stronger.js'
import { type RegisteredBy, registerPlugins } from './registrations.js'
import { configFlag } from './setting-flags.js'
import { toldError } from './told-error.js'

/** What all commands have in common: the flag `--config`, and how errors are reported. */
export abstract class PerdureCommand extends Command {
  static override baseFlags = { config: configFlag }

  /** Tells what the package and its plugins have registered. */
  protected registered!: () => Promise<RegisteredBy>

  protected override async init(): Promise<void> {
    await super.init()
    // In place of oclif's, which throws.
    process.stdout.removeAllListeners('error').on('error', endOutput)
    this.registered = await registerPlugins(this.config, (error) => this.warn(error.message))
  }

  /** A command that takes `--url` works on one database: see {@link preferStronger}. */
  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const output = await super.parse<F, B, A>(options, argv)
    checkFlags(output, options?.flags ?? {})
    if (options?.flags !== undefined && 'url' in options.flags) {
      const given = output.raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : []))
      preferStronger(output.flags, new Set(given))
    }
    return output
  }

  /** An error of this package is told in its own words, without a stack, and with an exit code for its kind. */
  protected override async catch(error: Error & { exitCode?: number }): Promise<unknown> {
    if (error instanceof ExitError) process.exitCode = error.oclif.exit ?? EXIT.failure
    else if (this.jsonEnabled()) {
      const { exit, ...told } = toldError(error)
      this.logJson({ error: told })
      process.exitCode = exit
      return undefined
    }
    if (!(error instanceof PerdureError)) return super.catch(error)
    const suggestions = hintsFor(error, typed(this.config.bin), this.id)
    this.error(error.message, { code: error.code, exit: exitCodeOf(error.code), suggestions })
  }
}

/** Whoever reads the output may have seen enough, as `head` does. A disk may be full. */
function endOutput(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return
  process.stderr.write(`The output cannot be written: ${error.message}\n`)
  process.exit(EXIT.failure)
}
