import { text } from 'node:stream/consumers'
import type { Database, OpenOptions, PersistentMap } from '../../index.js'
import { render, wantsColors } from '../render.js'
import { defineNames } from './client-names.js'
import { evaluate } from './evaluate.js'
import { importClasses, importModule } from './import-classes.js'

export interface ClientOptions {
  /** Opens the database, which must exist. */
  readonly open: (options: OpenOptions) => Promise<Database<PersistentMap>>
  readonly readonly: boolean
  readonly cacheSize: number | undefined
  /** A module that is imported first; what it exports can be used by name. */
  readonly startup: string | undefined
  /** A module whose persistent classes are registered; what it exports can be used by name. */
  readonly classes: string | undefined
  /** Code to run instead of a prompt. Without it, what comes through a pipe is run. */
  readonly code: string | undefined
  /** What else stands at the user's disposal. */
  readonly moreNames?: (db: Database<PersistentMap>) => object
}

/**
 * Opens a database, which must exist, and lets the user work with it.
 *
 * @throws PerdureError as `open()` does; whatever `code` throws
 */
export async function runClient(options: ClientOptions): Promise<{ readonly failed: boolean }> {
  const { exports, classes } = options.classes === undefined ? NOTHING : await importClasses(options.classes)
  await using db = await options.open({
    classes,
    ...(options.readonly && { readonly: true }),
    ...(options.cacheSize !== undefined && { cacheSize: options.cacheSize }),
  })
  await using connection = await db.connect()
  defineNames(globalThis, db, connection, [exports, options.moreNames?.(db) ?? {}])
  if (options.startup !== undefined) Object.assign(globalThis, await importModule(options.startup))
  const code = options.code ?? (process.stdin.isTTY ? undefined : await text(process.stdin))
  if (code === undefined) {
    const { runPrompt } = await import('./prompt.js')
    // Awaited here, because the database is closed when this function returns.
    return await runPrompt()
  }
  const value = await evaluate(code, options.code === undefined ? '[stdin]' : '[eval]')
  const shown = typeof value === 'string' ? value : render(value, wantsColors())
  if (value !== undefined) process.stdout.write(`${shown}\n`)
  return { failed: false }
}

const NOTHING = { exports: {}, classes: [] } as const
