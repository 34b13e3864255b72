import './foreign-formats.js'
import './storages/built-in-kinds.js'
import { PerdureError } from './core/errors.js'
import type { Storage } from './core/storage.js'
import { checkOptions } from './options.js'
import { fileKind } from './storages/file-kind.js'
import { requireKind } from './storages/identify.js'
import { findStorageKind, type StorageKind, type StorageOpenOptions } from './storages/registry.js'

/** Options of every kind of storage. */
const COMMON_OPTIONS = ['serializer', 'readonly', 'createIfMissing']

/** How a storage at a path is opened. */
export interface PathOptions extends StorageOpenOptions {
  /** Kind of a new database, `file` unless given; that of an existing one is recognised. */
  readonly storage?: string | undefined
}

/**
 * Opens the storage at a path: of the kind that is there, or else a new one of the kind that is asked for.
 *
 * @param path undefined for a temporary one
 * @param caller named in the message about an option that does not exist
 * @param others options that are no business of the storage
 * @param options whose serializer has been checked: an unknown name must not end up in a file
 * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_NOT_A_DATABASE`, and what the kind of storage throws
 */
export async function openPath(
  path: string | undefined,
  options: PathOptions,
  caller: string,
  others: readonly string[],
): Promise<Storage> {
  const kind = await chooseKind(path, options.storage)
  const names = [...new Set([...COMMON_OPTIONS, ...kind.options])]
  checkOptions(caller, options, ['storage', ...names, ...others])
  if (path === undefined && options.readonly === true) {
    throw new PerdureError('PERDURE_ARGUMENT', 'A temporary database cannot be readonly: it would stay empty.')
  }
  return kind.open(path, pick(options, names))
}

/** What is there decides; the option is for a new database, and must not contradict. */
async function chooseKind(path: string | undefined, name: string | undefined): Promise<StorageKind> {
  const asked = name === undefined ? undefined : findStorageKind(name)
  const found = path === undefined ? undefined : await requireKind(path)
  if (asked !== undefined && found !== undefined && asked !== found) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `${path} is of the kind ${found.name}, not ${asked.name}. Leave the option storage out, or convert the database.`,
      { details: { path: path as string, stored: found.name, asked: asked.name } },
    )
  }
  return found ?? asked ?? fileKind
}

/** The options with these names, as far as they are given. */
export function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  const given = names.filter((name) => from[name] !== undefined)
  return Object.fromEntries(given.map((name) => [name, from[name]])) as Pick<T, K>
}
