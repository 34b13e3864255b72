import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { StartMessage } from '../../src/cli/daemon/detach.js'
import { type CommandResult, perdure, withoutSettings } from './command-line.js'
import { PACKAGE } from './documented-programs.js'
import { TemporaryDirectory } from './temporary-directory.js'

/** A server that `perdure db start` runs in the foreground. */
export interface ServerCommand {
  readonly pid: number
  /** Where it listens, as it has said. */
  readonly urls: readonly string[]
  /** The first of them. */
  readonly url: string
  /** All that it has written to standard output so far. */
  output(): string
  /** All that it has written to standard error so far. */
  errors(): string
  /** Sends a signal, and gives the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
  /** Its exit code, when it has ended. */
  readonly ended: Promise<number | null>
}

/** A folder where servers run and say so, apart from those of the user. */
export class ServerCommands {
  readonly directory = new TemporaryDirectory()
  readonly env: Readonly<Record<string, string>>
  readonly #children: ChildProcess[] = []

  constructor() {
    const { path } = this.directory
    this.env = { XDG_RUNTIME_DIR: path, XDG_DATA_HOME: path, XDG_CONFIG_HOME: path, XDG_CACHE_HOME: path, HOME: path }
  }

  /** Runs `perdure` in this folder. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Promise<CommandResult> {
    return perdure(args, { cwd: this.directory.path, env: { ...this.env, ...env }, input })
  }

  /** Starts a server; without an address among the arguments, at a free port. Rejects if it ends at once. */
  async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerCommand> {
    const child = spawn(process.execPath, [join(PACKAGE, 'bin/perdure.js'), 'db', 'start', ...args], {
      cwd: this.directory.path,
      env: { ...withoutSettings(process.env), PERDURE_PORT: '0', ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#children.push(child)
    const output = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (text) => (output.stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text) => (output.stderr += text))
    // A process with a channel that has been disconnected never tells of its 'close'.
    const streams = [child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream?.once('end', resolve)))
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const ended = exited.then((code) => Promise.all(streams).then(() => code))
    const lines = await new Promise<string[]>((resolve, reject) => {
      child.once('message', (message: StartMessage) => 'lines' in message && resolve(message.lines))
      void ended.then((code) => reject(new Error(`The server ended with ${code}: ${output.stderr}`)))
    })
    child.disconnect()
    const urls = lines.flatMap((line) => /^Serving .* at (\S+)$/.exec(line)?.[1] ?? [])
    return {
      pid: child.pid as number,
      urls,
      url: urls[0] as string,
      output: () => output.stdout,
      errors: () => output.stderr,
      end: (signal = 'SIGTERM') => {
        child.kill(signal)
        return ended
      },
      ended,
    }
  }

  /** Ends all servers in the foreground, and removes the folder. */
  async remove(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGKILL')
        return ended
      }),
    )
    this.directory.remove()
  }
}
