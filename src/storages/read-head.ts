import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isMainThread, Worker } from 'node:worker_threads'
import { findDescriptor, identityOf } from './open-descriptors.js'
import { isSqlite } from './sqlite/file-head.js'

/** How much of a file is looked at to tell what it is. */
const HEAD_BYTES = 4096

/**
 * Files of SQLite that have been looked at, by device and inode. Who closes such a file takes away all locks that the
 * process has on it, also those of SQLite, and another process could then do away with the WAL that is in use here:
 * https://sqlite.org/howtocorrupt.html, section 2.2. So they stay open, each once, until they are deleted.
 */
const kept = new Map<string, number>()

/**
 * The first bytes of a file, {@link HEAD_BYTES} if it has as many.
 *
 * When a worker thread ends, Node closes what it has opened, and takes away the locks of all other threads by that. So
 * such a thread reads what the process has open already, or lets a thread open the file after which nothing is closed.
 *
 * @throws what the system says
 */
export async function readHead(path: string): Promise<Uint8Array> {
  if (isMainThread) return readHeadHere(path)
  const head = findDescriptor(identityOf(statSync(path, { bigint: true })), readBeginning)
  return head ?? (await readHeadElsewhere(path))
}

function readHeadElsewhere(path: string): Promise<Uint8Array> {
  const url = new URL('./head-worker.js', import.meta.url)
  const worker = new Worker(url, { name: 'perdure-head', workerData: path, trackUnmanagedFds: false })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that was to read it has ended')))
  })
}

/**
 * As {@link readHead}, by a thread that closes nothing when it ends.
 *
 * @throws what the system says
 */
export function readHeadHere(path: string): Uint8Array {
  closeDeleted()
  const file = identityOf(statSync(path, { bigint: true }))
  const known = kept.get(file)
  const descriptor = known ?? openSync(path, 'r')
  let head: Uint8Array | undefined
  try {
    head = readBeginning(descriptor)
  } finally {
    if (head !== undefined && isSqlite(head)) kept.set(file, descriptor)
    else if (known === undefined) closeSync(descriptor)
  }
  return head
}

function readBeginning(descriptor: number): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES)
  return head.subarray(0, readSync(descriptor, head, 0, HEAD_BYTES, 0))
}

/** Their space is not free before. */
function closeDeleted(): void {
  for (const [file, descriptor] of kept) {
    if (fstatSync(descriptor).nlink > 0) continue
    kept.delete(file)
    closeSync(descriptor)
  }
}
