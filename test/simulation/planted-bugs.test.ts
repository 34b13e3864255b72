import { expect } from 'chai'
import type { Durability } from '../../src/workers/messages.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { Explorer } from './explorer.js'
import { engineWithBugs, type PlantedBug } from './planted-bug.js'

/** Far fewer than the exploration of the real code looks at. */
const MOST_STATES = 20_000
const SEED = 7

const LOST =
  /Transaction \d+ was there, and after it only|After a second crash there are|opening shows|had been stored safely/

const BUGS: readonly {
  readonly name: string
  readonly bugs: readonly PlantedBug[]
  readonly finding: RegExp
  readonly durability?: Durability
}[] = [
  {
    name: 'a commit is answered without a sync',
    bugs: [
      {
        file: 'workers/coordinator-loop.js',
        find: /this\.#journal\.writer\.sync\(\);\n\s*(?=this\.#published)/,
        replace: '',
      },
    ],
    finding: LOST,
  },
  {
    name: 'a commit is published before the sync',
    bugs: [
      {
        file: 'workers/coordinator-loop.js',
        find: /this\.#store\(accepted\);/,
        replace: 'this.#publish(accepted); this.#store(accepted);',
      },
      { file: 'workers/coordinator-loop.js', find: /\}\n\s*this\.#publish\(accepted\);/, replace: '}' },
    ],
    finding: LOST,
  },
  {
    name: 'a checkpoint is finished before the journal is synced',
    bugs: [
      {
        file: 'workers/coordinator-loop.js',
        find: 'syncedEnd: () => this.#syncedEnd()',
        replace: 'syncedEnd: () => this.#journal.writer.end',
      },
    ],
    durability: 'os',
    finding: /had been stored safely/,
  },
  {
    name: 'the checksum of a transaction is not checked',
    bugs: [
      {
        file: 'journal/format.js',
        find: /return crc32\(.*\) === trailer\.checksum \? trailer\.checksum : undefined/,
        replace: 'return trailer.checksum',
      },
    ],
    finding: /its checksum is wrong|is not an integer typed array/,
  },
  {
    name: 'the directory is not synced',
    bugs: [{ file: 'journal/journal.js', find: 'fileSystem.syncDirectory(path);', replace: '' }],
    finding: /The database is gone|After a second crash there are/,
  },
  {
    name: 'the directory is synced only by the process that creates the database',
    bugs: [
      { file: 'journal/journal.js', find: 'fileSystem.syncDirectory(path);', replace: '' },
      {
        file: 'journal/journal.js',
        find: 'fileSystem.rename(temporary, path);',
        replace: 'fileSystem.rename(temporary, path); fileSystem.syncDirectory(path);',
      },
    ],
    finding: /The database is gone/,
  },
  {
    name: 'a torn tail is not cut off',
    bugs: [
      {
        file: 'journal/journal.js',
        find: /if \(result\.tornAt !== undefined\)\s*file\.truncate\(state\.end\);/,
        replace: '',
      },
    ],
    finding: /After a second crash there are/,
  },
  {
    name: 'a packed journal takes its place before it is synced',
    bugs: [{ file: 'workers/journal-switch.js', find: 'file.sync();', replace: '' }],
    finding: /is not a Perdure database|is damaged at byte|History goes back to|was there, and after it only/,
  },
  {
    name: 'neither the base of a packed journal nor the rest is synced',
    bugs: [
      { file: 'journal/base-writer.js', find: 'this.#target.sync();', replace: '' },
      { file: 'workers/journal-switch.js', find: 'file.sync();', replace: '' },
    ],
    finding: /is not a Perdure database|is damaged at byte|History goes back to|was there, and after it only/,
  },
  {
    name: 'a transaction after the base has no previous versions',
    bugs: [
      {
        file: 'journal/tail-copier.js',
        find: 'stampRecord(bytes, view, offset, tid, this.#index.get(oid))',
        replace: 'stampRecord(bytes, view, offset, tid, 0)',
      },
    ],
    finding: /At \d+, object \d+ is of undefined|There are \d+ objects, not/,
  },
  {
    name: 'the checkpoint made with a pack is empty',
    bugs: [
      {
        file: 'workers/pack-checkpoint.js',
        find: 'copyPage: (page, target) => index.copyPage(page, target)',
        replace: 'copyPage: () => {}',
      },
    ],
    finding: /object \d+ is of undefined|The index has|Object \d+/,
  },
  {
    name: 'the directory is not synced when a packed journal has taken its place',
    bugs: [{ file: 'workers/coordinator-loop.js', find: 'this.#fileSystem.syncDirectory(path);', replace: '' }],
    finding: LOST,
  },
  {
    name: 'what a late transaction refers to is not brought along',
    bugs: [{ file: 'journal/carrying.js', find: /if \(this\.#isTooMuch\)\s*return;/, replace: 'return;' }],
    finding: /object \d+ is of undefined/,
  },
  {
    name: 'the last transactions are not copied',
    bugs: [
      {
        file: 'workers/journal-switch.js',
        find: 'copier.copy(end, { carriedBytes: maxTailBytes })',
        replace: 'copier.copy(base.sourceEnd)',
      },
    ],
    finding: /The pack is transaction|Transaction \d+ was there|object \d+ is of/,
  },
  {
    name: 'opening does not sync what it found',
    bugs: [{ file: 'journal/journal.js', find: /file\.sync\(\);\s*(?=const report)/, replace: '' }],
    durability: 'os',
    finding: LOST,
  },
]

describe('A planted bug is found by cutting the power', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  for (const { name, bugs, finding, durability = 'fsync' } of BUGS) {
    it(name, async function () {
      this.timeout(120_000)
      const engine = await engineWithBugs(directory.path, bugs)
      const explorer = new Explorer({ seed: SEED, states: MOST_STATES, engine, durability })
      const found = await explorer.run()
      expect(found, `nothing found in ${explorer.counts.states} states`).to.not.equal(undefined)
      expect(found?.message).to.match(finding)
    })
  }
})
