import type { CommitRequest, CommitResult, PackResult } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/index.js'
import { DelegatingStorage } from '../isolation/delegating-storage.js'

/** A storage of pickles whose packs, and commits on request, wait until the test lets them go on. */
export class SlowStorage extends DelegatingStorage {
  heldCommits = 0
  #holdsCommits = false
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []

  constructor() {
    super(new MemoryStorage({ serializer: 'pickle' }))
  }

  holdCommits(): void {
    this.#holdsCommits = true
  }

  /** Lets everything go on that waits now, or fail. */
  proceed(error?: unknown): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) error === undefined ? resolve() : reject(error)
  }

  override async commit(request: CommitRequest): Promise<CommitResult> {
    if (this.#holdsCommits) {
      this.heldCommits++
      await this.#wait()
    }
    return super.commit(request)
  }

  override async pack(): Promise<PackResult> {
    await this.#wait()
    return super.pack()
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }
}
