import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { ExitError } from '@oclif/core/errors'
import { PerdureError } from '../index.js'
import { EXIT } from './exit-codes.js'

/**
 * A password: from a file, or typed twice without being shown, or from what comes through standard input. Never from
 * the command line, which other users of the machine can see.
 *
 * @param file its first line is the password; undefined for the other ways
 * @throws PerdureError `PERDURE_NOT_FOUND`; `PERDURE_ARGUMENT` if what is typed differs, or nothing is given
 */
export async function readPassword(file: string | undefined): Promise<string> {
  const password = file === undefined ? await typedOrPiped() : firstLine(fileText(file))
  if (password !== '') return password
  throw new PerdureError('PERDURE_ARGUMENT', 'There is no password: type it, pipe it, or give --password-file.')
}

async function typedOrPiped(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine(await text(process.stdin))
  const [first, second] = await askHidden(['Password: ', 'Once more: '])
  if (first === second) return first as string
  throw new PerdureError('PERDURE_ARGUMENT', 'The two passwords differ.')
}

/** Asks on standard error, and shows nothing of what is typed, not even of what is typed too early. */
async function askHidden(questions: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // From here to its end the terminal shows nothing by itself, so that comes before the first question.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  const answers: string[] = []
  try {
    return await new Promise((resolve, reject) => {
      process.stderr.write(questions[0] as string)
      lines.on('line', (line) => {
        answers.push(line)
        process.stderr.write(`\n${questions[answers.length] ?? ''}`)
        if (answers.length === questions.length) resolve(answers)
      })
      lines.once('SIGINT', () => reject(new ExitError(EXIT.interrupted)))
      lines.once('close', () => reject(new PerdureError('PERDURE_ARGUMENT', 'No password was typed.')))
    })
  } finally {
    lines.close()
  }
}

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PerdureError(
      'PERDURE_NOT_FOUND',
      `The password file ${path} cannot be read: ${(cause as Error).message}`,
      {
        details: { path },
        cause,
      },
    )
  }
}

function firstLine(content: string): string {
  return content.split(/\r?\n/, 1)[0] as string
}
