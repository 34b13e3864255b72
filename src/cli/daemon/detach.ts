import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { PerdureError } from '../../index.js'

/**
 * Starts `perdure db start` in the background, and waits until it is ready.
 *
 * @param args what stands behind `perdure db start`
 * @param logFile where what it writes to standard error goes, its log included; nowhere unless given
 * @returns the lines it has printed
 * @throws PerdureError `PERDURE_IO` with what it has printed, if it ends before it is ready
 */
export async function detach(args: readonly string[], logFile?: string): Promise<string[]> {
  const bin = process.argv[1] as string
  const log = logFile === undefined ? 'ignore' : openSync(logFile, 'a', 0o640)
  const child = spawn(process.execPath, [bin, 'db', 'start', ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', logFile === undefined ? 'pipe' : log, 'ipc'],
  })
  if (typeof log === 'number') closeSync(log)
  const output = { text: '', errors: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.text += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.errors += text))
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('error', reject)
    child.once('close', () => {
      const why = output.errors.trim() || (logFile === undefined ? 'it said nothing' : `see ${logFile}`)
      reject(new PerdureError('PERDURE_IO', `The server did not start: ${why}`))
    })
  })
  child.disconnect()
  child.stdout?.destroy()
  child.stderr?.destroy()
  child.unref()
  return [...output.text.trimEnd().split('\n'), `Running in the background, pid ${child.pid}.`]
}
