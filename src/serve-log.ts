import { type DestinationStream, type Logger, pino } from 'pino'
import { PerdureError, systemCode } from './core/errors.js'
import type { ServerEvent, ServerLog } from './server/server-log.js'

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

export interface LogOptions {
  /**
   * What is written: connections, packs and what the server does at `info`, refused connections at `warn`, failures at
   * `error`, commits and conflicts at `debug`. Default 'info'.
   */
  readonly level?: LogLevel | undefined
  /** A file, which is appended to; a descriptor; or a stream that takes lines. Default 1, the standard output. */
  readonly destination?: string | number | DestinationStream | undefined
}

export const LOG_LEVELS: readonly unknown[] = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']

/** Nothing that is logged has such fields. If something has by mistake, its value is not shown. */
const SECRETS = ['password', 'key', 'secret', 'proof', 'storedKey', 'serverKey', 'clientKey', 'salt', 'data', 'token']

/** Fields of these names, at the top, in an error, in its details, or in its cause. */
const REDACTED = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`])

type SonicBoom = ReturnType<typeof pino.destination>

const LEVELS: Record<ServerEvent['event'], 'debug' | 'info' | 'warn' | 'error'> = {
  connected: 'debug',
  welcomed: 'info',
  disconnected: 'info',
  refused: 'warn',
  authenticationFailed: 'warn',
  committed: 'debug',
  conflict: 'debug',
  packed: 'info',
  packFailed: 'error',
  requestFailed: 'error',
  stopRequested: 'info',
}

/** What is kept of what cannot be written just now. The rest is dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** The log of a server: JSON, a line for each event. A server without one is silent. */
export class ServeLog implements ServerLog {
  readonly #logger: Logger
  readonly #file: SonicBoom | undefined

  private constructor(logger: Logger, file?: SonicBoom) {
    this.#logger = logger
    this.#file = file
  }

  /** @throws PerdureError `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND` or `PERDURE_IO` if the file cannot be written */
  static async open(options: LogOptions | undefined): Promise<ServeLog> {
    const { level = 'info', destination = 1 } = options ?? { level: 'silent' }
    const settings = {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: REDACTED,
      formatters: { level: (label: string) => ({ level: label }) },
    }
    if (level === 'silent') return new ServeLog(pino(settings))
    if (typeof destination === 'object') return new ServeLog(pino(settings, destination))
    const file = pino.destination({ dest: destination, sync: false, mode: 0o640, maxLength: MAX_WAITING_BYTES })
    await opened(file, destination)
    // A full disk must not end the server.
    file.on('error', () => {})
    return new ServeLog(pino(settings, file), file)
  }

  /** Something that the server does as a whole. */
  note(level: 'info' | 'warn' | 'error', event: string, fields: object, message: string): void {
    this.#logger[level]({ event, ...fields }, message)
  }

  write(event: ServerEvent): void {
    this.#logger[LEVELS[event.event]](fieldsOf(event))
  }

  /** Begins a new file at the same path, after somebody has moved the old one away. */
  reopen(): void {
    this.#file?.reopen()
  }

  /** Writes what is left, and closes the file. */
  close(): void {
    try {
      this.#file?.flushSync()
    } catch {
      // The disk is full, or nobody reads any more; there is nowhere left to say so.
    }
    this.#file?.end()
  }
}

function fieldsOf(event: ServerEvent): object {
  if (!('error' in event)) return event
  const { error, ...fields } = event
  if (LEVELS[event.event] === 'error') return { ...fields, err: error }
  return { ...fields, ...reasonOf(error) }
}

/** Of an error that the peer has caused, the stack says nothing. */
function reasonOf(error: Error | undefined): object {
  if (error === undefined) return {}
  const { cause } = error
  return {
    reason: error.message,
    code: error instanceof PerdureError ? error.code : systemCode(error),
    ...(cause instanceof Error ? { cause: cause.message } : {}),
  }
}

function opened(file: SonicBoom, destination: string | number): Promise<void> {
  if (typeof destination === 'number') return Promise.resolve()
  return new Promise((resolve, reject) => {
    file.once('ready', resolve)
    file.once('error', (error) => {
      const system = systemCode(error) ?? 'unknown'
      const code = { EACCES: 'PERDURE_PERMISSION', ENOENT: 'PERDURE_NOT_FOUND' }[system] ?? 'PERDURE_IO'
      reject(
        new PerdureError(code as 'PERDURE_IO', `Cannot write the log ${destination} (${system}). Check the path.`, {
          details: { path: destination, system },
          cause: error,
        }),
      )
    })
  })
}
