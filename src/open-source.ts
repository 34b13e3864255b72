import type { Storage } from './core/storage.js'
import { openPath } from './open-path.js'
import { isAddressUrl } from './server/address.js'
import type { ClientStorageOptions } from './storages/client/client-options.js'

/**
 * Opens a storage only to read it. Its serializer need not be known: who wants the states decoded finds out.
 *
 * @param location path of a database, which must exist, or URL of a server
 * @param connect how to get in, if it is a server
 * @throws PerdureError what `open()` throws
 */
export async function openSource(location: string, connect?: ClientStorageOptions): Promise<Storage> {
  if (!isAddressUrl(location)) return openPath(location, { readonly: true, createIfMissing: false }, 'open', [])
  // Loaded only when it is needed: most databases are in a file.
  const { ClientStorage } = await import('./storages/client.js')
  return ClientStorage.connect(location, connect)
}
