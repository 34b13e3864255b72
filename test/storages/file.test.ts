import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { expect } from 'chai'
import type { Oid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { msgpack } from '../../src/serializers/msgpack.js'
import { FileStorage, isFileHandle } from '../../src/storages/file.js'
import { startCoordinatorWorker } from '../../src/workers/coordinator-thread.js'
import { numberRecord, recordNumber } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('FileStorage', () => {
  let directory: TemporaryDirectory
  let path: string
  let open: FileStorage[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    open = []
  })

  afterEach(async () => {
    for (const storage of open.reverse()) await storage.close()
    directory.remove()
  })

  async function start(...args: Parameters<typeof FileStorage.open>): Promise<FileStorage> {
    const storage = await FileStorage.open(...args)
    open.push(storage)
    return storage
  }

  async function commit(storage: FileStorage, entries: readonly [Oid, number][]): Promise<void> {
    const writes = entries.map(([oid, value]) => ({ oid, data: numberRecord(value) }))
    const { conflicts } = await storage.commit({ base: storage.statistics().tid, reads: [], writes })
    expect(conflicts).to.equal(undefined)
  }

  function numbers(storage: FileStorage, oids: readonly Oid[]): number[] {
    const snapshot = storage.snapshot()
    try {
      return oids.map((oid) => recordNumber(snapshot.load(oid)))
    } finally {
      snapshot.release()
    }
  }

  async function codeOf(promise: Promise<unknown>): Promise<unknown> {
    return promise.then(
      () => 'fulfilled',
      (error: unknown) => (error as { code: unknown }).code,
    )
  }

  describe('open', () => {
    it('names an option that is misspelled or impossible', async () => {
      const misspelled = { readOnly: true } as object
      expect(await codeOf(start(path, misspelled))).to.equal('PERDURE_ARGUMENT')
      for (const options of [{ durability: 'none' }, { index: 'disk' }, { blockCacheBytes: 1 }, { readonly: 1 }]) {
        const [name] = Object.keys(options) as [string]
        const error = await start(path, options as object).catch((reason: unknown) => reason)
        expect(error).to.be.an('error').with.property('message').that.includes(`"${name}"`)
      }
      expect(existsSync(path)).to.equal(false)
    })

    it('names both serializers when they differ', async () => {
      await (await start(path, { serializer: 'cbor' })).close()
      const error = await start(path, { serializer: 'msgpack' }).catch((reason: unknown) => reason)
      expect(error).to.have.property('code', 'PERDURE_SERIALIZER')
      expect(error)
        .to.have.property('message')
        .that.matches(/"cbor".*"msgpack"/)
      expect(await codeOf(start(path, { serializer: 'msgpack', readonly: true }))).to.equal('PERDURE_SERIALIZER')
      expect((await start(path)).serializer).to.equal('cbor')
    })

    it('refuses what is not a database, and leaves it as it is', async () => {
      writeFileSync(path, 'some text')
      for (const readonly of [false, true]) {
        expect(await codeOf(start(path, { readonly }))).to.equal('PERDURE_NOT_A_DATABASE')
      }
      expect(readdirSync(directory.path)).to.deep.equal(['a.perdure'])
      expect(readFileSync(path, 'utf8')).to.equal('some text')
    })

    it('does not create a database that must exist, or where there is no folder', async () => {
      expect(await codeOf(start(path, { createIfMissing: false }))).to.equal('PERDURE_NOT_FOUND')
      expect(await codeOf(start(path, { readonly: true }))).to.equal('PERDURE_NOT_FOUND')
      expect(await codeOf(start(directory.join('none/a')))).to.equal('PERDURE_NOT_FOUND')
      expect(readdirSync(directory.path)).to.deep.equal([])
    })

    it('refuses a second writer', async () => {
      await start(path)
      expect(await codeOf(start(path))).to.equal('PERDURE_LOCKED')
    })

    it('finds the sidecar files of a database that is opened by a link', async () => {
      const storage = await start(path)
      symlinkSync(path, directory.join('link'))
      await commit(storage, [[1, 11]])
      const reader = await start(directory.join('link'), { readonly: true })
      expect(numbers(reader, [1])).to.deep.equal([11])
      await reader.close()
      await storage.close()
      expect(readdirSync(directory.path).sort()).to.deep.equal(['a.perdure', 'a.perdure.index', 'link'])
      expect((await start(directory.join('link'))).recovery.checkpoint).to.equal('used')
    })

    it('loads the whole index when asked', async () => {
      const storage = await start(path)
      await commit(
        storage,
        Array.from({ length: 3000 }, (_, i) => [i, i]),
      )
      await storage.close()
      expect(numbers(await start(path, { index: 'memory' }), [0, 1, 2999, 3000])).to.deep.equal([0, 1, 2999, 0])
    })
  })

  it('gives back preallocated space when it is closed', async () => {
    const storage = await start(path)
    await commit(storage, [[1, 1]])
    expect(statSync(path).size).to.be.greaterThan(4_000_000)
    const { bytes } = storage.statistics()
    await storage.close()
    expect(statSync(path).size).to.equal(bytes)
  })

  it('without a path is temporary', async () => {
    const storage = await start()
    await commit(storage, [[1, 1]])
    expect(numbers(storage, [1])).to.deep.equal([1])
    expect(storage.capabilities.has('persistent')).to.equal(false)
    await storage.close()
    expect(existsSync(storage.location)).to.equal(false)
    expect(await codeOf(start(undefined, { readonly: true }))).to.equal('PERDURE_ARGUMENT')
  })

  it('joins commits that are made together', async () => {
    const storage = await start(path)
    const commits = Array.from({ length: 64 }, (_, oid) => {
      return storage.commit({ base: 0, reads: [], writes: [{ oid, data: numberRecord(oid) }] })
    })
    const tids = (await Promise.all(commits)).map((result) => result.tid)
    expect(tids).to.deep.equal(Array.from({ length: 64 }, (_, i) => i + 1))
    const statistics = storage.statistics()
    expect(statistics).to.include({ commits: 64, objects: 64, conflicts: 0 })
    expect(statistics['syncs']).to.be.lessThan(64)
    expect(statistics['largestBatch']).to.be.greaterThan(1)
  })

  it('stores large records, and transactions larger than any cache', async () => {
    const storage = await start(path, { blockCacheBytes: 65_536 })
    const large = encodeRecord('Large', [], Buffer.alloc(9_000_000, 7))
    const writes = Array.from({ length: 20_000 }, (_, i) => ({ oid: i + 1, data: numberRecord(i) }))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: large }, ...writes] })
    const snapshot = storage.snapshot()
    expect(Buffer.compare(snapshot.load(0)?.data ?? Buffer.alloc(0), large)).to.equal(0)
    const records = await snapshot.loadMany(writes.map(({ oid }) => oid))
    expect(records.map(recordNumber)).to.deep.equal(writes.map((_, i) => i))
    snapshot.release()
    expect(storage.changes(0, 1)).to.have.property('length', 20_001)
  })

  it('forgets which objects have changed when there have been too many', async () => {
    const storage = await start(path, { durability: 'os' })
    await commit(
      storage,
      Array.from({ length: 70_000 }, (_, i) => [i, i]),
    )
    await commit(storage, [[5, 5]])
    expect(storage.changes(0, 2)).to.equal(undefined)
    expect(storage.changes(1, 2)).to.deep.equal([5])
  })

  describe('verify', () => {
    const state = Uint8Array.from(msgpack.encode({}, { position: () => 0 }))

    it('reports records that are damaged on the disk, with the place', async () => {
      const storage = await start(path)
      const writes = Array.from({ length: 5 }, (_, oid) => ({ oid, data: encodeRecord('Thing', [], state) }))
      await storage.commit({ base: 0, reads: [], writes })
      await storage.close()
      const bytes = readFileSync(path)
      const at = 128 + 64 + 2 * (32 + encodeRecord('Thing', [], state).length)
      bytes[at + 40] = (bytes[at + 40] as number) ^ 1
      writeFileSync(path, bytes)
      for (const readonly of [false, true]) {
        const again = await start(path, { readonly })
        const report = await again.verify()
        expect(report).to.include({ objects: 4, problemCount: 1 })
        expect(report.problems[0]).to.include({ kind: 'damaged', oid: 2, offset: at })
        await again.close()
      }
    })

    it('reads the file that is open, not one that has come to its path', async () => {
      for (const readonly of [false, true]) {
        const open = await start(path)
        const writes = Array.from({ length: 5 }, (_, oid) => ({ oid, data: encodeRecord('Thing', [], state) }))
        await open.commit({ base: 0, reads: [], writes })
        const storage = readonly ? await start(path, { readonly }) : open
        renameSync(path, `${path}.old`)
        writeFileSync(path, 'something else')
        expect(await storage.verify()).to.include({ objects: 5, problemCount: 0 })
        await storage.close()
        await open.close()
        for (const name of [path, `${path}.old`, `${path}.index`]) rmSync(name)
      }
    })

    it('can be stopped in the middle', async () => {
      const storage = await start(path, { durability: 'os' })
      const writes = Array.from({ length: 100_000 }, (_, oid) => ({ oid, data: encodeRecord('Thing', [], state) }))
      await storage.commit({ base: 0, reads: [], writes })
      const controller = new AbortController()
      const reason = new Error('enough')
      const work = storage.verify({ signal: controller.signal, onProgress: () => controller.abort(reason) })
      expect(await work.catch((error: unknown) => error)).to.equal(reason)
    })

    it('is rejected, and not left waiting, when the storage is closed meanwhile', async () => {
      const storage = await start(path, { durability: 'os' })
      const writes = Array.from({ length: 50_000 }, (_, oid) => ({ oid, data: encodeRecord('Thing', [], state) }))
      await storage.commit({ base: 0, reads: [], writes })
      const code = codeOf(storage.verify())
      await storage.close()
      expect(await code).to.equal('PERDURE_CLOSED')
    })
  })

  describe('after its thread has died', () => {
    it('still loads, refuses commits, and can be closed and opened again', async () => {
      let stop = async () => {}
      const storage = await start(path, {}, (data, transfer) => {
        const worker = startCoordinatorWorker(data, transfer)
        stop = async () => void (await worker.terminate())
        return worker
      })
      await commit(storage, [[1, 11]])
      const waiting = codeOf(commit(storage, [[2, 22]]))
      await stop()
      expect(await waiting).to.be.oneOf(['PERDURE_THREAD', 'fulfilled'])
      expect(await codeOf(commit(storage, [[3, 33]]))).to.equal('PERDURE_THREAD')
      expect(numbers(storage, [1])).to.deep.equal([11])
      await storage.close()
      const again = await start(path)
      expect(numbers(again, [1, 3])).to.deep.equal([11, 0])
    })
  })

  it('tells handles for other threads from other values', async () => {
    const storage = await start(path)
    const { handle, transferList } = storage.share()
    expect(isFileHandle(handle)).to.equal(true)
    expect(transferList).to.have.length(1)
    for (const value of [undefined, null, 'path', {}, storage]) expect(isFileHandle(value)).to.equal(false)
    await FileStorage.attach(handle).close()
  })
})
