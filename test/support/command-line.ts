import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { PACKAGE } from './documented-programs.js'

/** What a run of `perdure` gave. */
export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  /** Exit code; undefined if a signal ended it. */
  readonly code: number | undefined
}

export interface CommandOptions {
  /** What comes through standard input. Default: nothing. */
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const BIN = join(PACKAGE, 'bin', 'perdure.js')

/** Runs `perdure` as people do, in a process of its own, with none of the caller's settings. */
export async function perdure(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { input = '', cwd } = options
  const env = { ...withoutSettings(process.env), NO_COLOR: '1', ...options.env }
  const child = spawn(process.execPath, [BIN, ...args], { env, ...(cwd !== undefined && { cwd }) })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text))
  // It may end before it has read everything.
  child.stdin.on('error', () => {}).end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ ...output, code: code ?? undefined }))
  })
}

/** An environment without the settings of who runs the tests, and without what npm says of itself. */
export function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(PERDURE|npm)_/.test(name)))
}
