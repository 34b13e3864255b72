/** Opens a database of one of the peers. Each is imported only where it is measured. */
export async function openPeer(peer, path, options) {
  const { openStore, finish } = await import(`./peers/${peer}.mjs`)
  if (finish !== undefined) finishers.add(finish)
  return openStore(path, options)
}

/** What peers have to do when all is measured. */
const finishers = new Set()

export async function finishPeers() {
  for (const finish of finishers) await finish()
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
 * @param tree whether they are to be in a tree, and not in a list
 * @param garbage whether half of the accounts are to be garbage, and the others stored in random order
 */
export async function prepareDatabase(peer, path, { objects, ids, tree, garbage }) {
  const { PREPARED_BY = peer } = await import(`./peers/${peer}.mjs`)
  const store = await openPeer(PREPARED_BY, path)
  if (tree) await store.plant(objects)
  else if (garbage) await store.createWithGarbage(objects)
  else await store.create(objects, Math.min(objects, LARGEST_BATCH))
  if (ids) await store.keepIds()
  await store.close()
}
