import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { CorruptionError } from '../../src/core/errors.js'
import { checkpointPath } from '../../src/journal/checkpoint.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

const OBJECTS = 3000

describe('checkpoint', () => {
  let directory: TemporaryDirectory
  let path: string
  let sidecar: string
  let open: TestJournal[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    sidecar = checkpointPath(path)
    open = []
    const journal = reopen()
    journal.commit(Array.from({ length: OBJECTS }, (_, oid) => [oid, `first ${oid}`] as const))
    journal.commit([[7, 'second 7']])
    close(journal)
  })

  afterEach(() => {
    for (const journal of open) journal.close()
    directory.remove()
  })

  function reopen(settings?: ConstructorParameters<typeof TestJournal>[2]): TestJournal {
    const disk = new FaultyFileSystem()
    disk.syncs = false
    const journal = new TestJournal(path, disk, settings)
    open.push(journal)
    return journal
  }

  function close(journal: TestJournal): void {
    open.splice(open.indexOf(journal), 1)
    journal.close()
  }

  function expectWhole(journal: TestJournal): void {
    const expected = Array.from({ length: OBJECTS }, (_, oid) => (oid === 7 ? 'second 7' : `first ${oid}`))
    expect(journal.texts(OBJECTS)).to.deep.equal(expected)
    expect(journal.view.state.get('objects')).to.equal(OBJECTS)
    expect(journal.tid).to.equal(2)
  }

  it('makes reading the journal unnecessary', () => {
    const journal = reopen()
    expect(journal.loop.recovery).to.include({ checkpoint: 'used', transactionsReplayed: 0, bytesRewritten: 0 })
    expectWhole(journal)
    expect(journal.view.state.get('indexRebuilds')).to.equal(0)
  })

  it('can be loaded all at once, and then be deleted', () => {
    const journal = reopen({ loadIndex: true })
    rmSync(sidecar)
    expectWhole(journal)
    expect(journal.view.state.get('indexRebuilds')).to.equal(0)
  })

  it('may be missing', () => {
    rmSync(sidecar)
    const journal = reopen()
    expect(journal.loop.recovery).to.include({ checkpoint: 'missing', transactionsReplayed: 2 })
    expectWhole(journal)
  })

  it('may be old', () => {
    const old = readFileSync(sidecar)
    const journal = reopen()
    journal.commit([[5000, 'third']])
    close(journal)
    writeFileSync(sidecar, old)
    const again = reopen()
    expect(again.loop.recovery).to.include({ checkpoint: 'used', transactionsReplayed: 1 })
    expect([again.text(5000), again.text(6), again.text(7)]).to.deep.equal(['third', 'first 6', 'second 7'])
  })

  it('shows that the journal has lost what it had, or is an older copy, which must be said', () => {
    copyFileSync(path, directory.join('backup'))
    const journal = reopen()
    journal.commit([[7, 'lost']])
    close(journal)
    const { size } = statSync(directory.join('backup'))
    copyFileSync(directory.join('backup'), path)
    expect(() => reopen())
      .to.throw(CorruptionError, 'delete the sidecar files')
      .with.property('offset', size)
    rmSync(sidecar)
    expectWhole(reopen())
  })

  it('may be of another life of the same journal', () => {
    copyFileSync(path, directory.join('backup'))
    const journal = reopen()
    journal.commit([[7, 'lost']])
    close(journal)
    const other = readFileSync(sidecar)
    copyFileSync(directory.join('backup'), path)
    rmSync(sidecar)
    const restored = reopen()
    restored.commit([[8, 'kept']])
    close(restored)
    writeFileSync(sidecar, other)
    const last = reopen()
    expect(last.loop.recovery.checkpoint).to.equal('foreign')
    expect([last.text(7), last.text(8)]).to.deep.equal(['second 7', 'kept'])
  })

  it('may be of another database', () => {
    const other = new TestJournal(directory.join('b.perdure'))
    other.commit([[0, 'other']])
    other.close()
    copyFileSync(checkpointPath(directory.join('b.perdure')), sidecar)
    const journal = reopen()
    expect(journal.loop.recovery.checkpoint).to.equal('foreign')
    expectWhole(journal)
  })

  it('never gives wrong data, whichever byte of it is damaged', () => {
    const whole = readFileSync(sidecar)
    for (let at = 0; at < whole.length; at += at < 140 ? 1 : 487) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ 16
      writeFileSync(sidecar, damaged)
      const journal = reopen()
      expectWhole(journal)
      close(journal)
    }
  })

  it('is replaced when a page turns out to be damaged after opening', () => {
    const damaged = readFileSync(sidecar)
    damaged[9000] = (damaged[9000] as number) ^ 1
    writeFileSync(sidecar, damaged)
    const journal = reopen()
    expect(journal.loop.recovery.checkpoint).to.equal('used')
    journal.commit([[1500, 'newer than the rebuilt entry']])
    expect(journal.text(1500)).to.equal('newer than the rebuilt entry')
    expect(journal.text(1501)).to.equal('first 1501')
    expect(journal.view.state.get('indexRebuilds')).to.be.greaterThan(0)
    close(journal)
    const again = reopen()
    expect(again.text(1501)).to.equal('first 1501')
    expect(again.view.state.get('indexRebuilds')).to.equal(0)
  })

  it('that is damaged together with the journal gives an error, and not for each load a new search', () => {
    const damaged = readFileSync(sidecar)
    damaged[9000] = (damaged[9000] as number) ^ 1
    writeFileSync(sidecar, damaged)
    const bytes = readFileSync(path)
    bytes[1000] = (bytes[1000] as number) ^ 1
    writeFileSync(path, bytes)
    const journal = reopen()
    expect(() => journal.text(1500))
      .to.throw(CorruptionError)
      .with.property('offset', 128)
    expect(() => journal.text(1501)).to.throw(CorruptionError)
  })

  it('is written during work, between commits that go on', () => {
    const journal = reopen({ checkpointBytes: 100_000 })
    const text = 'x'.repeat(1000)
    let steps = 0
    for (let i = 0; i < 1000; i++) {
      journal.commit([[i, `${i}${text}`]])
      if (journal.loop.hasWork) steps++
      journal.loop.work()
    }
    expect(journal.view.state.get('checkpoints')).to.be.greaterThan(2)
    expect(steps).to.be.greaterThan(4)
    // As after a kill: what was not closed is opened under another name, with the newest checkpoint.
    const copy = directory.join('killed.perdure')
    copyFileSync(path, copy)
    copyFileSync(sidecar, checkpointPath(copy))
    const killed = new TestJournal(copy)
    expect(killed.loop.recovery.checkpoint).to.equal('used')
    expect(killed.loop.recovery.transactionsReplayed).to.be.lessThan(500)
    expect(killed.texts(OBJECTS)).to.deep.equal(journal.texts(OBJECTS))
    expect(killed.view.state.get('objects')).to.equal(OBJECTS)
    killed.close()
  })
})
