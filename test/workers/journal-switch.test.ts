import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { FILE_HEADER_BYTES } from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { anythingThrownBy } from '../support/errors.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

function headerOf(path: string) {
  const file = nodeFileSystem.open(path, 'read')
  try {
    return readFileHeader(file)
  } finally {
    file.close()
  }
}

describe('A packed journal that takes the place of the old one', () => {
  let directory: TemporaryDirectory
  let path: string
  let disk: FaultyFileSystem
  let journal: TestJournal

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    disk = new FaultyFileSystem()
    disk.syncs = false
    journal = new TestJournal(path, disk)
  })

  afterEach(() => {
    journal.close()
    directory.remove()
  })

  /** The root, 1 and 2, which it reaches, and garbage: 3, which leads to 4. Transactions 1 to 3. */
  function family(): void {
    journal.commit([
      [0, 'root >1 >3'],
      [1, 'one >2'],
      [2, 'two'],
      [3, 'three >4'],
      [4, 'four'],
    ])
    journal.commit([[0, 'root >1']])
    journal.commit([[2, 'two, changed']])
  }

  function reopen(): void {
    journal.close()
    journal = new TestJournal(path, disk)
  }

  it('holds what can be reached, with the tids it had, and a transaction of the pack', () => {
    family()
    const before = headerOf(path)
    expect(journal.pack()).to.include({ switched: true, tid: 4 })
    const expected = ['root >1', 'one >2', 'two, changed', undefined, undefined]
    for (let round = 0; round < 2; round++) {
      expect(journal.tid).to.equal(4)
      expect(journal.texts(5)).to.deep.equal(expected)
      expect(journal.texts(5, 3)).to.deep.equal(expected)
      expect(journal.view.reader.tidAt(1, journal.view.index.get(1))).to.equal(1)
      expect(journal.view.state.get('objects')).to.equal(3)
      expect(journal.view.state.get('nextOid')).to.equal(5)
      reopen()
    }
    const header = headerOf(path)
    expect(header).to.include({ baseTid: 2, historyFrom: 3, serializer: 'msgpack' })
    expect(header.databaseId).to.deep.equal(before.databaseId)
    expect(header.uuid).to.not.deep.equal(before.uuid)
    expect(readdirSync(directory.path).sort()).to.deep.equal(['a.perdure', 'a.perdure.index', 'a.perdure.live'])
  })

  it('keeps the history that is wanted, and can be packed again', () => {
    family()
    expect(journal.pack(2, 2)).to.include({ switched: true, tid: 4 })
    expect(headerOf(path)).to.include({ baseTid: 0, historyFrom: 2 })
    expect(journal.texts(5, 2)).to.deep.equal(['root >1', 'one >2', 'two', undefined, undefined])
    journal.commit([[1, 'one, alone']])
    expect(journal.pack(3)).to.include({ switched: true, tid: 6 })
    expect(journal.text(1, 4)).to.equal('one >2')
    expect(journal.text(2, 5)).to.equal('two, changed')
    expect(journal.pack()).to.include({ switched: true, tid: 7 })
    expect(journal.texts(5)).to.deep.equal(['root >1', 'one, alone', undefined, undefined, undefined])
    reopen()
    expect(journal.texts(5)).to.deep.equal(['root >1', 'one, alone', undefined, undefined, undefined])
    expect(journal.commit([[1, 'goes on']])).to.deep.equal({ tid: 8 })
  })

  it('is replayed from its base when the checkpoint is gone, and must be whole', () => {
    family()
    journal.pack(3, 3)
    journal.commit([[2, 'two, again']])
    journal.close()
    nodeFileSystem.unlink(`${path}.index`)
    journal = new TestJournal(path, disk)
    expect(journal.loop.recovery).to.include({ checkpoint: 'missing', transactionsReplayed: 5 })
    expect(journal.texts(3)).to.deep.equal(['root >1', 'one >2', 'two, again'])
    journal.close()
    const whole = readFileSync(path)
    nodeFileSystem.unlink(`${path}.index`)
    writeFileSync(path, whole.subarray(0, FILE_HEADER_BYTES + 200))
    expect(anythingThrownBy(() => new TestJournal(path, disk))).to.have.property('code', 'PERDURE_CORRUPTION')
    writeFileSync(path, whole)
    journal = new TestJournal(path, disk)
  })

  it('has what was committed while it was made, and what that refers to again', () => {
    family()
    const pack = journal.beginPack()
    journal.commit([[1, 'one >2 >3']])
    journal.commit([[4, 'four, changed']])
    expect(journal.switchTo(pack)).to.include({ switched: true, tid: 6 })
    expect(journal.texts(5)).to.deep.equal(['root >1', 'one >2 >3', 'two, changed', 'three >4', 'four, changed'])
    expect(journal.text(4, 4)).to.equal('four')
    expect(journal.view.state.get('objects')).to.equal(5)
    reopen()
    expect(journal.texts(5)).to.deep.equal(['root >1', 'one >2 >3', 'two, changed', 'three >4', 'four, changed'])
  })

  it('leaves snapshots of the old journal as they are', () => {
    family()
    const view = JournalView.attach(nodeFileSystem, journal.loop.shared)
    journal.pack()
    journal.commit([[2, 'two, after the pack']])
    const read = (oid: number) => view.reader.load(oid, view.index.get(oid), 2)
    expect(Buffer.from(read(2)?.data ?? []).toString()).to.match(/two$/)
    expect(Buffer.from(read(4)?.data ?? []).toString()).to.match(/four$/)
    expect(view.state.get('tid')).to.equal(3)
    expect(view.state.get('nextOid'), 'is one for all').to.equal(5)
    view.release()
  })

  it('makes no conflicts, and forgets none', () => {
    family()
    const pack = journal.beginPack()
    journal.commit([[1, 'one >2 >3']])
    journal.switchTo(pack)
    expect(journal.commit([[1, 'late']], 3)).to.have.nested.property('conflicts[0].tid', 4)
    expect(journal.commit([[0, 'root >1 >2']], 3)).to.deep.equal({ tid: 6 })
    expect(journal.commit([[2, 'two, of the newest']], 4)).to.deep.equal({ tid: 7 })
    expect(journal.commit([[3, 'carried, not changed']], 2)).to.deep.equal({ tid: 8 })
  })

  it('counts what it has removed among the changes of its transaction', () => {
    family()
    const pack = journal.beginPack()
    journal.commit([[1, 'one >2 >4']])
    journal.switchTo(pack)
    expect(journal.view.changes.between(3, 5)).to.have.members([1, 3])
    expect(journal.view.changes.between(4, 5)).to.deep.equal([3])
    journal.switchTo({ ...journal.beginPack(), removed: [] })
    expect(journal.view.changes.between(5, 6)).to.deep.equal([])
    journal.switchTo(journal.beginPack(), { removed: undefined })
    expect(journal.view.changes.between(6, 7)).to.equal(undefined)
    expect(journal.view.changes.between(7, 7)).to.deep.equal([])
  })

  it('waits until little is left to copy', () => {
    family()
    const pack = journal.beginPack()
    journal.commit([[1, 'x'.repeat(1000)]])
    const early = journal.switchTo(pack, { maxTailBytes: 999 })
    expect(early).to.deep.equal({ switched: false, state: pack.base.state, sourceEnd: pack.base.sourceEnd })
    journal.commit([[2, 'garbage comes back >3']])
    journal.commit([[3, 'y'.repeat(1000)]])
    journal.commit([[0, 'root >1 >2']])
    const later = journal.switchTo(pack, { maxTailBytes: 4000 })
    expect(later).to.include({ switched: true, tid: 8 })
  })

  it('stops before a transaction that brings much back, and goes on from there', () => {
    journal.commit([
      [0, 'root >1'],
      [1, 'one'],
      [2, `large ${'x'.repeat(5000)}`],
    ])
    const pack = journal.beginPack()
    journal.commit([[1, 'one, changed']])
    journal.commit([[0, 'root >1 >2']])
    const early = journal.switchTo(pack, { maxTailBytes: 1000 })
    expect(early).to.have.nested.property('state.tid', 2)
    expect(journal.tid).to.equal(3)
    if (early.switched) throw new Error('It must not.')
    const { state, sourceEnd } = early
    const rest = { ...pack, base: { ...pack.base, state, sourceEnd } }
    expect(journal.switchTo(rest, { maxTailBytes: 10_000 })).to.include({ switched: true, tid: 4 })
    expect(journal.text(2)).to.match(/^large/)
    reopen()
    expect(journal.text(1)).to.equal('one, changed')
    expect(journal.text(2)).to.match(/^large/)
  })

  it('lets the old one stay beside it, whole', () => {
    family()
    journal.switchTo(journal.beginPack(), { keepOld: true })
    journal.commit([[2, 'later']])
    const old = new TestJournal(`${path}.prepack`)
    expect(old.texts(5)).to.deep.equal(['root >1', 'one >2', 'two, changed', 'three >4', 'four'])
    old.close()
    journal.switchTo(journal.beginPack(), { keepOld: true })
    const newer = new TestJournal(`${path}.prepack`)
    expect(newer.text(2)).to.equal('later')
    newer.close()
    expect(readdirSync(directory.path).filter((name) => /\.pack$|prepack.new$/.test(name))).to.be.empty
  })

  it('is not taken when the disk fails before that, and commits go on', () => {
    family()
    let failures = 0
    for (let at = 0; ; at++) {
      const pack = journal.beginPack()
      journal.commit([[2, `round ${at}`]])
      let operations = 0
      disk.fault = ({ operation, path: name }) => {
        const isOfPack = name.startsWith(`${path}.p`) || operation === 'rename'
        return isOfPack && operation !== 'read' && operations++ === at ? 'EIO' : undefined
      }
      const error = anythingThrownBy(() => journal.switchTo(pack, { keepOld: true }))
      disk.fault = () => undefined
      if (error === undefined) break
      failures++
      expect(error).to.have.property('code', 'PERDURE_IO')
      expect(existsSync(`${path}.pack`), 'the new file is gone').to.equal(false)
      expect(journal.commit([[1, `goes on ${at}`]])).to.have.property('tid')
    }
    expect(failures, 'write, write, sync, link, rename, rename').to.equal(6)
  })

  for (const operation of ['sync-directory', 'write'] as const) {
    it(`takes no more commits if ${operation} fails when it has its place`, () => {
      family()
      const pack = journal.beginPack()
      let renamed = false
      disk.fault = (event) => {
        if (renamed && event.operation === operation) return 'EIO'
        renamed ||= event.operation === 'rename'
        return undefined
      }
      expect(anythingThrownBy(() => journal.switchTo(pack))).to.have.property('code', 'PERDURE_POISONED')
      disk.fault = () => undefined
      expect(journal.commit([[1, 'never']])).to.have.nested.property('error.code', 'PERDURE_POISONED')
      expect(anythingThrownBy(() => journal.pack())).to.have.property('code', 'PERDURE_POISONED')
      expect(journal.text(2), 'reading goes on').to.equal('two, changed')
      journal.close()
      journal = new TestJournal(path, disk)
      expect(journal.tid).to.equal(4)
      expect(journal.texts(5)).to.deep.equal(['root >1', 'one >2', 'two, changed', undefined, undefined])
    })
  }

  it('leaves nothing behind when it never got its place', () => {
    family()
    journal.beginPack()
    writeFileSync(`${path}.prepack.new`, 'left')
    reopen()
    expect(readdirSync(directory.path).sort()).to.deep.equal(['a.perdure', 'a.perdure.index', 'a.perdure.live'])
  })

  it('gets a checkpoint at once, in small steps', () => {
    family()
    journal.pack()
    expect(journal.loop.hasWork).to.equal(true)
    while (journal.loop.hasWork) journal.loop.work()
    expect(journal.view.state.get('checkpoints')).to.equal(1)
    const killed = new TestJournal(path)
    expect(killed.loop.recovery).to.include({ checkpoint: 'used', transactionsReplayed: 0 })
    expect(killed.texts(3)).to.deep.equal(['root >1', 'one >2', 'two, changed'])
    killed.close()
  })

  it('may be empty', () => {
    expect(journal.pack()).to.include({ switched: true, tid: 1 })
    journal.commit([[7, 'adrift']])
    expect(journal.pack()).to.include({ switched: true, tid: 3 })
    expect(journal.view.state.get('objects')).to.equal(0)
    reopen()
    expect(journal.tid).to.equal(3)
    expect(journal.view.state.get('nextOid')).to.equal(8)
  })
})
