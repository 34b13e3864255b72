import { closeSync, openSync, readSync } from 'node:fs'
import { PerdureError } from '../../index.js'

/** The terminal of this process, whatever its standard input is. */
const TERMINAL = '/dev/tty'

/**
 * Asks on the terminal whether to go on. It blocks the thread, because the prompt takes no input while it waits for
 * what has been typed there to end.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` unless the answer is `yes`
 */
export function confirm(question: string): void {
  const { isRaw } = process.stdin
  // The terminal then shows what is typed, and gives whole lines: first this, so that no answer comes too early.
  if (isRaw) process.stdin.setRawMode(false)
  try {
    process.stderr.write(`${question} Type yes to go on: `)
    if (readLine() === 'yes') return
  } finally {
    if (isRaw) process.stdin.setRawMode(true)
  }
  throw new PerdureError('PERDURE_ARGUMENT', 'Nothing has been done: that was not yes.')
}

function readLine(): string {
  const terminal = openSync(TERMINAL, 'r')
  try {
    const bytes = Buffer.alloc(1024)
    return bytes.toString('utf8', 0, readSync(terminal, bytes)).trim()
  } finally {
    closeSync(terminal)
  }
}
