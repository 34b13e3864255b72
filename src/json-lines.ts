import type { ImportOrder, ImportResult } from './conversion/import-lines.js'
import { fileKind } from './storages/file-kind.js'
import { findStorageKind } from './storages/registry.js'

export { exportLines } from './conversion/export-lines.js'
export type { ImportResult } from './conversion/import-lines.js'

/** Options of {@link importLines}. */
export interface ImportOptions extends Pick<ImportOrder, 'serializer' | 'mode' | 'signal'> {
  /** Kind of storage of the new database. Default: `file`. */
  readonly storage?: string | undefined
}

/**
 * Makes a database of the lines that `exportLines` has made. It appears at its path when it is whole.
 *
 * @param path must not be there yet
 * @throws PerdureError as `importInto` does; `PERDURE_ARGUMENT` for a kind of storage that is not there
 */
export async function importLines(
  path: string,
  lines: AsyncIterable<string>,
  { storage, ...options }: ImportOptions = {},
): Promise<ImportResult> {
  const kind = storage === undefined ? fileKind : findStorageKind(storage)
  const { importInto } = await import('./conversion/import-lines.js')
  return importInto({ path, lines, kind, ...options })
}
