import { statSync } from 'node:fs'
import type { ConvertProgress, ConvertResult } from './conversion/conversion.js'
import type { Storage } from './core/storage.js'
import { openSource } from './open-source.js'
import { checkOptions } from './options.js'
import { checkKnown } from './serializers/registry.js'
import type { ClientStorageOptions } from './storages/client/client-options.js'
import { detectStorageKind, findStorageKind, type StorageKind } from './storages/registry.js'

export type { ConvertProgress, ConvertResult } from './conversion/conversion.js'

/** Options of {@link convert}. */
export interface ConvertOptions {
  /** Of the new database. Default: that of the old one. */
  readonly serializer?: string | undefined
  /** Kind of storage of the new database. Default: that of the old one if it is in a file, and `file` otherwise. */
  readonly storage?: string | undefined
  /** Copies the past as well: the oldest state that can still be read, and every transaction since. Default: false. */
  readonly history?: boolean | undefined
  /** Reads the new database again, and compares. Default: true. */
  readonly verify?: boolean | undefined
  /** How to get in, if the old database is that of a server. */
  readonly connect?: ClientStorageOptions | undefined
  /** Called now and then. */
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined
  /** Gives the work up; nothing is left of it then, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

const OPTIONS: readonly (keyof ConvertOptions)[] = [
  'serializer',
  'storage',
  'history',
  'verify',
  'connect',
  'onProgress',
  'signal',
]

/** Who may read a database of which nobody knows who might read the original. */
const PRIVATE = 0o600

/**
 * Makes a new database of all objects of another one, with another serializer, in another kind of storage, or just as
 * it is. Objects keep their oids, those that cannot be reached from the root too. The new database appears under its
 * name when it is whole, has been read again and compared, and is on the disk. The old one is only read; others may work
 * with it meanwhile, and what they commit after the beginning is not copied.
 *
 * @param source path of a database, URL of a server, or an open storage, which stays open
 * @param path of the new database, where there must be nothing
 * @throws PerdureError `PERDURE_ARGUMENT` if there is something at `path`; `PERDURE_OBJECT_MISSING` if an object refers to
 *   one that does not exist, with `details.oid` and `details.referrer`; `PERDURE_DECODE`, `PERDURE_UNSTORABLE` with
 *   `details.oid`; `PERDURE_SERIALIZER`; `PERDURE_UNSUPPORTED` for a history that one of the two cannot keep;
 *   `PERDURE_HISTORY` if a pack takes it away meanwhile; `PERDURE_IO` if the copy turns out not to be equal; and what
 *   `open()` throws
 *
 * @example
 * await convert('bank.perdure', 'bank.cbor.perdure', { serializer: 'cbor' })
 */
export async function convert(
  source: string | Storage,
  path: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  checkOptions('convert', options, OPTIONS)
  const { serializer, history = false, verify = true, connect, onProgress, signal } = options
  if (serializer !== undefined) checkKnown(serializer)
  signal?.throwIfAborted()
  const storage = typeof source === 'string' ? await openSource(source, connect) : source
  try {
    // Loaded only when it is needed.
    const { runConversion } = await import('./conversion/conversion.js')
    return await runConversion({
      source: storage,
      path,
      kind: await kindFor(storage, options.storage),
      serializer: serializer ?? storage.serializer,
      mode: modeOf(storage.location),
      history,
      verify,
      onProgress,
      signal,
    })
  } finally {
    if (storage !== source) await storage.close()
  }
}

async function kindFor(source: Storage, name: string | undefined): Promise<StorageKind> {
  if (name !== undefined) return findStorageKind(name)
  return (await detectStorageKind(source.location)) ?? findStorageKind('file')
}

function modeOf(location: string): number {
  return statSync(location, { throwIfNoEntry: false })?.mode ?? PRIVATE
}
