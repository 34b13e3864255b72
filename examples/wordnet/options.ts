import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

export const USAGE = `Usage: npm run example:wordnet -- [options] [WORD [OTHER]]

Stores WordNet, then opens it again in another process and follows words through it:
the hypernyms of WORD (dog), and the shortest path from WORD to OTHER (philosopher).

  --file PATH        keep the database at PATH; otherwise it is temporary
  --serializer NAME  msgpack (default), cbor or devalue
  --limit N          store only the first N synsets of each part of speech
  --step STEP        do only one step, with a --file: load or read
  --help             show this`

export interface Options {
  readonly file: string
  readonly temporary: boolean
  readonly serializer: 'msgpack' | 'cbor' | 'devalue'
  readonly limit: number
  /** Undefined: both, one after the other, each in a process of its own. */
  readonly step: 'load' | 'read' | undefined
  readonly word: string
  readonly other: string
}

/** What the user asked for cannot be done; the message says why. */
export class UsageError extends Error {}

/**
 * @returns undefined if help was asked for
 * @throws UsageError if an option is unknown or its value unfit
 */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  const [word = 'dog', other = 'philosopher', ...rest] = positionals
  if (rest.length > 0) {
    throw new UsageError(`Give at most two words, not ${positionals.length}. Put words with spaces in quotes.`)
  }
  const step = oneOf('step', values.step, ['load', 'read'])
  if (step !== undefined && values.file === undefined) throw new UsageError('--step needs a --file to work on.')
  return {
    file: values.file ?? join(tmpdir(), `wordnet-${process.pid}.perdure`),
    temporary: values.file === undefined,
    serializer: oneOf('serializer', values.serializer, ['msgpack', 'cbor', 'devalue']) ?? 'msgpack',
    limit: values.limit === undefined ? Number.POSITIVE_INFINITY : positiveInteger('limit', values.limit),
    step,
    word: word.toLowerCase(),
    other: other.toLowerCase(),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        serializer: { type: 'string' },
        limit: { type: 'string' },
        step: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function oneOf<T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined || (allowed as readonly string[]).includes(value)) return value as T | undefined
  throw new UsageError(`--${name} is one of ${allowed.join(', ')}, not ${JSON.stringify(value)}.`)
}

function positiveInteger(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--${name} is a whole number from 1 on, not ${JSON.stringify(text)}.`)
}
