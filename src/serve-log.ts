import { type DestinationStream, type Logger, pino } from 'pino'
import { type ErrorCode, PerdureError, systemCode } from './core/errors.js'
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

type Destination = ReturnType<typeof pino.destination>

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

const OPEN_ERRORS: Record<string, readonly [ErrorCode, string]> = {
  EACCES: ['PERDURE_PERMISSION', 'Check the permissions of the file and of its folder.'],
  ENOENT: ['PERDURE_NOT_FOUND', 'Create the folder.'],
}

/** How long the end of a server waits for the last lines. */
const CLOSE_TIMEOUT_MS = 2000

/** The log of a server: JSON, a line for each event. A server without one is silent. */
export class ServeLog implements ServerLog {
  readonly #logger: Logger
  /** Of a log that is no stream of somebody else's. */
  readonly #output: Destination | undefined
  readonly #path: string | undefined
  #closed = false

  private constructor(logger: Logger, output?: Destination, path?: string) {
    this.#logger = logger
    this.#output = output
    this.#path = path
    // A full disk, or a reader that has gone, must not end the server.
    output?.on('error', () => {})
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
    const output = pino.destination({ dest: destination, sync: false, mode: 0o640, maxLength: MAX_WAITING_BYTES })
    if (typeof destination === 'number') return new ServeLog(pino(settings, output), output)
    try {
      await opened(output, destination)
    } catch (error) {
      // Otherwise pino would write to it when the process ends, and fail.
      Object.assign(output, { destroyed: true })
      throw error
    }
    return new ServeLog(pino(settings, output), output, destination)
  }

  /** Something that the server does as a whole. */
  note(level: 'info' | 'warn' | 'error', event: string, fields: object, message: string): void {
    if (!this.#closed) this.#logger[level]({ event, ...fields }, message)
  }

  write(event: ServerEvent): void {
    if (!this.#closed) this.#logger[LEVELS[event.event]](fieldsOf(event))
  }

  /**
   * Begins a new file at the same path, after somebody has moved the old one away.
   *
   * @throws PerdureError as {@link open}; the log goes on in the old file
   */
  async reopen(): Promise<void> {
    if (this.#output === undefined || this.#path === undefined) return
    const done = opened(this.#output, this.#path)
    this.#output.reopen()
    await done
  }

  /** Writes what is left, as far as that can be done, and closes the file. May be called more than once. */
  async close(): Promise<void> {
    const output = this.#output
    if (output === undefined || this.#closed) return
    this.#closed = true
    const ended = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)
      const done = (): void => {
        clearTimeout(timer)
        resolve()
      }
      output.once('close', done)
      output.once('error', done)
    })
    output.end()
    await ended
    // Otherwise what could not be written would be tried again, for ever, when the process ends.
    output.destroy()
  }
}

function fieldsOf(event: ServerEvent): object {
  if (!('error' in event)) return event
  const { error, ...fields } = event
  if (LEVELS[event.event] === 'error') return { ...fields, err: error }
  return { ...fields, ...reasonOf(error) }
}

/** An error without its stack, which says nothing where the peer has caused it. */
export function reasonOf(error: Error | undefined): object {
  if (error === undefined) return {}
  const { cause } = error
  return {
    reason: error.message,
    code: error instanceof PerdureError ? error.code : systemCode(error),
    ...(cause instanceof Error ? { cause: cause.message } : {}),
  }
}

/** Resolves when the file has been opened, or opened anew. */
function opened(output: Destination, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onReady = (): void => {
      output.off('error', onError)
      resolve()
    }
    const onError = (error: Error): void => {
      output.off('ready', onReady)
      const system = systemCode(error) ?? 'unknown'
      const [code, advice] = OPEN_ERRORS[system] ?? ['PERDURE_IO' as const, 'The disk may be failing.']
      reject(
        new PerdureError(code, `Cannot write the log ${path} (${system}). ${advice}`, {
          details: { path, system },
          cause: error,
        }),
      )
    }
    output.once('ready', onReady)
    output.once('error', onError)
  })
}
