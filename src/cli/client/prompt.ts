import { chmodSync, closeSync, openSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { AsyncCompleter } from 'node:readline'
import { type REPLServer, start } from 'node:repl'
import { render, wantsColors } from '../render.js'
import { completeKeys } from './complete-keys.js'

/** Where the lines typed are kept for the next time, unless `PERDURE_HISTORY` names another file; '' for nowhere. */
function historyPath(): string {
  return process.env['PERDURE_HISTORY'] ?? join(homedir(), '.perdure_history')
}

/** How a prompt went. */
export interface PromptResult {
  /** Whether something that was typed has thrown. */
  readonly failed: boolean
}

/**
 * Reads code from the terminal and shows what it gives, as Node.js's own prompt does, until input ends. With a history,
 * and completion of keys: `root.get('a<Tab>`.
 */
export async function runPrompt(): Promise<PromptResult> {
  const terminal = process.stdout.isTTY
  const colors = wantsColors()
  const server = start({
    prompt: 'perdure> ',
    terminal,
    useGlobal: true,
    // Otherwise nothing would end the wait for what never comes, or a loop.
    breakEvalOnSigint: true,
    ignoreUndefined: true,
    writer: (value: unknown) => render(value, colors),
  })
  addKeyCompletion(server)
  if (terminal) await keepHistory(server)
  await new Promise((resolve) => server.once('exit', resolve))
  // Documented as the last error that was thrown: https://nodejs.org/api/repl.html
  return { failed: server.context['_error'] !== undefined }
}

function addKeyCompletion(server: REPLServer): void {
  const usual = server.completer as AsyncCompleter
  Object.assign(server, {
    completer: (line: string, done: Parameters<AsyncCompleter>[1]) => {
      const keys = completeKeys(line, server.context)
      if (keys === undefined) usual.call(server, line, done)
      else done(null, keys)
    },
  })
}

/** The file may hold what nobody else should read. */
async function keepHistory(server: REPLServer): Promise<void> {
  const path = historyPath()
  if (path === '') return
  try {
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
  } catch {
    return // A home folder that cannot be written to is no reason not to work.
  }
  await new Promise<void>((resolve) => server.setupHistory(path, () => resolve()))
}
