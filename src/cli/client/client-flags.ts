import { Flags } from '@oclif/core'
import { booleanFlag, integerFlag, stringFlag } from '../setting-flags.js'
import { type AccessFlags, openTarget, targetFlags } from '../target.js'
import type { ClientOptions } from './run-client.js'

/** Flags of the commands that give a prompt. */
export const clientFlags = {
  ...targetFlags,
  readonly: booleanFlag('readonly'),
  'cache-size': integerFlag('cacheSize'),
  startup: stringFlag('startup'),
  classes: stringFlag('classes'),
  eval: Flags.string({
    char: 'e',
    summary: 'Run this code, where await is allowed, show the value of its last expression, and exit.',
  }),
}

/** What {@link clientFlags} come to. */
interface GivenFlags extends AccessFlags {
  readonly readonly: boolean
  readonly 'cache-size'?: number | undefined
  readonly startup?: string | undefined
  readonly classes?: string | undefined
  readonly eval?: string | undefined
}

/** @param database the argument, if there is one */
export function clientOptions(flags: GivenFlags, database: string | undefined): ClientOptions {
  return {
    open: (options) => openTarget(flags, database, options),
    readonly: flags.readonly,
    cacheSize: flags['cache-size'],
    startup: flags.startup,
    classes: flags.classes,
    code: flags.eval,
  }
}
