import { PerdureError } from '../core/errors.js'
import type { Storage } from '../core/storage.js'
import { lookAt } from './file-head.js'

/** What every kind of storage is given when it is opened. */
export interface StorageOpenOptions {
  /** Name of the serializer for a new database; for an existing one it must be the one that was chosen then. */
  readonly serializer?: string | undefined
  readonly readonly?: boolean | undefined
  /** False refuses a path where there is nothing, with `PERDURE_NOT_FOUND`. Default: true. */
  readonly createIfMissing?: boolean | undefined
  /** Options of the kind's own: those it names in {@link StorageKind.options}. */
  readonly [name: string]: unknown
}

/** A way to keep databases, by which `open()`, the server and the command line find a storage for a path. */
export interface StorageKind {
  /** 1 to 31 characters out of `a-z 0-9 - . _`. */
  readonly name: string
  /** One sentence for people who choose. */
  readonly summary: string
  /** Names of the options it takes besides those of {@link StorageOpenOptions}. */
  readonly options: readonly string[]
  /**
   * Suffixes of the files that may stand beside a database and mean nothing without it, such as `.index`: who moves or
   * removes a database takes them along. Backups that can be opened by themselves are none of them.
   */
  readonly sidecars?: readonly string[]
  /**
   * Whether a file is of this kind.
   *
   * @param head the file's first bytes, 4096 if it has as many
   */
  recognizes(head: Uint8Array): boolean
  /**
   * Opens a storage, or creates one where there is nothing.
   *
   * @param path undefined for a temporary one, which is removed when it is closed, and also after the process has been
   *   killed; see {@link TemporaryPlace}
   */
  open(path: string | undefined, options: StorageOpenOptions): Promise<Storage>
}

const NAME = /^[a-z0-9._-]{1,31}$/

const kinds = new Map<string, StorageKind>()

/**
 * Makes a kind of storage known, so that paths can be opened with it. To register the same one again does nothing more.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if it is no kind of storage, or another one has the name
 */
export function registerStorage(kind: StorageKind): void {
  const { name, open, recognizes } = kind
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `A kind of storage cannot be named ${JSON.stringify(name)}: use 1 to 31 characters out of a-z 0-9 - . _`,
    )
  }
  if (typeof open !== 'function' || typeof recognizes !== 'function') {
    throw new PerdureError('PERDURE_ARGUMENT', `The kind of storage "${name}" needs the methods open and recognizes.`)
  }
  const known = kinds.get(name)
  if (known !== undefined && known !== kind) {
    throw new PerdureError('PERDURE_ARGUMENT', `There is another kind of storage named "${name}". Choose another name.`)
  }
  kinds.set(name, kind)
}

/** All kinds, in the order in which they were registered. */
export function storageKinds(): StorageKind[] {
  return [...kinds.values()]
}

/** @throws PerdureError `PERDURE_ARGUMENT` if there is none of this name */
export function findStorageKind(name: string): StorageKind {
  const kind = kinds.get(name)
  if (kind !== undefined) return kind
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `There is no kind of storage named "${name}". There are ${[...kinds.keys()].join(', ')}.`,
  )
}

/**
 * The kind of the file at `path`. Undefined if there is no file, or no kind recognizes it.
 *
 * @throws PerdureError `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export async function detectStorageKind(path: string): Promise<StorageKind | undefined> {
  const content = await lookAt(path)
  return content?.type === 'file' ? recognizeKind(content.head) : undefined
}

/** The kind of a file that begins with these bytes. */
export function recognizeKind(head: Uint8Array): StorageKind | undefined {
  return storageKinds().find((kind) => kind.recognizes(head))
}
