import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { expect } from 'chai'
import { CorruptionError } from '../../src/core/errors.js'
import { type Oid, ROOT_OID } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { CommitResult, PackProgress, RecordWrite, Retention, Storage } from '../../src/core/storage.js'
import { packPath, prepackPath } from '../../src/journal/packed-base.js'
import { msgpack } from '../../src/serializers/msgpack.js'
import { FileStorage } from '../../src/storages/file.js'
import { packFile } from '../../src/storages/pack-file.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PHASES: readonly PackProgress['phase'][] = ['scan', 'mark', 'copy', 'catch-up', 'switch']

function record(oid: Oid, references: readonly Oid[] = [], text = ''): RecordWrite {
  const targets = references.map((target) => new Reference(target, 'Node'))
  return { oid, data: encodeRecord('Node', targets, msgpack.encode({ text }, { position: () => 0 })) }
}

async function commit(storage: Storage, ...writes: RecordWrite[]): Promise<number> {
  const result = await storage.commit({ base: storage.statistics().tid, reads: [], writes })
  expect(result.conflicts).to.equal(undefined)
  return result.tid as number
}

async function oidsOf(storage: Storage): Promise<Oid[]> {
  const snapshot = storage.snapshot()
  const oids: Oid[] = []
  for await (const { oid } of snapshot.records()) oids.push(oid)
  snapshot.release()
  return oids.sort((a, b) => a - b)
}

describe('FileStorage.pack', () => {
  let directory: TemporaryDirectory
  let path: string
  let storage: FileStorage

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    storage = await FileStorage.open(path)
  })

  afterEach(async () => {
    await storage.close()
    directory.remove()
  })

  /** The root and object 1, which it refers to; and 2 and 3, which are garbage, and of which 2 refers to 3. */
  async function family(): Promise<void> {
    storage.allocateOids(3)
    await commit(storage, record(ROOT_OID, [1]), record(1, [], 'kept'), record(2, [3], 'lost'), record(3, [], 'gone'))
  }

  /** Packs, and lets the root refer to garbage when the pack has come to a phase. */
  async function linkAt(phase: PackProgress['phase']): Promise<CommitResult> {
    await family()
    let linked: Promise<CommitResult> | undefined
    await storage.pack({
      onProgress: (progress) => {
        if (progress.phase !== phase) return
        linked ??= storage.commit({ base: 1, reads: [], writes: [record(ROOT_OID, [2])] })
      },
    })
    return linked as Promise<CommitResult>
  }

  it('keeps what comes to be referred to while it works, with all that it refers to', async () => {
    expect(await linkAt('scan')).to.deep.equal({ tid: 2 })
    expect(await oidsOf(storage)).to.deep.equal([0, 1, 2, 3])
    await storage.pack()
    expect(await oidsOf(storage)).to.deep.equal([0, 2, 3])
    expect((await storage.verify()).problems).to.deep.equal([])
  })

  for (const phase of ['mark', 'copy', 'switch'] as const) {
    it(`either keeps what comes to be referred to at its end (${phase}), or makes it a conflict`, async () => {
      const { conflicts } = await linkAt(phase)
      expect(conflicts?.map(({ oid }) => oid) ?? [2]).to.deep.equal([2])
      expect(await oidsOf(storage)).to.deep.equal(conflicts === undefined ? [0, 1, 2, 3] : [0, 1])
      expect((await storage.verify()).problems).to.deep.equal([])
    })
  }

  it('catches up with many commits made meanwhile', async () => {
    await family()
    const text = 'x'.repeat(100_000)
    const made: Promise<unknown>[] = []
    const phases = new Set<string>()
    await storage.pack({
      onProgress: ({ phase }) => {
        phases.add(phase)
        if (made.length >= 30 || (phase !== 'scan' && phase !== 'mark')) return
        const oid = storage.allocateOids(1)
        made.push(storage.commit({ base: 1, reads: [], writes: [record(oid, [2], text)] }))
        for (let i = 0; i < 10; i++) {
          made.push(storage.commit({ base: 1, reads: [], writes: [record(storage.allocateOids(1), [oid], text)] }))
        }
      },
    })
    await Promise.all(made)
    expect([...phases]).to.include('catch-up')
    expect(await oidsOf(storage)).to.have.length(4 + made.length)
    expect((await storage.verify()).problems).to.deep.equal([])
  })

  it('leaves everything as it is when it is given up, and leaves no file behind', async () => {
    await family()
    for (const phase of PHASES.filter((name) => name !== 'catch-up')) {
      const controller = new AbortController()
      const reason = new Error(phase)
      const onProgress = (progress: PackProgress) => {
        if (progress.phase === phase) controller.abort(reason)
      }
      const pack = storage.pack({ onProgress, signal: controller.signal })
      expect(await pack.catch((error: unknown) => error)).to.equal(reason)
      expect(existsSync(packPath(path)), phase).to.equal(false)
      expect(await oidsOf(storage)).to.deep.equal([0, 1, 2, 3])
    }
    await commit(storage, record(1, [], 'changed'))
    expect(await storage.pack()).to.include({ objectsBefore: 4, objectsAfter: 2 })
  })

  it('rejects with what the progress function throws', async () => {
    await family()
    const onProgress = () => {
      throw new Error('mine')
    }
    expect(await storage.pack({ onProgress }).catch((error: Error) => error.message)).to.equal('mine')
    expect(existsSync(packPath(path))).to.equal(false)
  })

  it('is given up when the storage is closed', async () => {
    await family()
    let closed: Promise<void> | undefined
    const pack = storage.pack({
      onProgress: () => {
        closed ??= storage.close()
      },
    })
    await failure('PERDURE_CLOSED', () => pack)
    await closed
    expect(existsSync(packPath(path))).to.equal(false)
    storage = await FileStorage.open(path)
    expect(await oidsOf(storage)).to.deep.equal([0, 1, 2, 3])
  })

  it('leaves to the file its permissions, and gives them to what lies beside it', async () => {
    await family()
    await storage.close()
    for (const name of readdirSync(directory.path)) chmodSync(directory.join(name), 0o600)
    storage = await FileStorage.open(path)
    await storage.pack()
    const shared = readdirSync(directory.path).filter((name) => (statSync(directory.join(name)).mode & 0o077) !== 0)
    expect(shared.filter((name) => !name.endsWith('.lock'))).to.deep.equal([])
  })

  it('keeps the old file if asked to, in place of an earlier one', async () => {
    await family()
    await storage.pack({ keepOld: true })
    await commit(storage, record(ROOT_OID, [], 'second'))
    await storage.pack({ keepOld: true })
    const old = await FileStorage.open(prepackPath(path), { readonly: true })
    expect(await oidsOf(old)).to.deep.equal([0, 1])
    await old.close()
    expect(await oidsOf(storage)).to.deep.equal([0])
  })

  it('needs as little memory as it is allowed', async () => {
    storage.allocateOids(3000)
    const chain = Array.from({ length: 3000 }, (_, i) => record(i, i % 2 === 0 && i < 2998 ? [i + 2] : []))
    await commit(storage, ...chain)
    expect(await storage.pack({ memoryBytes: 0 })).to.include({ objectsBefore: 3000, objectsAfter: 1500 })
    expect((await storage.verify()).problems).to.deep.equal([])
  })

  it('tells what it has done in the statistics', async () => {
    await family()
    const before = storage.statistics()
    expect(before).to.include({ packs: 0, historyFrom: 0 })
    expect(before['bytesSincePack']).to.equal(before.bytes - 128)
    const { bytesAfter } = await storage.pack()
    const after = storage.statistics()
    expect(after).to.include({ packs: 1, historyFrom: 1, bytes: bytesAfter, objects: 2 })
    expect(after['bytesSincePack']).to.equal(0)
    await storage.close()
    storage = await FileStorage.open(path)
    expect(storage.statistics()).to.include({ packs: 0, historyFrom: 1, bytesSincePack: 0 })
    await commit(storage, record(1, [], 'x'.repeat(1000)))
    expect(storage.statistics()['bytesSincePack']).to.be.within(1000, 1400)
    await storage.close()
    storage = await FileStorage.open(path)
    expect(storage.statistics()).to.include({ packs: 0, historyFrom: 1 })
    expect(storage.statistics()['bytesSincePack']).to.be.within(1000, 1400)
  })

  describe('with history', () => {
    /** Four transactions, each of which replaces the object the root refers to. */
    async function replacements(): Promise<void> {
      storage.allocateOids(4)
      for (let oid = 1; oid <= 4; oid++) await commit(storage, record(ROOT_OID, [oid]), record(oid))
    }

    const cases: [Retention, number, Oid[]][] = [
      [{ tid: 3 }, 3, [0, 3, 4]],
      [{ tid: 0 }, 0, [0, 1, 2, 3, 4]],
      [{ transactions: 1 }, 3, [0, 3, 4]],
      [{ transactions: 1000 }, 0, [0, 1, 2, 3, 4]],
      [{ durationMs: 3_600_000 }, 0, [0, 1, 2, 3, 4]],
      [{ date: new Date(Date.now() + 3_600_000) }, 4, [0, 4]],
      [{ date: new Date(1000) }, 0, [0, 1, 2, 3, 4]],
    ]
    for (const [retain, historyFrom, left] of cases) {
      it(`keeps what there was from ${JSON.stringify(retain)} on`, async () => {
        await replacements()
        expect((await storage.pack({ retain })).historyFrom).to.equal(historyFrom)
        expect(await oidsOf(storage)).to.deep.equal(left)
      })
    }

    it('counts what has been committed since when all of it was kept', async () => {
      await replacements()
      // All of that must be older than the file, and not by less than a tick of the clock.
      for (const now = Date.now(); Date.now() === now; );
      await storage.pack({ retain: { tid: 0 } })
      expect(storage.statistics()).to.include({ historyFrom: 0, bytesSincePack: 0 })
      const before = storage.statistics().bytes
      await commit(storage, record(ROOT_OID, [4]))
      const { bytes, bytesSincePack } = storage.statistics()
      expect(bytesSincePack).to.equal(bytes - before)
    })

    it('cannot keep what an earlier pack has removed', async () => {
      await replacements()
      await storage.pack({ retain: { tid: 2 } })
      const bad: Retention[] = [{ tid: 1 }, { transactions: 4 }, { date: new Date(1000) }, { durationMs: 3_600_000 }]
      for (const retain of bad) {
        const error = await failure('PERDURE_HISTORY', () => storage.pack({ retain }))
        expect(error.details).to.include({ historyFrom: 2, path })
        expect(error.details['historyTime']).to.be.within(Date.now() - 60_000, Date.now())
      }
      expect((await storage.pack({ retain: { tid: 2 } })).historyFrom).to.equal(2)
      expect(await oidsOf(storage)).to.deep.equal([0, 2, 3, 4])
      expect((await storage.pack({ retain: { transactions: 1 } })).historyFrom).to.equal(5)
    })

    it('refuses what makes no sense', async () => {
      await replacements()
      const bad: unknown[] = [
        { tid: 99 },
        { tid: -1 },
        {},
        5,
        { tid: 1, transactions: 1 },
        { date: 'today' },
        { day: 1 },
      ]
      for (const retain of bad) {
        await failure('PERDURE_ARGUMENT', () => storage.pack({ retain: retain as Retention }))
      }
    })
  })

  describe('is refused', () => {
    it('while another one is under way', async () => {
      await family()
      const pack = storage.pack()
      await failure('PERDURE_BUSY', () => storage.pack())
      await pack
      await storage.pack()
    })

    it('to handles that did not open the file for writing, and say that they cannot', async () => {
      const attached = FileStorage.attach(storage.share().handle)
      const readonly = await FileStorage.open(path, { readonly: true })
      await failure('PERDURE_UNSUPPORTED', () => attached.pack())
      await failure('PERDURE_READONLY', () => readonly.pack())
      for (const handle of [attached, readonly]) {
        expect(handle.capabilities.has('pack')).to.equal(false)
        await handle.close()
      }
    })

    it('with options that do not exist', async () => {
      await failure('PERDURE_ARGUMENT', () => storage.pack({ keepold: true } as object))
      await failure('PERDURE_ARGUMENT', () => storage.pack({ memoryBytes: -1 }))
      await failure('PERDURE_ARGUMENT', () => storage.pack({ threads: 0 }))
    })

    it('when an object that would have to be kept is damaged, but not for damaged garbage', async () => {
      await family()
      const intact = readFileSync(path)
      const damage = (text: string) => {
        const offset = intact.indexOf(text)
        const file = openSync(path, 'r+')
        writeSync(file, '*', offset)
        closeSync(file)
        return offset
      }
      const offset = damage('kept')
      const error = (await failure('PERDURE_CORRUPTION', () => storage.pack())) as CorruptionError
      expect(error).to.be.instanceOf(CorruptionError)
      expect(error.details).to.include({ path, oid: 1 })
      expect(error.offset).to.be.within(offset - 64, offset)
      expect(existsSync(packPath(path))).to.equal(false)
      await commit(storage, record(ROOT_OID, []))
      damage('gone')
      expect(await storage.pack()).to.include({ objectsAfter: 1 })
    })
  })
})

describe('packFile', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    const storage = await FileStorage.open(path)
    storage.allocateOids(2)
    await commit(storage, record(ROOT_OID, [1]), record(1), record(2))
    await commit(storage, record(ROOT_OID, [], 'second'))
    await storage.close()
  })

  afterEach(() => directory.remove())

  it('packs a closed file', async () => {
    const phases = new Set<string>()
    const result = await packFile(path, { onProgress: ({ phase }) => phases.add(phase) })
    expect(result).to.include({ objectsBefore: 3, objectsAfter: 1, historyFrom: 2 })
    expect([...phases]).to.deep.equal(['scan', 'mark', 'copy', 'switch'])
    const storage = await FileStorage.open(path)
    expect(storage.recovery).to.include({ checkpoint: 'used', transactionsReplayed: 0 })
    expect(await oidsOf(storage)).to.deep.equal([0])
    await storage.close()
  })

  it('keeps history, and the old file, and takes little memory, as it is asked', async () => {
    copyFileSync(path, directory.join('copy'))
    await packFile(path, { retain: { transactions: 1 }, keepOld: true, memoryBytes: 100 })
    const storage = await FileStorage.open(path)
    expect(await oidsOf(storage)).to.deep.equal([0, 1])
    await storage.close()
    expect(readFileSync(prepackPath(path)).equals(readFileSync(directory.join('copy')))).to.equal(true)
  })

  it('refuses a file that is in use, or not there, and options that do not exist', async () => {
    const storage = await FileStorage.open(path)
    await failure('PERDURE_LOCKED', () => packFile(path))
    await storage.close()
    await failure('PERDURE_NOT_FOUND', () => packFile(directory.join('none')))
    await failure('PERDURE_ARGUMENT', () => packFile(path, { retention: 5 } as object))
    const reason = new Error('no')
    const given = packFile(path, { signal: AbortSignal.abort(reason) })
    expect(await given.catch((error: unknown) => error)).to.equal(reason)
  })
})
