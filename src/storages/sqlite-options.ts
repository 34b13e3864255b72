import { PerdureError } from '../core/errors.js'
import type { Durability } from '../workers/messages.js'

export interface SqliteStorageOptions {
  /**
   * Name of the serializer that makes the states. Kept in the database when it is created ('msgpack' if not said); an
   * existing one must have been created with the same, if one is named here.
   */
  readonly serializer?: string | undefined
  /** Only read. Another process may write meanwhile. Default false. */
  readonly readonly?: boolean | undefined
  /** What a resolved commit has survived: 'fsync' a power cut (default), 'os' the end of the process. */
  readonly durability?: Durability | undefined
  /** Memory of each connection for pages of the file, in bytes. Default 16 MiB. */
  readonly cacheBytes?: number | undefined
  /** Create the database if there is no file. Default true, unless readonly. */
  readonly createIfMissing?: boolean | undefined
}

/** Options with everything filled in but the serializer's name. */
export interface SqliteStorageSettings {
  readonly serializer: string | undefined
  readonly readonly: boolean
  readonly durability: Durability
  readonly cacheBytes: number
  readonly createIfMissing: boolean
}

const MIB = 1024 * 1024

/** What each option may be, in words and as a test. */
const RULES: Record<
  keyof SqliteStorageOptions,
  { readonly expected: string; readonly test: (value: unknown) => boolean }
> = {
  serializer: {
    expected: 'the name of a serializer: 1 to 31 characters out of a-z 0-9 - . _',
    test: (value) => typeof value === 'string' && /^[a-z0-9._-]{1,31}$/.test(value),
  },
  readonly: { expected: 'true or false', test: isBoolean },
  durability: { expected: "'fsync' or 'os'", test: (value) => value === 'fsync' || value === 'os' },
  cacheBytes: {
    expected: 'a number of bytes from 65536 to 2^40',
    test: (value) => Number.isSafeInteger(value) && (value as number) >= 65_536 && (value as number) <= 2 ** 40,
  },
  createIfMissing: { expected: 'true or false', test: isBoolean },
}

/** The names of all options. */
export const SQLITE_OPTIONS = Object.keys(RULES) as readonly (keyof SqliteStorageOptions)[]

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible */
export function checkSqliteOptions(options: SqliteStorageOptions): SqliteStorageSettings {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof SqliteStorageOptions] : undefined
    if (rule === undefined) {
      const known = SQLITE_OPTIONS.join(', ')
      throw new PerdureError('PERDURE_ARGUMENT', `A SqliteStorage has no option "${name}". Its options are: ${known}.`)
    }
    if (value !== undefined && !rule.test(value)) {
      throw new PerdureError('PERDURE_ARGUMENT', `The option "${name}" must be ${rule.expected}.`)
    }
  }
  const readonly = options.readonly ?? false
  return {
    serializer: options.serializer,
    readonly,
    durability: options.durability ?? 'fsync',
    cacheBytes: options.cacheBytes ?? 16 * MIB,
    createIfMissing: options.createIfMissing ?? !readonly,
  }
}
