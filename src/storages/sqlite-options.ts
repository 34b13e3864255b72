import type { Durability } from '../workers/messages.js'
import { checkRules, DURABILITY, isBytes, type OptionRule, SWITCH } from './option-rules.js'

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
const RULES: Record<keyof SqliteStorageOptions, OptionRule> = {
  serializer: {
    expected: 'the name of a serializer: 1 to 31 characters out of a-z 0-9 - . _',
    test: (value) => typeof value === 'string' && /^[a-z0-9._-]{1,31}$/.test(value),
  },
  readonly: SWITCH,
  durability: DURABILITY,
  cacheBytes: {
    expected: 'a number of bytes from 65536 to 2^40',
    test: isBytes(65_536, 2 ** 40),
  },
  createIfMissing: SWITCH,
}

/** The names of all options. */
export const SQLITE_OPTIONS = Object.keys(RULES) as readonly (keyof SqliteStorageOptions)[]

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible */
export function checkSqliteOptions(options: SqliteStorageOptions): SqliteStorageSettings {
  checkRules('SqliteStorage', RULES, options)
  const readonly = options.readonly ?? false
  return {
    serializer: options.serializer,
    readonly,
    durability: options.durability ?? 'fsync',
    cacheBytes: options.cacheBytes ?? 16 * MIB,
    createIfMissing: options.createIfMissing ?? !readonly,
  }
}
