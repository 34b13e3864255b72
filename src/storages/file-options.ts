import type { Durability } from '../workers/messages.js'
import { checkRules, DURABILITY, isBytes, type OptionRule, SWITCH } from './option-rules.js'

export interface FileStorageOptions {
  /**
   * Name of the serializer that makes the states. Kept in the file when it is created ('msgpack' if not said); an
   * existing file must have been created with the same, if one is named here.
   */
  readonly serializer?: string | undefined
  /** Only read. No lock is needed, and another process may write meanwhile. Default false. */
  readonly readonly?: boolean | undefined
  /** What a resolved commit has survived: 'fsync' a power cut (default), 'os' the end of the process. */
  readonly durability?: Durability | undefined
  /** 'paged' (default): load the oid index as it is needed. 'memory': load it all when opening. */
  readonly index?: 'paged' | 'memory' | undefined
  /** Memory of this handle for blocks of the file, in bytes. Default 16 MiB. */
  readonly blockCacheBytes?: number | undefined
  /** Create the database if there is no file. Default true, unless readonly. */
  readonly createIfMissing?: boolean | undefined
  /** Bytes of journal after which a new checkpoint of the index is written. Default 64 MiB. */
  readonly checkpointBytes?: number | undefined
}

/** Options with everything filled in but the serializer's name. */
export interface FileStorageSettings {
  readonly serializer: string | undefined
  readonly readonly: boolean
  readonly durability: Durability
  readonly loadIndex: boolean
  readonly blockCacheBytes: number
  readonly createIfMissing: boolean
  readonly checkpointBytes: number
}

const MIB = 1024 * 1024

/** What each option may be, in words and as a test. */
const RULES: Record<keyof FileStorageOptions, OptionRule> = {
  serializer: { expected: 'the name of a serializer', test: (value) => typeof value === 'string' },
  readonly: SWITCH,
  durability: DURABILITY,
  index: { expected: "'paged' or 'memory'", test: (value) => value === 'paged' || value === 'memory' },
  blockCacheBytes: { expected: 'a number of bytes from 65536 to 2^31', test: isBytes(65_536, 2 ** 31) },
  createIfMissing: SWITCH,
  checkpointBytes: { expected: 'a number of bytes from 65536', test: isBytes(65_536, Number.MAX_SAFE_INTEGER) },
}

/** The names of all options. */
export const FILE_OPTIONS = Object.keys(RULES) as readonly (keyof FileStorageOptions)[]

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible */
export function checkFileOptions(options: FileStorageOptions): FileStorageSettings {
  checkRules('FileStorage', RULES, options)
  const readonly = options.readonly ?? false
  return {
    serializer: options.serializer,
    readonly,
    durability: options.durability ?? 'fsync',
    loadIndex: options.index === 'memory',
    blockCacheBytes: options.blockCacheBytes ?? 16 * MIB,
    createIfMissing: options.createIfMissing ?? !readonly,
    checkpointBytes: options.checkpointBytes ?? 64 * MIB,
  }
}
