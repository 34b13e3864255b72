import { execFile } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { encodeRecord } from '../../src/core/record.js'
import type { VerifyReport } from '../../src/core/storage.js'
import { checkpointPath } from '../../src/journal/checkpoint.js'
import { createJournal, openForWriting } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { PublishedState } from '../../src/journal/published-state.js'
import { JournalView, type SharedJournal } from '../../src/journal/shared-journal.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import { msgpack } from '../../src/serializers/msgpack.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import type { TaskRunner } from '../../src/workers/each-range.js'
import * as tasks from '../../src/workers/pool-tasks.js'
import { verifyJournal } from '../../src/workers/verify.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const VERIFYING_PROCESS = fileURLToPath(new URL('../support/verifying-process.js', import.meta.url))

/** Runs the tasks of a pool in this thread. */
const here: TaskRunner = {
  size: 1,
  async run<Task, T>(name: string, task: Task): Promise<T> {
    const result = await (tasks as Record<string, (task: never) => unknown>)[name]?.(task as never)
    if (!(result instanceof Object && 'value' in result)) throw new Error(`${name} failed: ${JSON.stringify(result)}`)
    return result.value as T
  },
}

describe('verifyJournal', () => {
  let directory: TemporaryDirectory
  let path: string
  let disk: FaultyFileSystem

  beforeEach(() => {
    disk = new FaultyFileSystem()
    disk.syncs = false
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => directory.remove())

  const settings = () => ({ path, durability: 'os', loadIndex: false, checkpointBytes: 2 ** 30 }) as const

  /** Commits one transaction for each list of oids, and returns where each begins, and the end. */
  function make(transactions: readonly (readonly number[])[], stateBytes = 0): number[] {
    createJournal(nodeFileSystem, path, 'msgpack')
    const loop = new CoordinatorLoop(disk, settings())
    const ends = [128]
    for (const [base, oids] of transactions.entries()) {
      const state = msgpack.encode({ text: 'x'.repeat(stateBytes) }, { position: () => 0 }).slice()
      const image = layOutTransaction(
        oids.map((oid) => ({ oid, data: encodeRecord('Thing', [], state) })),
        { note: 'note' },
      )
      ends.push((ends.at(-1) as number) + image.length)
      loop.runBatch([{ base, reads: [], image, answer: () => {} }])
    }
    loop.close()
    return ends
  }

  /** Verifies what opening finds, in this thread. */
  async function verify(rangeBytes?: number): Promise<VerifyReport> {
    const loop = new CoordinatorLoop(disk, settings())
    const view = JournalView.attach(nodeFileSystem, loop.shared)
    try {
      return await verifyJournal(
        here,
        { ...subjectOf(loop.shared, view), ...(rangeBytes === undefined ? {} : { rangeBytes }) },
        {},
      )
    } finally {
      view.release()
      loop.close()
    }
  }

  function subjectOf(shared: SharedJournal, { state }: JournalView) {
    const [tid, nextOid, objects, end] = (['tid', 'nextOid', 'objects', 'end'] as const).map((name) => state.get(name))
    return { shared, tid, nextOid, objects, end } as Parameters<typeof verifyJournal>[1]
  }

  function flip(at: number, bit = 1): void {
    const bytes = readFileSync(path)
    bytes[at] = (bytes[at] as number) ^ bit
    writeFileSync(path, bytes)
  }

  it('notices every damaged byte of the journal, also where only superseded versions are', async () => {
    const ends = make([[0, 1], [1], [2, 1], [2]])
    const whole = readFileSync(path)
    const index = readFileSync(checkpointPath(path))
    expect((await verify()).problems).to.deep.equal([])
    for (let at = 128; at < whole.length; at++) {
      writeFileSync(path, whole)
      writeFileSync(checkpointPath(path), index)
      flip(at, 1 << (at % 8))
      const begin = ends.findLast((end) => end <= at) as number
      const isLastTrailer = at >= whole.length - 16
      if (isLastTrailer) continue // Then the index file is not taken for one of this journal, and opening cuts.
      const { problems } = await verify()
      const offsets = problems.map(({ offset }) => offset as number)
      expect(offsets, `byte ${at}`).to.not.be.empty
      const next = ends.find((end) => end > at) as number
      for (const offset of offsets) expect(offset, `byte ${at}`).to.be.within(begin, next - 1)
    }
  })

  it('reports damage once: as the object where that is a newest version, else as the transaction', async () => {
    const ends = make([[0, 1], [1, 2], [2]])
    const record = 32 + encodeRecord('Thing', [], msgpack.encode({ text: '' }, { position: () => 0 })).length
    const newest = (ends[0] as number) + 64 + 4
    flip(newest + 40)
    flip((ends[1] as number) + 64 + 4 + record + 40)
    const { problems } = await verify()
    expect(problems.map(({ kind, oid, offset }) => ({ kind, oid, offset }))).to.deep.equal([
      { kind: 'damaged', oid: 0, offset: newest },
      { kind: 'damaged', oid: undefined, offset: ends[1] },
    ])
  })

  it('finds the transactions of a journal of many ranges, and damage on their borders', async () => {
    const rangeBytes = 4096
    const some = [0, 1, 2]
    const many = Array.from({ length: 30 }, (_, oid) => oid)
    // Some ranges begin within a transaction, one transaction spans several of them.
    const ends = make([...Array.from({ length: 12 }, () => some), many, ...Array.from({ length: 5 }, () => some)], 500)
    const whole = readFileSync(path)
    expect((ends[13] as number) - (ends[12] as number)).to.be.greaterThan(3 * rangeBytes)
    expect((await verify(rangeBytes)).problems).to.deep.equal([])
    for (let damaged = 0; damaged < ends.length - 2; damaged++) {
      writeFileSync(path, whole)
      flip((ends[damaged] as number) + 10)
      const problems = (await verify(rangeBytes)).problems.filter(({ oid }) => oid === undefined)
      expect(problems.map(({ offset }) => offset)).to.deep.equal([ends[damaged]])
    }
    for (let first = 0; first < ends.length - 3; first++) {
      writeFileSync(path, whole)
      for (const at of [first, first + 1]) flip((ends[at] as number) + 10)
      const offsets = (await verify(rangeBytes)).problems.map(({ offset }) => offset)
      expect(offsets, 'where a stretch of damage begins').to.deep.equal([ends[first]])
    }
  })

  it('notices an index that does not know the newest version', async () => {
    make([[0], [0]])
    copyFileSync(path, directory.join('copy'))
    const { index, file } = openForWriting(nodeFileSystem, path, () => {})
    index.set(0, 128 + 64 + 4)
    const shared = {
      path,
      header: (await import('../../src/journal/journal.js')).readFileHeader(file),
      generation: 0,
      index: index.memory,
    }
    const result = tasks.checkTransactions({
      shared: { ...shared, covered: 128, state: new PublishedState().memory, changes: new SharedArrayBuffer(2 ** 20) },
      from: 128,
      to: file.size(),
      end: file.size(),
      anchored: true,
    })
    file.close()
    index.close()
    expect(await result)
      .to.have.nested.property('value.findings.problems[0]')
      .that.includes({ kind: 'index', oid: 0 })
  })

  describe('with a serializer that does its worst', () => {
    async function outcomes(name: string, objects: number, module?: string): Promise<string[]> {
      const args = [VERIFYING_PROCESS, path, name, String(objects), ...(module === undefined ? [] : [module])]
      const output = await new Promise<string>((resolve, reject) => {
        execFile(process.execPath, args, (error, stdout, stderr) =>
          error ? reject(new Error(stderr)) : resolve(stdout),
        )
      })
      return output.trim().split('\n')
    }

    it('is rejected when it ends its thread, and can be called again', async () => {
      const [first, second] = await outcomes('exiting', 40_000)
      expect(first).to.match(/^PERDURE_THREAD .*exited with code: 3/)
      expect(second).to.match(/^PERDURE_THREAD .*exited with code: 3/)
    })

    it('reports states on which it runs out of stack', async () => {
      const [first] = await outcomes('recursing', 50)
      expect(first).to.match(/^50 undecodable .*call stack/)
    })

    it('lets the process live when it throws behind the back of its task', async () => {
      expect(await outcomes('late', 50)).to.have.length(2)
    })

    it('names a module that cannot be imported', async () => {
      const broken = pathToFileURL(directory.join('broken.mjs')).href
      for (const text of [undefined, 'this is no program']) {
        if (text !== undefined) writeFileSync(directory.join('broken.mjs'), text)
        path = directory.join(`${text?.length}.perdure`)
        const [first] = await outcomes('broken', 1, broken)
        expect(first)
          .to.match(/^PERDURE_SERIALIZER /)
          .and.include(broken)
      }
    })

    it('does not mind a broken module of another serializer', async () => {
      const [first] = await outcomes('recursing', 50, pathToFileURL(directory.join('none.mjs')).href)
      expect(first).to.match(/^50 undecodable/)
    })
  })
})
