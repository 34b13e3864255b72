import fc from 'fast-check'
import type { CommitRequest, CommitResult, Snapshot } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { runModel } from '../../src/testing/storage-model.js'
import { DelegatingStorage } from '../isolation/delegating-storage.js'
import { modelProgram } from '../support/model-program.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/**
 * Three handles of one file that stand for one storage: the one that has opened it, one that shares it, and a readonly
 * one as another process has. They take turns with snapshots, so what a program sees comes from all of them.
 */
class SeveralHandles extends DelegatingStorage {
  readonly #attached: FileStorage
  readonly #reader: FileStorage
  #turn = 0
  #pending = 0
  #writer: FileStorage

  private constructor(owner: FileStorage, reader: FileStorage) {
    super(owner)
    this.#attached = FileStorage.attach(owner.share().handle)
    this.#reader = reader
    this.#writer = owner
  }

  static async open(path: string): Promise<SeveralHandles> {
    const owner = await FileStorage.open(path, { durability: 'os' })
    return new SeveralHandles(owner, await FileStorage.open(path, { readonly: true }))
  }

  override snapshot(): Snapshot {
    const handles = [this.inner, this.#attached, this.#reader]
    return (handles[this.#turn++ % handles.length] as FileStorage).snapshot()
  }

  /** Commits that are made together go through one handle, because only these have an order. */
  override async commit(request: CommitRequest): Promise<CommitResult> {
    if (this.#pending === 0) this.#writer = this.#turn % 2 === 0 ? (this.inner as FileStorage) : this.#attached
    this.#pending++
    try {
      return await this.#writer.commit(request)
    } finally {
      this.#pending--
    }
  }

  override async close(): Promise<void> {
    await this.#reader.close()
    await this.#attached.close()
    await this.inner.close()
  }
}

describe('packs seen by several handles', () => {
  let directory: TemporaryDirectory
  let files = 0

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('agree with the model on every program', async function () {
    this.timeout(120_000)
    // Packs are what this is about.
    const packs = fc.nat(3).map((count) => Array.from({ length: count }, () => ({ kind: 'pack' as const })))
    const program = fc.tuple(modelProgram, packs, modelProgram).map((parts) => parts.flat())
    await fc.assert(
      fc.asyncProperty(program, async (commands) => {
        let storage = await SeveralHandles.open(directory.join(`${files++}.perdure`))
        await runModel(storage, commands, {
          reopen: async (closed) => (storage = await SeveralHandles.open(closed.location)),
        })
        await storage.close()
      }),
      { numRuns: 10 },
    )
  })
})
