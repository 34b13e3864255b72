import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect } from 'chai'
import { type Oid, ROOT_OID, type Tid } from '../../src/core/oid.js'
import { FileStorage } from '../../src/storages/file.js'
import { truncateAfter } from '../../src/storages/truncate.js'
import { atNewest, commit, listNewest, listRecords, nextTurn, textOf, write } from '../../src/testing/suite-context.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('truncateAfter', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => directory.remove())

  async function use<T>(file: string, work: (storage: FileStorage) => Promise<T>): Promise<T> {
    const storage = await FileStorage.open(file, { durability: 'os' })
    try {
      return await work(storage)
    } finally {
      await storage.close()
    }
  }

  type State = [Oid, Tid, string | undefined][]

  /** Makes a database of six transactions, and returns its states by tid. */
  async function make(bytes = 10): Promise<State[]> {
    return use(path, async (storage) => {
      const oid = storage.allocateOids(1)
      await commit(storage, [write(ROOT_OID, 'root 1', [oid]), write(oid, 'a 1')])
      for (let tid = 2; tid <= 6; tid++) {
        const fresh = storage.allocateOids(1)
        await commit(storage, [write(oid, `a ${tid}`), write(fresh, 'b'.repeat(bytes), [oid])])
        const before = Date.now()
        while (Date.now() === before) await nextTurn()
      }
      const states: State[] = []
      for (let tid = 0; tid <= 6; tid++) {
        const snapshot = await storage.snapshotAt(tid)
        states.push(await listRecords(snapshot))
        snapshot.release()
      }
      return states
    })
  }

  const files = () => readdirSync(directory.path).sort()

  it('removes what came later, and keeps a copy of all', async () => {
    const states = await make()
    const whole = readFileSync(path)
    const result = await truncateAfter(path, 3)
    const copy = `${path}.before-3`
    expect(result).to.deep.equal({
      path,
      copy,
      tid: 3,
      removed: 3,
      bytesBefore: whole.length,
      bytesAfter: readFileSync(path).length,
    })
    expect(files()).to.deep.equal([path, copy].map((file) => basename(file)))
    expect(readFileSync(copy).equals(whole)).to.equal(true)
    await use(path, async (storage) => {
      expect(storage.recovery).to.include({ checkpoint: 'missing', transactionsReplayed: 3, cutAt: undefined })
      expect(await listNewest(storage)).to.deep.equal(states[3])
      const { problems } = await storage.verify()
      expect(
        problems.filter(({ kind }) => kind !== 'undecodable'),
        'the states are mere texts',
      ).to.deep.equal([])
      for (let tid = 0; tid <= 3; tid++) {
        const snapshot = await storage.snapshotAt(tid)
        expect(await listRecords(snapshot)).to.deep.equal(states[tid])
        snapshot.release()
      }
      expect(await commit(storage, [write(ROOT_OID, 'another way')])).to.equal(4)
    })
    await use(copy, async (storage) => expect(await listNewest(storage)).to.deep.equal(states[6]))
    await use(path, async (storage) => expect(storage.statistics().tid).to.equal(4))
  })

  it('leaves to the file its permissions, and gives them to the copy', async () => {
    await make()
    chmodSync(path, 0o600)
    const { copy } = await truncateAfter(path, 3)
    for (const file of [path, copy as string]) expect(statSync(file).mode & 0o777).to.equal(0o600)
  })

  it('is undone by putting the copy back, whatever files lie beside it', async () => {
    const states = await make()
    const { copy } = await truncateAfter(path, 2)
    const commits = async (storage: FileStorage) => {
      for (let i = 0; i < 20; i++) await commit(storage, [write(ROOT_OID, `another way ${i}`)])
    }
    await use(path, commits)
    copyFileSync(copy as string, path)
    await use(path, async (storage) => {
      expect(storage.recovery.checkpoint).to.equal('foreign')
      expect(await listNewest(storage)).to.deep.equal(states[6])
    })
  })

  it('takes a time, and a name for the copy', async () => {
    const states = await make(700_000)
    const times = await use(path, async (storage) => {
      const found: Date[] = []
      for await (const { time } of storage.transactions()) found.push(time)
      return found
    })
    const copy = directory.join('kept')
    const { tid, removed } = await truncateAfter(path, times[4] as Date, { copy })
    expect({ tid, removed }).to.deep.equal({ tid: 5, removed: 1 })
    await use(path, async (storage) => expect(await listNewest(storage)).to.deep.equal(states[5]))
    await use(copy, async (storage) => expect(await listNewest(storage)).to.deep.equal(states[6]))
  })

  it('can take everything away', async () => {
    await make()
    await truncateAfter(path, 0)
    await use(path, async (storage) => {
      expect(await listNewest(storage)).to.deep.equal([])
      expect(await commit(storage, [write(ROOT_OID, 'root')])).to.equal(1)
    })
  })

  it('does nothing, and copies nothing, where nothing came later', async () => {
    await make()
    const whole = readFileSync(path)
    for (const at of [6, new Date()]) {
      expect(await truncateAfter(path, at)).to.include({ copy: undefined, tid: 6, removed: 0 })
    }
    expect(readFileSync(path).equals(whole)).to.equal(true)
    expect(files().filter((name) => name.includes('before'))).to.deep.equal([])
  })

  it('keeps to the history of a packed file', async () => {
    await make()
    await use(path, async (storage) => {
      await storage.pack({ retain: { tid: 4 } })
      await commit(storage, [write(ROOT_OID, 'after the pack', [])])
    })
    const refused = await failure('PERDURE_HISTORY', () => truncateAfter(path, 3))
    expect(refused.details).to.include({ historyFrom: 4 })
    await truncateAfter(path, 4)
    await use(path, async (storage) => {
      expect(storage.statistics().tid).to.equal(4)
      expect(atNewest(storage, (snapshot) => textOf(snapshot.load(1)))).to.equal('a 4')
      await failure('PERDURE_HISTORY', () => storage.snapshotAt(3))
    })
  })

  it('leaves readonly handles that are open what they have', async () => {
    const states = await make()
    const reader = await FileStorage.open(path, { readonly: true })
    const other = await FileStorage.open(path, { readonly: true })
    await truncateAfter(path, 2)
    expect(await listNewest(reader)).to.deep.equal(states[6])
    await use(path, async (storage) => {
      for (let i = 0; i < 10; i++) await commit(storage, [write(ROOT_OID, `another way ${i}`)])
    })
    expect(await listNewest(reader)).to.deep.equal(states[6])
    expect(await listNewest(other), 'that only looks now').to.deep.equal(states[6])
    await reader.close()
    await other.close()
  })

  it('refuses, and leaves everything as it is', async () => {
    await make()
    const whole = readFileSync(path)
    const before = files()
    await failure('PERDURE_ARGUMENT', () => truncateAfter(path, 7))
    await failure('PERDURE_ARGUMENT', () => truncateAfter(path, -1))
    await failure('PERDURE_ARGUMENT', () => truncateAfter(path, new Date(Number.NaN)))
    await failure('PERDURE_ARGUMENT', () => truncateAfter(path, 3, { copy: path }))
    await failure('PERDURE_ARGUMENT', () => truncateAfter(path, 3, { copi: 'x' } as object))
    await failure('PERDURE_NOT_FOUND', () => truncateAfter(path, 3, { copy: directory.join('no/such/folder/copy') }))
    await failure('PERDURE_NOT_FOUND', () => truncateAfter(directory.join('none'), 3))
    const storage = await FileStorage.open(path)
    await failure('PERDURE_LOCKED', () => truncateAfter(path, 3))
    await storage.close()
    const reason = new Error('enough')
    const aborted = await truncateAfter(path, 3, { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
    expect(aborted).to.equal(reason)
    expect(readFileSync(path).equals(whole)).to.equal(true)
    expect(files()).to.deep.equal(before)
  })

  it('refuses a damaged file, and gives up when told while it works', async () => {
    await make(3_000_000)
    const whole = readFileSync(path)
    const controller = new AbortController()
    const reason = new Error('enough')
    const working = truncateAfter(path, 3, { signal: controller.signal })
    controller.abort(reason)
    expect(await working.catch((error: unknown) => error)).to.equal(reason)
    const damaged = Buffer.from(whole)
    damaged[200] = (damaged[200] as number) ^ 1
    writeFileSync(path, damaged)
    const { details } = await failure('PERDURE_CORRUPTION', () => truncateAfter(path, 3))
    expect(details).to.include({ offset: 128, path })
    expect(readFileSync(path).equals(damaged)).to.equal(true)
    expect(files().filter((name) => name.includes('.new'))).to.deep.equal([])
  })
})
