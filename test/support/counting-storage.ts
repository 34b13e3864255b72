import { CorruptionError } from '../../src/core/errors.js'
import type { Oid } from '../../src/core/oid.js'
import type { PackOptions, PackResult, Snapshot } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/memory.js'

/** A storage that knows how many of its snapshots have not been released. */
export class CountingStorage extends MemoryStorage {
  openSnapshots = 0
  loads = 0
  /** Objects that cannot be read. */
  readonly damaged = new Set<Oid>()
  /** Called in place of a pack. */
  onPack: ((options: PackOptions) => Promise<PackResult>) | undefined

  override snapshot(): Snapshot {
    const snapshot = super.snapshot()
    this.openSnapshots++
    let isOpen = true
    return {
      tid: snapshot.tid,
      load: (oid) => {
        this.loads++
        if (this.damaged.has(oid)) throw new CorruptionError('memory', oid, 'a test says so')
        return snapshot.load(oid)
      },
      loadMany: (oids) => snapshot.loadMany(oids),
      records: () => snapshot.records(),
      scan: () => snapshot.scan(),
      release: () => {
        if (isOpen) this.openSnapshots--
        isOpen = false
        snapshot.release()
      },
    }
  }

  /** The newest state, as if it were a past one. */
  override async snapshotAt(): Promise<Snapshot> {
    await new Promise((resolve) => setImmediate(resolve))
    return this.snapshot()
  }

  override pack(options: PackOptions = {}): Promise<PackResult> {
    return this.onPack === undefined ? super.pack() : this.onPack(options)
  }
}
