import { expect } from 'chai'
import { JournalFollower } from '../../src/journal/follower.js'
import { type FileSystem, fileSystemOver } from '../../src/journal/journal-file.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { anythingThrownBy } from '../support/errors.js'
import { FreeingBinding } from '../support/freeing-binding.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

describe('A large file of which a pack takes the last name', () => {
  let directory: TemporaryDirectory
  let path: string
  let calls: FreeingBinding
  let fileSystem: FileSystem
  let journal: TestJournal

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    calls = new FreeingBinding()
    fileSystem = fileSystemOver(calls.binding)
    journal = new TestJournal(path, fileSystem)
    journal.commit([
      [0, 'root >1'],
      [1, 'large '.repeat(50_000)],
    ])
  })

  afterEach(() => {
    journal.close()
    directory.remove()
  })

  it('is not freed by the coordinator', () => {
    journal.pack()
    expect(calls.freed).to.deep.equal(['close'])
  })

  it('is not freed by the coordinator if it had been kept by an earlier pack', () => {
    journal.switchTo(journal.beginPack(), { keepOld: true })
    expect(calls.freed).to.be.empty
    journal.switchTo(journal.beginPack(), { keepOld: true })
    expect(calls.freed).to.deep.equal(['close'])
  })

  it('is not freed by the coordinator if it is the new one, and the pack has failed', () => {
    const pack = journal.beginPack()
    const failing = { ...pack.base, state: { ...pack.base.state, tid: -1 }, sourceEnd: pack.base.sourceEnd - 8 }
    expect(anythingThrownBy(() => journal.switchTo({ ...pack, base: failing }))).to.have.property('code')
    expect(fileSystem.exists(`${path}.pack`)).to.equal(false)
    expect(calls.freed).to.deep.equal(['close'])
  })

  it('is not freed by the thread that releases the last snapshot of it', () => {
    const view = JournalView.attach(fileSystem, journal.loop.shared)
    const snapshot = view.retain()
    journal.pack()
    expect(calls.freed, 'the snapshot has it').to.be.empty
    view.retire()
    expect(snapshot.reader.load(0, snapshot.index.get(0), 1)?.tid).to.equal(1)
    snapshot.release()
    expect(calls.freed).to.deep.equal(['close'])
  })

  it('is not freed by a readonly process that goes over to the new one', () => {
    const follower = new JournalFollower(fileSystem, path, false, 64 * 1024)
    journal.pack()
    expect(calls.freed).to.be.empty
    follower.refresh()
    expect(calls.freed).to.deep.equal(['close'])
    follower.close()
  })
})
