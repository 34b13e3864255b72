import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ServeOptions } from '../../src/server.js'

export const SERVING_PROCESS = fileURLToPath(new URL('./serving-process.js', import.meta.url))

/** A server in a process of its own. */
export class Serving {
  readonly urls: readonly string[]
  readonly process: ChildProcess
  /** The exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>

  private constructor(process: ChildProcess, ended: Promise<number | string>, urls: readonly string[]) {
    this.process = process
    this.ended = ended
    this.urls = urls
  }

  get url(): string {
    return this.urls[0] as string
  }

  static start(options: ServeOptions, path = ''): Promise<Serving> {
    const args = [SERVING_PROCESS, JSON.stringify({ listen: { port: 0 }, ...options }), path]
    return Serving.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  }

  /** Starts a command that runs the program, and resolves when it serves. */
  static async spawn(command: string, args: readonly string[], options: SpawnOptions): Promise<Serving> {
    const child = spawn(command, args, options)
    const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
    const [line] = (await once(createInterface(child.stdout as Readable), 'line')) as [string]
    const { urls, error } = JSON.parse(line)
    if (urls === undefined) throw new Error(`The server did not start: ${error}`)
    return new Serving(child, ended, urls)
  }

  /** Sends a signal, and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.process.kill(signal)
    return this.ended
  }
}
