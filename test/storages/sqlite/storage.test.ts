import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { encodeRecord } from '../../../src/core/record.js'
import { Reference } from '../../../src/core/reference.js'
import { open } from '../../../src/open.js'
import type { StorageOpenOptions } from '../../../src/storages/registry.js'
import { detectStorageKind } from '../../../src/storages/registry.js'
import { SqliteStorage, type SqliteStorageOptions } from '../../../src/storages/sqlite.js'
import { failure } from '../../support/errors.js'
import { numberRecord, recordNumber } from '../../support/number-record.js'
import { sqliteEngines } from '../../support/sqlite-engines.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const COMMITTING_WORKER = new URL('../../support/committing-sqlite-worker.js', import.meta.url)

describe('SqliteStorage', () => {
  let directory: TemporaryDirectory
  let path: string
  let opened: SqliteStorage[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.sqlite')
    opened = []
  })

  afterEach(async () => {
    for (const storage of opened) await storage.close()
    directory.remove()
  })

  async function start(...args: Parameters<typeof SqliteStorage.open>): Promise<SqliteStorage> {
    const storage = await SqliteStorage.open(...args)
    opened.push(storage)
    return storage
  }

  /** What the tables hold, by a connection of our own. */
  function query(sql: string): unknown[] {
    const connection = sqliteEngines[0]?.open(path, { readonly: true })
    const rows = connection?.prepare(sql).all() ?? []
    connection?.close()
    return rows.map((row) => [...row])
  }

  it('is found by its magic, and made where it is asked for', async () => {
    {
      await using db = await open<{ answer: number }>(path, { storage: 'sqlite', cacheBytes: 1_000_000 })
      await db.transact((root) => void root.set('answer', 42))
    }
    expect((await detectStorageKind(path))?.name).to.equal('sqlite')
    await using db = await open<{ answer: number }>(path)
    expect(db.storage.kind).to.equal('sqlite')
    expect(await db.transact((root) => root.get('answer'))).to.equal(42)
  })

  it('refuses options that do not exist, or are impossible', async () => {
    const bad: [StorageOpenOptions, string][] = [
      [{ index: 'memory' }, 'no option "index"'],
      [{ durability: 'none' }, "'fsync' or 'os'"],
      [{ cacheBytes: 5 }, '65536'],
      [{ serializer: 'Not A Name' }, 'a-z'],
      [{ readonly: 'yes' as unknown as boolean }, 'true or false'],
    ]
    for (const [options, words] of bad) {
      const error = await failure('PERDURE_ARGUMENT', () => start(path, options as SqliteStorageOptions))
      expect(error.message).to.include(words)
    }
    await failure('PERDURE_ARGUMENT', () => start(undefined, { readonly: true }))
    expect(existsSync(path)).to.equal(false)
  })

  it('creates nothing where it must not, and says what is there instead', async () => {
    await failure('PERDURE_NOT_FOUND', () => start(path, { createIfMissing: false }))
    await failure('PERDURE_NOT_FOUND', () => start(path, { readonly: true }))
    expect(readdirSync(directory.path)).to.deep.equal([])
    writeFileSync(path, '')
    expect((await failure('PERDURE_NOT_A_DATABASE', () => start(path))).message).to.include('empty')
    writeFileSync(path, 'x'.repeat(5000))
    await failure('PERDURE_NOT_A_DATABASE', () => start(path))
    const other = sqliteEngines[0]?.open(directory.join('other.sqlite'))
    other?.exec('create table t(a)')
    other?.close()
    for (const readonly of [true, false]) {
      const error = await failure('PERDURE_NOT_A_DATABASE', () => start(directory.join('other.sqlite'), { readonly }))
      expect(error.message).to.include('not one of Perdure')
    }
  })

  it('refuses what a newer release has written, and another serializer', async () => {
    await (await start(path, { serializer: 'cbor' })).close()
    await failure('PERDURE_SERIALIZER', () => start(path, { serializer: 'msgpack' }))
    const connection = sqliteEngines[0]?.open(path)
    connection?.exec('pragma user_version = 2')
    connection?.close()
    const error = await failure('PERDURE_FORMAT_VERSION', () => start(path))
    expect(error.details).to.include({ version: 2, known: 1 })
  })

  it('is removed when it is temporary', async () => {
    const storage = await start()
    expect(storage.capabilities.has('persistent')).to.equal(false)
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(1) }] })
    expect(existsSync(storage.location)).to.equal(true)
    await storage.close()
    expect(existsSync(storage.location)).to.equal(false)
  })

  it('does not give out oids again that were ever given out, if it was closed in good order', async () => {
    let next = 1
    for (let round = 0; round < 3; round++) {
      const storage = await start(path)
      const first = storage.allocateOids(10)
      expect(first).to.equal(next)
      next = first + 10
      await storage.commit({ base: round, reads: [], writes: [{ oid: first, data: numberRecord(round) }] })
      await storage.close()
    }
  })

  it('has tables that say what is in them', async () => {
    const storage = await start(path)
    const writes = [0, 1].map((oid) => ({ oid, data: numberRecord(oid) }))
    await storage.commit({ base: 0, reads: [], writes, note: 'first', user: 'ada' })
    await storage.commit({ base: 1, reads: [], writes: [{ oid: 1, data: numberRecord(12345) }] })
    await storage.close()
    expect(query('select tid, user, note, packed, objects from transactions order by tid')).to.deep.equal([
      [1, 'ada', 'first', 0, 2],
      [2, '', '', 0, 2],
    ])
    expect(query('select oid, tid, class from records order by oid, tid')).to.deep.equal([
      [0, 1, 'Number'],
      [1, 1, 'Number'],
      [1, 2, 'Number'],
    ])
    expect(query('select oid, tid, class, bytes from objects order by oid')).to.deep.equal([
      [0, 1, 'Number', numberRecord(0).length],
      [1, 2, 'Number', numberRecord(12345).length],
    ])
    expect(query("select value from meta where key = 'serializer'")).to.deep.equal([['msgpack']])
    expect(query('pragma integrity_check')).to.deep.equal([['ok']])
  })

  it('is shared with other threads', async () => {
    const storage = await start(path)
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(0) }] })
    const { handle, transferList } = storage.share()
    const worker = new Worker(COMMITTING_WORKER, { workerData: { handle, count: 50 }, transferList })
    const ended = once(worker, 'exit')
    for (let round = 0; round < 50; ) {
      const snapshot = storage.snapshot()
      const number = recordNumber(snapshot.load(0))
      snapshot.release()
      const writes = [{ oid: 0, data: numberRecord(number + 1) }]
      const { tid } = await storage.commit({ base: snapshot.tid, reads: [], writes })
      if (tid !== undefined) round++
    }
    expect(await ended).to.deep.equal([0])
    const snapshot = storage.snapshot()
    expect(recordNumber(snapshot.load(0))).to.equal(100)
    snapshot.release()
    expect(storage.statistics().tid).to.equal(101)
  })

  it('rejects all that waits when its thread dies, and is whole when it is opened again', async () => {
    let worker: Worker | undefined
    const storage = await start(path, {}, (data, transferList) => {
      const url = new URL('../../../src/storages/sqlite/writer-worker.js', import.meta.url)
      worker = new Worker(url, { workerData: data, transferList })
      return worker
    })
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(7) }] })
    const data = encodeRecord('Large', [], new Uint8Array(1_000_000))
    const waiting = Array.from({ length: 5 }, (_, i) => {
      return storage.commit({ base: 1, reads: [], writes: [{ oid: i + 1, data }] })
    })
    const outcomes = Promise.allSettled(waiting)
    await worker?.terminate()
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).to.have.property('code', 'PERDURE_THREAD')
    }
    await failure('PERDURE_THREAD', () => storage.commit({ base: 1, reads: [], writes: [] }))
    await storage.close()
    const again = await start(path)
    const snapshot = again.snapshot()
    expect(recordNumber(snapshot.load(0))).to.equal(7)
    snapshot.release()
    expect((await again.verify()).problems.filter(({ kind }) => kind !== 'undecodable')).to.deep.equal([])
  })

  it('makes backups while commits go on', async () => {
    const storage = await start(path)
    for (let tid = 0; tid < 20; tid++) {
      const writes = Array.from({ length: 50 }, (_, oid) => ({ oid, data: numberRecord(tid + 1) }))
      await storage.commit({ base: tid, reads: [], writes })
    }
    const copy = directory.join('copy.sqlite')
    let done = false
    const backup = storage.backup(copy).finally(() => (done = true))
    while (!done) {
      const { tid } = storage.statistics()
      const writes = Array.from({ length: 50 }, (_, oid) => ({ oid, data: numberRecord(tid + 1) }))
      await storage.commit({ base: tid, reads: [], writes })
    }
    const { tid } = await backup
    await storage.commit({ base: storage.statistics().tid, reads: [], writes: [{ oid: 0, data: numberRecord(0) }] })
    const restored = await start(copy)
    expect(restored.statistics().tid).to.equal(tid)
    expect(restored.databaseId).to.equal(storage.databaseId)
    const snapshot = restored.snapshot()
    for (let oid = 0; oid < 50; oid++) expect(recordNumber(snapshot.load(oid))).to.equal(tid)
    snapshot.release()
    const before = await restored.snapshotAt(3)
    expect(recordNumber(before.load(9))).to.equal(3)
    before.release()
    await failure('PERDURE_ARGUMENT', () => storage.backup(copy))
    await failure('PERDURE_ARGUMENT', () => storage.backup(''))
    const reason = new Error('enough')
    const given = await storage.backup(directory.join('b'), { signal: AbortSignal.abort(reason) }).catch((e) => e)
    expect(given).to.equal(reason)
    await failure('PERDURE_PERMISSION', () => storage.backup(directory.join('no/where')))
    expect(readdirSync(directory.path).filter((name) => name.includes('draft'))).to.deep.equal([])
  })

  it('packs what it can, and says what it cannot', async () => {
    const storage = await start(path)
    await failure('PERDURE_UNSUPPORTED', () => storage.pack({ keepOld: true }))
    await failure('PERDURE_ARGUMENT', () => storage.pack({ retain: { tid: -1 } }))
    await failure('PERDURE_ARGUMENT', () => storage.pack({ memoryBytes: 5 } as object))
    const thrown = new Error('of the listener')
    for (const phase of ['scan', 'catch-up', 'switch']) {
      const onProgress = (progress: { phase: string }) => {
        if (progress.phase === phase) throw thrown
      }
      await storage.commit({ base: storage.statistics().tid, reads: [], writes: [{ oid: 5, data: numberRecord(1) }] })
      expect(await storage.pack({ onProgress }).catch((error: unknown) => error)).to.equal(thrown)
    }
    expect((await storage.pack()).objectsAfter).to.equal(0)
    const shared = await SqliteStorage.attach(storage.share().handle)
    opened.unshift(shared)
    await failure('PERDURE_UNSUPPORTED', () => shared.pack())
    await failure('PERDURE_UNSUPPORTED', async () => shared.share())
    const reader = await start(path, { readonly: true })
    await failure('PERDURE_READONLY', () => reader.pack())
    await failure('PERDURE_READONLY', async () => reader.allocateOids(1))
  })

  it('knows what was removed after an open snapshot, and what never was there', async () => {
    const storage = await start(path)
    const write = (base: number, oid: number, targets: number[] = []) => {
      const references = targets.map((target) => new Reference(target, 'Thing'))
      return storage.commit({
        base,
        reads: [],
        writes: [{ oid, data: encodeRecord('Thing', references, Buffer.of(1)) }],
      })
    }
    await write(0, 0)
    const held = storage.snapshot()
    await write(1, 2)
    await storage.pack()
    await write(3, 0)
    await storage.pack()
    await failure('PERDURE_OBJECT_MISSING', () => write(held.tid, 4, [3]))
    expect((await write(held.tid, 4, [2])).conflicts?.map(({ oid }) => oid)).to.deep.equal([2])
    held.release()
    await storage.pack()
    expect((await write(4, 4, [0])).tid).to.equal(5)
  })

  it('gives the space of what a pack removes back', async () => {
    const storage = await start(path, { durability: 'os' })
    const fill = (base: number) => {
      const writes = Array.from({ length: 300 }, (_, i) => ({ oid: i + 1, data: numberRecord(10 ** 300 + base) }))
      return storage.commit({ base, reads: [], writes })
    }
    for (let base = 0; base < 20; base++) await fill(base)
    const pages = () => (query('select page_count from pragma_page_count')[0] as number[])[0] as number
    const before = pages()
    await storage.pack()
    expect(pages()).to.be.below(before / 4)
  })
})
