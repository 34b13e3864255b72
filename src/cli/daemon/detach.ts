import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ErrorCode, PerdureError } from '../../index.js'
import { fileError } from '../file-error.js'
import type { ToldError } from '../told-error.js'
import { runDirectory } from './run-files.js'

/** How a server is to be started in the background. */
export interface DetachOptions {
  /** What stands behind `perdure db start`. */
  readonly args: readonly string[]
  /** Where it logs to, if that has been said. */
  readonly logFile?: string | undefined
  /** Where it leaves its number, if that has been said. */
  readonly pidFile?: string | undefined
  /** Its database file; undefined for a temporary database. */
  readonly file: string | undefined
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv
}

/**
 * Starts `perdure db start` in the background, and waits until it is ready. Unless told otherwise it logs to a file
 * beside the database, with .log behind its name, and leaves its number in another one, with .pid; with a temporary database, where servers say that they run.
 *
 * @returns the lines it has printed, and what there is to say of it
 * @throws PerdureError what the server throws; `PERDURE_IO` with what it has printed, if it ends without a word
 */
export async function detach({ args, logFile, pidFile, file, env = process.env }: DetachOptions): Promise<string[]> {
  const bin = process.argv[1] as string
  const log = logFile ?? (file === undefined ? join(runDirectory(), 'temporary.log') : `${file}.log`)
  const more = [
    ...(logFile === undefined ? ['--log-file', log] : []),
    ...(pidFile === undefined && file !== undefined ? ['--pid-file', `${file}.pid`] : []),
  ]
  const descriptor = openLog(log)
  const { size } = fstatSync(descriptor)
  const child = spawn(process.execPath, [bin, 'db', 'start', ...args, ...more], {
    detached: true,
    // What a broken program writes goes to the log as well.
    stdio: ['ignore', 'ignore', descriptor, 'ipc'],
    env,
  })
  closeSync(descriptor)
  const lines = await new Promise<string[]>((resolve, reject) => {
    child.once('message', (message: StartMessage) => {
      if ('lines' in message) resolve(message.lines)
      else reject(refused(message.error))
    })
    child.once('error', reject)
    child.once('close', () => {
      reject(new PerdureError('PERDURE_IO', `The server did not start: ${errorsIn(log, size)}`))
    })
  })
  child.disconnect()
  child.unref()
  return [...lines, `Running in the background, pid ${child.pid}, log ${log}`]
}

/** What a server tells who has started it in the background. */
export type StartMessage = { readonly lines: string[] } | { readonly error: ToldError }

function refused({ code, message, details }: ToldError): PerdureError {
  return new PerdureError(code as ErrorCode, `The server did not start: ${message}`, { details: { ...details } })
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o640)
  } catch (cause) {
    throw fileError(cause, path, `The log ${path} cannot be written`)
  }
}

/** What stands in a log from some byte on for people, in one line. What begins with a brace is for programs. */
function errorsIn(path: string, from: number): string {
  const lines = readFileSync(path).subarray(from).toString().split('\n')
  const words = lines.filter((line) => !line.startsWith('{')).join(' ')
  return words.replace(/\s+(›\s+)?/g, ' ').trim() || `see ${path}`
}
