import { Command } from '@oclif/core'
import { PerdureError } from '../index.js'
import { exitCodeOf } from './exit-codes.js'
import { type RegisteredBy, registerPlugins } from './registrations.js'
import { configFlag } from './setting-flags.js'

/** What all commands have in common: the flag `--config`, and how errors are reported. */
export abstract class PerdureCommand extends Command {
  static override baseFlags = { config: configFlag }

  /** Tells what the package and its plugins have registered. */
  protected registered!: () => Promise<RegisteredBy>

  protected override async init(): Promise<void> {
    await super.init()
    this.registered = await registerPlugins(this.config, (error) => this.warn(error.message))
  }

  /** An error of this package is told in its own words, without a stack, and with an exit code for its kind. */
  protected override async catch(error: Error & { exitCode?: number }): Promise<unknown> {
    if (!(error instanceof PerdureError)) return super.catch(error)
    const exit = exitCodeOf(error.code)
    if (this.jsonEnabled()) {
      const { code, message, details } = error
      this.logJson({ error: { code, message, details } })
      process.exitCode = exit
      return undefined
    }
    this.error(error.message, { code: error.code, exit })
  }
}
