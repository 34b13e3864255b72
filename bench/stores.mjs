/** Opens a database of one of the peers. Each is imported only where it is measured. */
export async function openPeer(peer, path, options) {
  const { openStore } = await import(`./peers/${peer}.mjs`)
  return openStore(path, options)
}

/** What a peer syncs, in words. */
export async function syncedBy(peer, durability) {
  const { SYNCED } = await import(`./peers/${peer}.mjs`)
  return SYNCED[durability]
}

/** Accounts a transaction, when the database is too large for one. */
const LARGEST_BATCH = 100_000

/**
 * Makes the database that a suite reads.
 *
 * @param ids whether its accounts will be read by id
 * @param garbage whether half of the accounts are to be garbage, and the others stored in random order
 */
export async function prepareDatabase(peer, path, { objects, ids, garbage }) {
  const store = await openPeer(peer, path)
  if (garbage) await store.createWithGarbage(objects)
  else await store.create(objects, Math.min(objects, LARGEST_BATCH))
  if (ids) await store.keepIds()
  await store.close()
}
