import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { PerdureError } from '../../src/core/errors.js'
import { encodeRecord } from '../../src/core/record.js'
import { SqliteStorage } from '../../src/storages/sqlite.js'
import { Random } from '../../src/testing/random.js'

/*
 * A process that damages copies of a database, one after another, and does with each all that can be done. It is one of
 * its own because SQLite is native code. Prints a line for each: how it was damaged, and the code of each error.
 *
 * Arguments: the database, where to put the copies, the seed, how many.
 */
const [database, path, seed, count] = process.argv.slice(2) as [string, string, string, string]
const sound = readFileSync(database)
const random = new Random(Number(seed))

for (let i = 0; i < Number(count); i++) {
  copyFileSync(database, path)
  const what = damage()
  const codes = [await attempt(useReadonly), await attempt(use)]
  console.log(`${what}: ${codes.join(' ')}`)
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
}

function damage(): string {
  const kind = random.below(4)
  if (kind === 0) {
    const size = random.below(sound.length)
    truncateSync(path, size)
    return `cut to ${size}`
  }
  const bytes = Buffer.from(sound)
  // The beginning of a page says what it is.
  const pages = Math.floor(sound.length / 4096)
  const at = kind === 1 ? random.below(100) : random.below(pages) * 4096 + random.below(kind === 2 ? 200 : 4096)
  const length = 1 + random.below(kind === 3 ? 200 : 4)
  for (let i = at; i < Math.min(at + length, bytes.length); i++) bytes[i] = random.below(256)
  writeFileSync(path, bytes)
  return `${length} bytes at ${at}`
}

async function attempt(work: () => Promise<void>): Promise<string> {
  try {
    await work()
    return 'fine'
  } catch (error) {
    // What cannot be written may not be closed in good order either.
    const first = (error as { suppressed?: unknown }).suppressed ?? error
    if (first instanceof PerdureError) return first.code
    throw error
  }
}

async function useReadonly(): Promise<void> {
  await using storage = await SqliteStorage.open(path, { readonly: true })
  await read(storage)
}

async function use(): Promise<void> {
  await using storage = await SqliteStorage.open(path)
  await storage.verify()
  await storage.commit({
    base: storage.statistics().tid,
    reads: [1, 2, 3],
    writes: [{ oid: 5, data: encodeRecord('Thing', [], Buffer.from('text')) }],
  })
  await storage.pack()
  await read(storage)
}

/** Whatever can be read is right. */
async function read(storage: SqliteStorage): Promise<void> {
  for await (const { note } of storage.transactions()) if (note !== 'note') throw new Error(`the note is ${note}`)
  const snapshot = storage.snapshot()
  try {
    for await (const { data } of snapshot.records()) {
      if (!Buffer.from(data).includes('text')) throw new Error('wrong data were read')
    }
  } finally {
    snapshot.release()
  }
}
