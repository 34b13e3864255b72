import { PerdureError } from '../core/errors.js'
import type { Durability } from '../workers/messages.js'

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
const RULES: Record<
  keyof FileStorageOptions,
  { readonly expected: string; readonly test: (value: unknown) => boolean }
> = {
  serializer: { expected: 'the name of a serializer', test: (value) => typeof value === 'string' },
  readonly: { expected: 'true or false', test: isBoolean },
  durability: { expected: "'fsync' or 'os'", test: (value) => value === 'fsync' || value === 'os' },
  index: { expected: "'paged' or 'memory'", test: (value) => value === 'paged' || value === 'memory' },
  blockCacheBytes: { expected: 'a number of bytes from 65536 to 2^31', test: isBytes(65_536, 2 ** 31) },
  createIfMissing: { expected: 'true or false', test: isBoolean },
  checkpointBytes: { expected: 'a number of bytes from 65536', test: isBytes(65_536, Number.MAX_SAFE_INTEGER) },
}

/** The names of all options. */
export const FILE_OPTIONS = Object.keys(RULES) as readonly (keyof FileStorageOptions)[]

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

function isBytes(least: number, most: number): (value: unknown) => boolean {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible */
export function checkFileOptions(options: FileStorageOptions): FileStorageSettings {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof FileStorageOptions] : undefined
    if (rule === undefined) {
      const known = Object.keys(RULES).join(', ')
      throw new PerdureError('PERDURE_ARGUMENT', `A FileStorage has no option "${name}". Its options are: ${known}.`)
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
    loadIndex: options.index === 'memory',
    blockCacheBytes: options.blockCacheBytes ?? 16 * MIB,
    createIfMissing: options.createIfMissing ?? !readonly,
    checkpointBytes: options.checkpointBytes ?? 64 * MIB,
  }
}
