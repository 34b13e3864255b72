import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { contentHash } from '../../src/conversion/content-hash.js'
import { type ConvertOptions, convert } from '../../src/convert.js'
import { encodeRecord, encodeUntypedRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { open, PersistentMap } from '../../src/index.js'
import { openSource } from '../../src/open-source.js'
import { msgpack, registerSerializer, type Serializer } from '../../src/serializers/index.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { stateCases } from '../../src/testing/serializer-values.js'
import { failure } from '../support/errors.js'
import { encodeObject, FIRST_FREE, fillWithStates, randomStates } from '../support/state-records.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PROCESS = fileURLToPath(new URL('../support/converting-process.js', import.meta.url))

const BUILT_IN = ['msgpack', 'cbor', 'devalue'] as const

/** Forgets what undefined is. */
const lossy: Serializer = {
  name: 'test.lossy',
  encode: (state, references) => msgpack.encode(JSON.parse(JSON.stringify(state)), references),
  decode: (bytes, references) => msgpack.decode(bytes, references),
}

describe('convert', () => {
  let directory: TemporaryDirectory
  let source: string
  let target: string

  before(() => registerSerializer(lossy))

  beforeEach(() => {
    directory = new TemporaryDirectory()
    source = directory.join('source.perdure')
    target = directory.join('target.perdure')
  })

  afterEach(() => directory.remove())

  async function makeSource(serializer = 'msgpack', states = stateCases().map(([, state]) => state)): Promise<void> {
    await using storage = await FileStorage.open(source, { serializer, durability: 'os' })
    await fillWithStates(storage, states)
  }

  /** Converts, and makes sure that the source was not touched, and that nothing is left if it fails. */
  async function convertHere(options: ConvertOptions = {}) {
    const before = { bytes: readFileSync(source), mtime: statSync(source).mtimeMs, names: readdirSync(directory.path) }
    try {
      return await convert(source, target, options)
    } catch (error) {
      expect(readdirSync(directory.path)).to.have.members(before.names)
      throw error
    } finally {
      expect(readFileSync(source).equals(before.bytes), 'the source is as it was').to.equal(true)
      expect(statSync(source).mtimeMs).to.equal(before.mtime)
    }
  }

  async function hashOf(path: string, at?: number): Promise<string> {
    const storage = await openSource(path)
    try {
      const snapshot = at === undefined ? storage.snapshot() : await storage.snapshotAt(at)
      const { hash } = await contentHash(storage, { snapshot })
      snapshot.release()
      return hash
    } finally {
      await storage.close()
    }
  }

  for (const from of BUILT_IN) {
    it(`keeps all that a state may hold, from ${from} to every serializer`, async () => {
      await makeSource(from)
      const hash = await hashOf(source)
      for (const to of BUILT_IN) {
        target = directory.join(`${to}.perdure`)
        const result = await convertHere({ serializer: to })
        expect(result).to.include({ path: target, storage: 'file', serializer: to, transactions: 0, hash })
        expect(await hashOf(target)).to.equal(hash)
        await using storage = await FileStorage.open(target)
        expect(storage.serializer).to.equal(to)
        expect(storage.statistics()).to.include({ objects: result.objects })
        expect(await storage.verify()).to.include({ problemCount: 0 })
      }
    })
  }

  it('keeps random objects, many of them, whatever refers to what', async () => {
    const seed = runSeed()
    await makeSource('msgpack', randomStates(new Random(seed), 12_000, 20))
    const seen: string[] = []
    const result = await convertHere({
      serializer: 'cbor',
      onProgress: ({ phase, objects, objectsTotal }) => {
        expect(objects).to.be.at.most(objectsTotal)
        if (seen.at(-1) !== phase) seen.push(phase)
      },
    })
    expect(seen).to.deep.equal(['copy', 'verify'])
    expect(result.hash, `PERDURE_SEED=${seed}`).to.equal(await hashOf(source))
    expect(result.objects).to.equal(12_300)
  })

  it('gives out no oid again that the old database has given out', async () => {
    await using storage = await FileStorage.open(source)
    const data = encodeObject(msgpack, 'Thing', {})
    storage.allocateOids(2000)
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data }], restored: { time: new Date() } })
    await storage.close()
    await convertHere()
    await using copy = await FileStorage.open(target)
    expect(copy.allocateOids(1)).to.equal(2001)
  })

  it('copies the bytes of states where the serializer stays the same, even one that is not there', async () => {
    const storage = new MemoryStorage({ serializer: 'unknown' })
    const data = encodeRecord('Thing', [new Reference(0, 'Thing')], Buffer.from('what only others understand'))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data }] })
    expect(await convert(storage, target, { verify: false })).to.include({ objects: 1, hash: undefined })
    await using copy = await FileStorage.open(target, { readonly: true })
    expect(copy.serializer).to.equal('unknown')
    const snapshot = copy.snapshot()
    expect(snapshot.load(0)?.data).to.deep.equal(data)
    snapshot.release()
    await failure('PERDURE_SERIALIZER', () => convert(storage, directory.join('other'), { serializer: 'cbor' }))
    await failure('PERDURE_SERIALIZER', () => convert(storage, directory.join('other'), { serializer: 'paper' }))
  })

  it('copies pickles as they are, and says what to do if they are to be something else', async () => {
    const storage = new MemoryStorage({ serializer: 'pickle' })
    const data = encodeUntypedRecord('Node', [0], Buffer.from('(dp0\n.'))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data }] })
    const { hash } = await convert(storage, target)
    expect(hash).to.equal(await hashOf(target))
    const error = await failure('PERDURE_SERIALIZER', () =>
      convert(storage, directory.join('b'), { serializer: 'cbor' }),
    )
    expect(error.message).to.match(/import-durus/)
    await failure('PERDURE_SERIALIZER', () =>
      convert(new MemoryStorage(), directory.join('b'), { serializer: 'pickle' }),
    )
  })

  it('makes an empty database of an empty one', async () => {
    await (await FileStorage.open(source)).close()
    expect(await convertHere({ history: true })).to.include({ objects: 0, transactions: 0, hash: '0'.repeat(64) })
    await (await open(target)).close()
  })

  it('refuses a database that is not whole, and says which object refers to which', async () => {
    const storage = new MemoryStorage()
    const bytes = Uint8Array.from(msgpack.encode({}, { position: () => 0 }))
    const writes = [0, 1, 2].map((oid) => ({
      oid,
      data: encodeRecord('Link', [new Reference(oid === 1 ? 77 : 0, 'Link')], bytes),
    }))
    await storage.commit({ base: 0, reads: [], writes, restored: { time: new Date() } })
    for (const options of [{}, { serializer: 'cbor' }, { verify: false }]) {
      const error = await failure('PERDURE_OBJECT_MISSING', () => convert(storage, target, options))
      expect(error.details).to.include({ oid: 77, referrer: 1 })
      expect(readdirSync(directory.path)).to.deep.equal([])
    }
  })

  it('names the object that it cannot decode or encode', async () => {
    await using storage = await FileStorage.open(source)
    const data = encodeRecord('Thing', [], Buffer.from([0xc1]))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: encodeObject(msgpack, 'Thing', {}) }] })
    await storage.commit({ base: 1, reads: [], writes: [{ oid: storage.allocateOids(1), data }] })
    await storage.close()
    for (const options of [{ serializer: 'cbor' }, {}, { serializer: 'cbor', history: true }]) {
      const error = await failure('PERDURE_DECODE', () => convertHere(options))
      expect(error.details).to.include({ oid: 1 })
    }
  })

  it('notices a serializer that does not give back what it was given', async () => {
    await makeSource('msgpack', [{ a: 1 }, { a: undefined }])
    const error = await failure('PERDURE_IO', () => convertHere({ serializer: lossy.name }))
    expect(error.message).to.include(lossy.name)
    expect(error.details).to.include({ oid: FIRST_FREE + 1 })
    expect(await convertHere({ serializer: lossy.name, verify: false })).to.include({ hash: undefined })
  })

  it('copies from a database that others change meanwhile, as it was at the beginning', async () => {
    await makeSource('msgpack', randomStates(new Random(1), 5000, 5))
    await using storage = await FileStorage.open(source, { durability: 'os' })
    const { hash } = await contentHash(storage)
    let base = storage.statistics().tid
    const commits: Promise<unknown>[] = []
    const onProgress = () => {
      const writes = [{ oid: FIRST_FREE, data: encodeObject(msgpack, 'Changed', { base }) }]
      commits.push(storage.commit({ base: base++, reads: [], writes }))
    }
    for (const history of [false, true]) {
      const expected = history ? (await contentHash(storage)).hash : hash
      const path = directory.join(`copy-${history}`)
      expect(await convert(source, path, { serializer: 'cbor', history, onProgress })).to.include({ hash: expected })
      await Promise.all(commits)
    }
    expect(commits.length).to.be.greaterThan(3)
  })

  it('lets nobody read more than could read the old database', async () => {
    await makeSource('msgpack', [{}])
    chmodSync(source, 0o600)
    await convertHere()
    expect(statSync(target).mode & 0o777).to.equal(0o600)
  })

  it('replaces nothing, and refuses what makes no sense', async () => {
    await makeSource('msgpack', [{}])
    writeFileSync(target, 'mine')
    await failure('PERDURE_ARGUMENT', convertHere)
    expect(readFileSync(target, 'utf8')).to.equal('mine')
    await failure('PERDURE_ARGUMENT', () => convert(source, source))
    target = directory.join('other')
    await failure('PERDURE_ARGUMENT', () => convertHere({ storage: 'paper' }))
    await failure('PERDURE_ARGUMENT', () => convertHere({ serialiser: 'cbor' } as ConvertOptions))
    await failure('PERDURE_SERIALIZER', () => convertHere({ serializer: 'paper' }))
    await failure('PERDURE_NOT_FOUND', () => convert(directory.join('nowhere'), target))
    writeFileSync(directory.join('text'), 'x'.repeat(1000))
    await failure('PERDURE_NOT_A_DATABASE', () => convert(directory.join('text'), target))
  })

  it('is given up when told, and leaves nothing behind', async () => {
    await makeSource('msgpack', randomStates(new Random(1), 10_000, 5))
    const reason = new Error('enough')
    for (const [phase, history] of [
      ['begin', false],
      ['copy', false],
      ['verify', false],
      ['copy', true],
      ['verify', true],
    ] as const) {
      const controller = new AbortController()
      if (phase === 'begin') controller.abort(reason)
      const onProgress = (progress: { phase: string }) => {
        if (progress.phase === phase) controller.abort(reason)
      }
      const options = { serializer: 'cbor', history, onProgress, signal: controller.signal }
      const thrown = await convertHere(options).catch((error: unknown) => error)
      expect(thrown, phase).to.equal(reason)
    }
  })

  it('tells if a thread dies, and leaves nothing behind', async () => {
    const { code, output } = await runProcess('dying')
    expect(output).to.match(/^PERDURE_THREAD .*exited/)
    expect(code).to.equal(0)
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  it('leaves only a draft when it is killed, which the next run removes', async () => {
    await makeSource('msgpack', randomStates(new Random(1), 10_000, 5))
    const before = readFileSync(source)
    const child = fork(PROCESS, ['stopping', source, target])
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(readFileSync(source).equals(before)).to.equal(true)
    expect(readdirSync(directory.path)).to.include('target.perdure.converting').and.not.include('target.perdure')
    expect(await convert(source, target, { serializer: 'cbor' })).to.include({ hash: await hashOf(source) })
    expect(
      readdirSync(directory.path)
        .filter((name) => name.startsWith('target'))
        .sort(),
    ).to.deep.equal(['target.perdure', 'target.perdure.index'])
  })

  async function runProcess(what: string): Promise<{ code: number; output: string }> {
    const child = fork(PROCESS, [what, source, target], { silent: true })
    let output = ''
    child.stdout?.on('data', (text) => (output += text))
    const [code] = (await once(child, 'close')) as [number]
    return { code, output }
  }

  describe('with the history', () => {
    /** Some transactions of a map that is changed all the time. */
    async function makeHistory(storage = 'file'): Promise<void> {
      await using db = await open(source, { storage })
      for (let round = 0; round < 20; round++) {
        const options = { note: `round ${round}`, user: round % 2 === 0 ? 'ada' : '' }
        await db.transact((root) => {
          root.set('round', round).set(`map ${round}`, new PersistentMap([['n', round]]))
          if (round > 3) root.delete(`map ${round - 3}`)
        }, options)
      }
    }

    async function compareStates(shift: number, from: number): Promise<number> {
      await using original = await FileStorage.open(source, { readonly: true })
      await using copy = await FileStorage.open(target, { readonly: true })
      let compared = 0
      for await (const { tid, time, note, user, token } of original.transactions({ from })) {
        expect(await hashOf(target, tid - shift)).to.equal(await hashOf(source, tid))
        for await (const copied of copy.transactions({ from: tid - shift, to: tid - shift })) {
          expect([copied.time, copied.note, copied.user, copied.token]).to.deep.equal([time, note, user, token])
          compared++
        }
      }
      return compared
    }

    it('keeps every transaction, its number too, if nothing has been packed', async () => {
      await makeHistory()
      const result = await convertHere({ serializer: 'cbor', history: true })
      expect(result.transactions).to.equal(21)
      expect(await compareStates(0, 1)).to.equal(21)
      await using db = await open(target)
      expect(db.storage.statistics().tid).to.equal(21)
      expect((await db.at(8)).root.get('round')).to.equal(6)
    })

    for (const kind of ['file', 'sqlite']) {
      it(`begins with the oldest state that a pack has left, of ${kind}`, async () => {
        await makeHistory(kind)
        {
          await using db = await open(source)
          await db.pack({ retain: { transactions: 10 } })
          await db.transact((root) => void root.set('after', 'the pack'))
        }
        const { transactions, storage } = await convertHere({ serializer: 'devalue', history: true })
        expect(storage).to.equal(kind)
        const original = await openSource(source)
        const copy = await openSource(target)
        const tids: number[] = []
        for await (const { tid, oids } of original.transactions()) if (oids.length > 0) tids.push(tid)
        const last = tids.at(-1) as number
        const before = await failure('PERDURE_HISTORY', () => original.snapshotAt(0))
        expect(await hashOf(target, 1)).to.equal(await hashOf(source, before.details['historyFrom'] as number))
        // One of the transactions may be that of the pack, which has written nothing.
        const written: number[] = []
        for (const tid of tids) if ((await hashOf(source, tid)) !== (await hashOf(source, tid - 1))) written.push(tid)
        expect(transactions).to.equal(written.length)
        expect(written).to.include(last).and.to.have.lengthOf.within(9, 12)
        for (const [i, tid] of written.entries()) {
          expect(await hashOf(target, i + 2)).to.equal(await hashOf(source, tid))
        }
        for await (const { time } of copy.transactions({ to: 1 })) {
          expect(time.getTime()).to.equal(before.details['historyTime'])
        }
        await original.close()
        await copy.close()
      })
    }

    it('goes from a file to SQLite and back, with its times and remarks', async () => {
      await makeHistory()
      const sqlite = directory.join('target.sqlite')
      const there = await convert(source, sqlite, { storage: 'sqlite', serializer: 'cbor', history: true })
      expect(there).to.include({ storage: 'sqlite', transactions: 21 })
      expect(readFileSync(sqlite, 'latin1')).to.match(/^SQLite format 3/)
      expect(readdirSync(directory.path)).to.not.include('target.sqlite.converting')
      // The kind stays what it is if nothing is said.
      expect(await convert(sqlite, directory.join('other.sqlite'))).to.include({ storage: 'sqlite', hash: there.hash })
      const back = await convert(sqlite, target, { storage: 'file', serializer: 'msgpack', history: true })
      expect(back).to.include({ storage: 'file', transactions: 21, hash: there.hash })
      expect(await compareStates(0, 1)).to.equal(21)
    })

    it('is refused where one of the two keeps none', async () => {
      const memory = new MemoryStorage()
      await failure('PERDURE_UNSUPPORTED', () => convert(memory, target, { history: true }))
    })
  })
})
