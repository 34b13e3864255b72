import { realpathSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Database, open, PerdureError } from '../../index.js'
import { type RunningServer, type ServeOptions, serve } from '../../server.js'
import { settingsIn } from '../effective-settings.js'
import { fileError } from '../file-error.js'
import { announce, forget } from './run-files.js'

/** How a server is to be started. */
export interface StartOptions {
  /** Undefined for a temporary database. */
  readonly file: string | undefined
  /** Options of `open()` for the storage. */
  readonly storage: Readonly<Record<string, unknown>>
  readonly serve: ServeOptions
  readonly pidFile: string | undefined
  /** What stands behind `perdure db start`, for a restart. */
  readonly args: readonly string[]
  readonly logFile: string | undefined
}

/** A server in this process. */
export interface StartedServer {
  readonly server: RunningServer
  /** Resolves when the server has stopped and its database is closed. */
  readonly closed: Promise<void>
}

/**
 * Serves a database, and lets `perdure db stop` and others know of it. A new database gets its root object, so that
 * the first client may be one that only reads.
 *
 * @throws PerdureError as `open()` and `serve()` do; `PERDURE_PERMISSION` and others if it cannot be said that it runs
 */
export async function startServer(options: StartOptions): Promise<StartedServer> {
  const database = await openDatabase(options)
  let server: RunningServer | undefined
  try {
    server = await serve(database?.storage ?? options.file, {
      ...options.serve,
      // An open storage takes no options any more.
      ...(database === undefined ? options.storage : {}),
    })
    tell(server, options)
  } catch (error) {
    await server?.stop()
    await database?.close()
    throw error
  }
  const closed = server.closed.finally(async () => {
    await database?.close()
    forget(process.pid)
    if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
  })
  return { server, closed }
}

/** Says that the server runs, where those who look for it do. */
function tell(server: RunningServer, { file, args, logFile, pidFile }: StartOptions): void {
  if (pidFile !== undefined) {
    try {
      writeFileSync(pidFile, `${process.pid}\n`)
    } catch (cause) {
      throw fileError(cause, pidFile, `The pid file ${pidFile} cannot be written`)
    }
  }
  announce({
    pid: process.pid,
    urls: server.addresses.map(({ url }) => url),
    file: file === undefined ? undefined : realpathSync(file),
    args,
    cwd: process.cwd(),
    environment: settingsIn(process.env),
    logFile: logFile === undefined ? undefined : resolve(logFile),
    pidFile: pidFile === undefined ? undefined : resolve(pidFile),
    since: new Date().toISOString(),
  })
}

/** Undefined for a database of Durus programs, whose objects only they understand. */
async function openDatabase({ file, storage }: StartOptions): Promise<Database | undefined> {
  if (storage['serializer'] === 'pickle') return undefined
  try {
    return (await open(file, storage)) as unknown as Database
  } catch (error) {
    if (error instanceof PerdureError && error.details['stored'] === 'pickle') return undefined
    throw error
  }
}
