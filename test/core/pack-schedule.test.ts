import { EventEmitter, once } from 'node:events'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { type AutomaticPackOptions, PackSchedule } from '../../src/core/pack-schedule.js'
import type { PackOptions, PackResult, StorageStatistics } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { numberRecord } from '../support/number-record.js'

/** Says of itself what a test wants, and packs when it is told to. */
class PretendingStorage extends MemoryStorage {
  figures: Record<string, number> = {}
  packs: PackOptions[] = []
  result: Partial<PackResult> = {}
  onPack: (options: PackOptions) => Promise<void> = async () => {}

  override statistics(): StorageStatistics {
    return { ...super.statistics(), ...this.figures }
  }

  override async pack(options: PackOptions = {}): Promise<PackResult> {
    this.packs.push(options)
    await this.onPack(options)
    return { ...(await super.pack(options)), ...this.result }
  }

  /** Stores objects, each of about 44 bytes with what is added for a record. */
  async store(...oids: number[]): Promise<void> {
    const writes = oids.map((oid) => ({ oid, data: numberRecord(oid) }))
    await this.commit({ base: super.statistics().tid, reads: [], writes })
  }
}

describe('PackSchedule', () => {
  let storage: PretendingStorage
  let schedule: PackSchedule | undefined

  beforeEach(() => {
    storage = new PretendingStorage()
  })

  afterEach(async () => {
    await schedule?.stop()
    await storage.close()
  })

  function start(options: AutomaticPackOptions): void {
    schedule = PackSchedule.start(storage, options, 1)
  }

  /** Starts a schedule, and resolves with what the next pack does. */
  function nextPack(options: AutomaticPackOptions): Promise<PackResult> {
    return new Promise((onPack, onPackError) => start({ ...options, onPack, onPackError }))
  }

  /** Until it has been looked often whether a pack is due. */
  async function manyLooks(): Promise<void> {
    let left = 20
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (left-- > 0) return
        clearInterval(timer)
        resolve()
      }, 1)
    })
  }

  it('packs when so many bytes have been committed, and again only after as many', async () => {
    storage.figures = { bytesSincePack: 0 }
    const pack = nextPack({ gcBytes: 300 })
    await storage.store(0, 1, 2)
    await manyLooks()
    expect(storage.packs).to.have.length(0)
    for (let oid = 3; storage.packs.length === 0; oid++) await storage.store(oid)
    expect((await pack).objectsAfter).to.equal(1)
    await storage.store(200)
    await manyLooks()
    expect(storage.packs).to.have.length(1)
  })

  it('counts what was committed before it was opened', async () => {
    await storage.store(0, 1)
    storage.figures = { bytes: 5000, bytesSincePack: 400 }
    expect((await nextPack({ gcBytes: 300 })).objectsBefore).to.equal(2)
  })

  it('packs when so much time has passed since the last pack, if there was a commit', async () => {
    storage.figures = { packedAt: Date.now() - 2 * 3_600_000, bytesSincePack: 0 }
    const pack = nextPack({ gcInterval: '1h' })
    await manyLooks()
    expect(storage.packs).to.have.length(0)
    await storage.store(0)
    await pack
    await storage.store(1)
    await manyLooks()
    expect(storage.packs, 'not again within the hour').to.have.length(1)
  })

  it('packs when superseded versions are so large a part', async () => {
    storage.figures = { nextOid: 10 }
    const pack = nextPack({ gcGarbageRatio: 0.5 })
    await storage.store(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    storage.figures = { nextOid: 10, bytes: 600 }
    await manyLooks()
    expect(storage.packs).to.have.length(0)
    storage.figures = { nextOid: 10, bytes: 1200 }
    await pack
  })

  it('expects as many unreachable objects as the last pack has found', async () => {
    // As far as a sample can tell nothing is superseded; and yet a pack removes nearly everything.
    storage.figures = { nextOid: 100, objects: 1000, bytes: 10_000, bytesSincePack: 10_000 }
    storage.result = { bytesBefore: 10_000, bytesAfter: 1000 }
    storage.onPack = async () => {
      storage.figures['bytes'] = 1000
    }
    await storage.store(0)
    const packed = new EventEmitter()
    const first = once(packed, 'pack')
    start({ gcBytes: 9000, gcGarbageRatio: 0.4, onPack: () => packed.emit('pack') })
    await first
    storage.figures['bytes'] = 1500
    await storage.store(0)
    await manyLooks()
    expect(storage.packs).to.have.length(1)
    const second = once(packed, 'pack')
    storage.figures['bytes'] = 3000
    await second
    expect(storage.packs).to.have.length(2)
  })

  it('packs with the history that is to be kept', async () => {
    storage.onPack = async (options) => {
      expect(options.retain).to.deep.equal({ transactions: 7 })
      throw new Error('seen')
    }
    const pack = nextPack({ gcBytes: 1, gcRetain: { transactions: 7 } })
    await storage.store(0, 1)
    const failure = await pack.catch((error: unknown) => error)
    expect(failure).to.have.property('message', 'seen')
  })

  it('keeps the history there is when another pack has kept less than is wanted', async () => {
    storage.onPack = async ({ retain }) => {
      if (retain === undefined || 'tid' in retain) return
      throw new PerdureError('PERDURE_HISTORY', 'That has been removed.', { details: { historyFrom: 5 } })
    }
    const pack = nextPack({ gcBytes: 1, gcRetain: { durationMs: 1000 } })
    await storage.store(0, 1)
    // The pack itself goes to a storage that keeps no history.
    expect(await pack.catch((error: unknown) => error)).to.have.property('code', 'PERDURE_UNSUPPORTED')
    expect(storage.packs.map(({ retain }) => retain)).to.deep.equal([{ durationMs: 1000 }, { tid: 5 }])
  })

  it('counts from a pack that somebody else has asked for', async () => {
    storage.figures = { bytes: 50_000, packedAt: 1, bytesSincePack: 0 }
    const pack = nextPack({ gcBytes: 20_000 })
    await storage.store(0)
    storage.figures = { bytes: 20_000, packedAt: 2, bytesSincePack: 15_000 }
    await manyLooks()
    expect(storage.packs).to.have.length(0)
    storage.figures = { bytes: 25_000, packedAt: 2, bytesSincePack: 20_000 }
    await pack
  })

  it('warns of a pack that has failed, and does not try again at once', async () => {
    storage.onPack = () => Promise.reject(new PerdureError('PERDURE_NO_SPACE', 'The disk is full.'))
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve))
    start({ gcBytes: 1 })
    await storage.store(0, 1)
    expect(await warning).to.include({
      name: 'PerdureWarning',
      message: 'Perdure: an automatic pack failed. The disk is full.',
    })
    await manyLooks()
    expect(storage.packs).to.have.length(1)
  })

  it('says nothing when somebody else packs', async () => {
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    storage.onPack = () => {
      asked()
      return Promise.reject(new PerdureError('PERDURE_BUSY', 'Another pack.'))
    }
    const errors: unknown[] = []
    start({ gcBytes: 1, onPackError: (error) => errors.push(error) })
    await storage.store(0, 1)
    await isAsked
    await manyLooks()
    expect(errors).to.deep.equal([])
  })

  it('gives up the pack under way when it is stopped, and reports nothing then', async () => {
    const errors: unknown[] = []
    let begun = () => {}
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    storage.onPack = ({ signal }) => {
      begun()
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    }
    start({ gcBytes: 1, onPackError: (error) => errors.push(error) })
    await storage.store(0, 1)
    await hasBegun
    await schedule?.stop()
    expect(storage.packs[0]?.signal?.reason).to.have.property('code', 'PERDURE_CLOSED')
    expect(errors).to.deep.equal([])
  })

  it('is none without an option that asks for one, and refuses impossible ones', () => {
    expect(PackSchedule.start(storage, {})).to.equal(undefined)
    const bad: [AutomaticPackOptions, string][] = [
      [{ gcBytes: 0 }, 'PERDURE_ARGUMENT'],
      [{ gcInterval: 'soon' }, 'PERDURE_ARGUMENT'],
      [{ gcInterval: -1 }, 'PERDURE_ARGUMENT'],
      [{ gcGarbageRatio: 1.5 }, 'PERDURE_ARGUMENT'],
      [{ gcGarbageRatio: 0.5 }, 'PERDURE_UNSUPPORTED'],
    ]
    for (const [options, code] of bad) {
      expect(() => PackSchedule.start(storage, options), JSON.stringify(options))
        .to.throw(PerdureError)
        .with.property('code', code)
    }
  })
})
