import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { type PackSettings, packJournal } from '../../src/workers/pack.js'
import { failure } from '../support/errors.js'
import { packHere } from '../support/pack-here.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

describe('packJournal', () => {
  let directory: TemporaryDirectory
  let journal: TestJournal

  beforeEach(() => {
    directory = new TemporaryDirectory()
    journal = new TestJournal(directory.join('a.perdure'))
    // The root, and garbage.
    journal.commit([
      [0, 'root'],
      [1, `one >2 ${'x'.repeat(500)}`],
      [2, 'two'],
    ])
  })

  afterEach(() => {
    journal.close()
    directory.remove()
  })

  /** Packs; each attempt meets a commit that brings the garbage back when it begins to copy. */
  function pack(settings: PackSettings, isToCommit: (attempt: number) => boolean) {
    let attempts = 0
    const pool = packHere(nodeFileSystem, (name) => {
      if (name === 'packCopy' && isToCommit(++attempts)) journal.commit([[0, `root >1, again ${attempts}`]])
      // Otherwise the next attempt would find it in use.
      if (name === 'packTail' && isToCommit(attempts + 1)) journal.commit([[0, `root, ${attempts}`]])
    })
    const { loop, view } = journal
    const host = {
      shared: loop.shared,
      published: (name: 'end' | 'objects') => view.state.get(name),
      switchTo: async (request: Parameters<typeof loop.switchTo>[0]) => loop.switchTo(request),
    }
    return packJournal(nodeFileSystem, pool, host, settings, new AbortController().signal)
  }

  it('begins anew when a commit brings back more garbage than fits a transaction', async () => {
    const phases: string[] = []
    const tuning = { switchBytes: 100, largestBytes: 400 }
    const packing = pack({ tuning, onProgress: ({ phase }) => phases.push(phase) }, (attempt) => attempt === 1)
    const { objectsAfter } = await packing
    expect(objectsAfter).to.equal(3)
    expect(phases.filter((phase, i) => phase === 'scan' && phases[i - 1] !== 'scan')).to.have.length(2)
  })

  it('gives up when that happens again and again, and the file is as it was', async () => {
    const tuning = { switchBytes: 100, largestBytes: 400 }
    const error = await failure('PERDURE_LIMIT', () => pack({ tuning }, () => true))
    expect(error.details).to.deep.equal({ tid: 6, limit: 400 })
    expect(readdirSync(directory.path).filter((name) => name.includes('.pack'))).to.deep.equal([])
    expect(journal.texts(3)[2]).to.equal('two')
  })
})
