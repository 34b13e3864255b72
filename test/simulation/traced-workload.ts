import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import type { CommitRequest } from '../../src/core/storage.js'
import type { FileSystem } from '../../src/journal/journal-file.js'
import { MainThreadStorage } from './main-thread-storage.js'
import type { Operation } from './simulated-disk.js'

/** Bytes of journal after which a checkpoint is written: the least that a user may ask for. */
export const CHECKPOINT_BYTES = 65_536

/** Sizes of states by oid: small ones, one that calls for a checkpoint, and one that the preallocation cannot hold. */
const COMMITS: readonly (readonly (readonly [Oid, number])[])[] = [
  [[0, 10]],
  [
    [1, 300],
    [2, 50],
  ],
  [[1, 70_000]],
  [[3, 5_000_000]],
  [[0, 20]],
]

/** The database is opened this often, and all commits are made each time. */
export const LIVES = 2

export function requests(base: Tid): CommitRequest[] {
  return COMMITS.map((sizes, i) => ({
    base: base + i,
    reads: [],
    writes: sizes.map(([oid, size]) => ({ oid, data: encodeRecord('Item', [], new Uint8Array(size)) })),
  }))
}

/** Runs the workload without a thread. Returns how many checkpoints there are after each commit of each life. */
export function runTracedWorkload(fileSystem: FileSystem, path: string): number[][] {
  return Array.from({ length: LIVES }, () => {
    const storage = new MainThreadStorage(fileSystem, {
      path,
      durability: 'fsync',
      loadIndex: false,
      checkpointBytes: CHECKPOINT_BYTES,
    })
    const checkpoints = requests(storage.tid).map((request) => {
      storage.commit([request])
      while (storage.hasWork) storage.work()
      return storage.view.state.get('checkpoints')
    })
    storage.close()
    return checkpoints
  })
}

/** An operation in one line, with the path relative to the directory of the database. */
export function describeOperation({ type, path, from, position, size }: Operation, directory: string): string {
  const name = (absolute: string) => absolute.replace(`${directory}/`, '')
  switch (type) {
    case 'write':
      return `write ${name(path)} ${position}+${size}`
    case 'truncate':
      return `truncate ${name(path)} ${size}`
    case 'rename':
    case 'link':
      return `${type} ${name(from ?? '')} ${name(path)}`
    case 'sync-directory':
      return 'sync-directory'
    default:
      return `${type} ${name(path)}`
  }
}
