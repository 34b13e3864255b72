import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { CorruptionError } from '../../src/core/errors.js'
import { checkpointPath } from '../../src/journal/checkpoint.js'
import { watermarkPath } from '../../src/journal/watermark.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

const OBJECTS = 3

describe('recovery', () => {
  let directory: TemporaryDirectory
  let path: string
  let open: TestJournal[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    open = []
  })

  afterEach(() => {
    for (const journal of open) journal.close()
    directory.remove()
  })

  /** Faster, for tests that open a great many times. */
  function withoutSyncs(): FaultyFileSystem {
    const disk = new FaultyFileSystem()
    disk.syncs = false
    return disk
  }

  function reopen(fileSystem?: FaultyFileSystem): TestJournal {
    const journal = new TestJournal(path, fileSystem)
    open.push(journal)
    return journal
  }

  function close(journal: TestJournal): void {
    open.splice(open.indexOf(journal), 1)
    journal.close()
  }

  function removeSidecars(): void {
    rmSync(checkpointPath(path), { force: true })
    rmSync(watermarkPath(path), { force: true })
  }

  /** Makes a journal of four transactions, without sidecar files. Returns the ends and states after each. */
  function makeJournal(): { ends: number[]; states: (string | undefined)[][] } {
    const journal = reopen()
    const ends = [journal.view.state.get('end')]
    const states = [journal.texts(OBJECTS)]
    for (const writes of [
      [[0, 'root']],
      [
        [1, 'a'],
        [2, 'b'],
      ],
      [[1, 'A']],
      [
        [0, 'ROOT'],
        [2, 'B'],
      ],
    ] as [number, string][][]) {
      journal.commit(writes)
      ends.push(journal.view.state.get('end'))
      states.push(journal.texts(OBJECTS))
    }
    close(journal)
    removeSidecars()
    return { ends, states }
  }

  it('of a file cut off anywhere gives the state of the last whole transaction', () => {
    const { ends, states } = makeJournal()
    const whole = readFileSync(path)
    for (let size = 128; size <= whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      removeSidecars()
      const count = ends.filter((end) => end <= size).length - 1
      const journal = reopen(withoutSyncs())
      expect(journal.texts(OBJECTS), `size ${size}`).to.deep.equal(states[count])
      const end = ends[count] as number
      // A rest of zeros only cannot be told from preallocation; a rest that begins with a magic number can.
      expect(journal.loop.recovery.cutAt).to.equal(size === end ? undefined : end)
      expect(statSync(path).size).to.equal(end)
      close(journal)
    }
  })

  it('of a file with any bit flipped gives the whole, the state before the last commit, or an error with the place', () => {
    const { ends, states } = makeJournal()
    const whole = readFileSync(path)
    for (let at = 128; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
      writeFileSync(path, damaged)
      removeSidecars()
      const count = ends.filter((end) => end <= at).length - 1
      if (at >= (ends[3] as number)) {
        const journal = reopen(withoutSyncs())
        expect(journal.texts(OBJECTS), `byte ${at}`).to.deep.equal(states[3])
        close(journal)
      } else {
        expect(() => new TestJournal(path), `byte ${at}`)
          .to.throw(CorruptionError)
          .with.property('offset', ends[count])
        expect(readFileSync(path).equals(damaged), 'nothing is changed').to.equal(true)
      }
    }
  })

  it('does not take damage of the last commit for a torn tail after the journal was closed', () => {
    const { ends } = makeJournal()
    close(reopen())
    const bytes = readFileSync(path)
    const at = (ends[3] as number) + 100
    bytes[at] = (bytes[at] as number) ^ 1
    writeFileSync(path, bytes)
    const journal = reopen()
    expect(journal.view.state.get('end')).to.equal(ends[4])
    expect(() => journal.texts(OBJECTS)).to.throw(CorruptionError)
  })

  it('takes zeros at the end for preallocation', () => {
    const { ends, states } = makeJournal()
    truncateSync(path, 1_000_000)
    const journal = reopen()
    expect(journal.texts(OBJECTS)).to.deep.equal(states[4])
    expect(journal.loop.recovery.cutAt).to.equal(undefined)
    expect(journal.view.state.get('end')).to.equal(ends[4])
  })

  it('cuts a torn tail off, says so, and goes on behind it', () => {
    const { ends, states } = makeJournal()
    const torn = Buffer.concat([readFileSync(path), Buffer.from('TXN1 and then the power went')])
    writeFileSync(path, torn)
    const journal = reopen()
    expect(journal.loop.recovery).to.include({ cutAt: ends[4], cutBytes: 28, transactionsReplayed: 4 })
    expect(journal.texts(OBJECTS)).to.deep.equal(states[4])
    journal.commit([[1, 'on']])
    close(journal)
    expect(reopen().texts(OBJECTS)).to.deep.equal(['ROOT', 'on', 'B'])
  })

  it('writes once more what may not be on the disk, before it accepts it', () => {
    const { ends } = makeJournal()
    const disk = new FaultyFileSystem()
    const journal = reopen(disk)
    // The last transaction says that the one before it was durable when it was written, and nothing says more.
    expect(journal.loop.recovery.bytesRewritten).to.equal((ends[4] as number) - (ends[3] as number))
    const operations = disk.events.filter((event) => event.path === path).map((event) => event.operation)
    expect(operations.slice(operations.indexOf('write'))).to.deep.equal(['write', 'sync'])
    close(journal)
    expect(reopen().loop.recovery.bytesRewritten).to.equal(0)
  })

  it('refuses to open when the rewritten bytes cannot be synced', () => {
    makeJournal()
    const disk = new FaultyFileSystem()
    disk.fault = (event) => (event.operation === 'sync' ? 'EIO' : undefined)
    expect(() => new TestJournal(path, disk))
      .to.throw()
      .with.property('code', 'PERDURE_IO')
  })

  it('takes what a killed writer had published for safe, and damage there for damage', () => {
    const journal = reopen()
    journal.commit([[0, 'first']])
    const end = journal.view.state.get('end')
    journal.commit([[0, 'second']])
    const copy = directory.join('killed.perdure')
    copyFileSync(path, copy)
    copyFileSync(watermarkPath(path), watermarkPath(copy))
    const bytes = readFileSync(copy)
    bytes[end + 80] = 255
    writeFileSync(copy, bytes)
    expect(() => new TestJournal(copy))
      .to.throw(CorruptionError)
      .with.property('offset', end)
  })

  it('does not mistake a database that is stored in a record for its own transactions', () => {
    makeJournal()
    const inner = readFileSync(path)
    const journal = reopen()
    journal.commit([[1, inner.toString('latin1')]])
    const end = journal.view.state.get('end')
    close(journal)
    removeSidecars()
    const bytes = readFileSync(path)
    bytes[end - 4] = (bytes[end - 4] as number) ^ 1
    writeFileSync(path, bytes)
    const cut = reopen()
    expect(cut.texts(OBJECTS)).to.deep.equal(['ROOT', 'A', 'B'])
  })
})
