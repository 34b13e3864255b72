import type { Oid, Tid } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { createJournal } from '../../src/journal/journal.js'
import { type FileSystem, nodeFileSystem } from '../../src/journal/journal-file.js'
import type { SwitchOutcome, SwitchRequest } from '../../src/journal/packed-base.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import type { CommitOutcome, CoordinatorSettings } from '../../src/workers/messages.js'
import { makeReferenceBase, type ReferenceBase } from './reference-packer.js'

/** One transaction of a test: texts by oid. */
export interface TestCommit {
  readonly base: Tid
  readonly writes: ReadonlyMap<Oid, string> | readonly (readonly [Oid, string])[]
  readonly reads?: readonly Oid[]
}

/** A text such as `root >1 >2` refers to objects 1 and 2. */
export function textRecord(text: string): Uint8Array {
  const targets = Array.from(text.matchAll(/>(\d+)/g), ([, oid]) => new Reference(Number(oid), 'Text'))
  return encodeRecord('Text', targets, Buffer.from(text))
}

/** A journal with a coordinator that runs in the test's own thread. */
export class TestJournal {
  readonly loop: CoordinatorLoop
  view: JournalView
  readonly #path: string
  readonly #fileSystem: FileSystem

  constructor(path: string, fileSystem: FileSystem = nodeFileSystem, settings: Partial<CoordinatorSettings> = {}) {
    this.#path = path
    this.#fileSystem = fileSystem
    if (!nodeFileSystem.exists(path)) createJournal(nodeFileSystem, path, 'msgpack')
    this.loop = new CoordinatorLoop(fileSystem, {
      path,
      durability: 'fsync',
      loadIndex: false,
      checkpointBytes: 64 * 1024 * 1024,
      ...settings,
    })
    this.view = JournalView.attach(nodeFileSystem, this.loop.shared, 64 * 1024)
  }

  get tid(): Tid {
    return this.view.state.get('tid')
  }

  /** Runs commits as one batch. */
  batch(commits: readonly TestCommit[], onAnswer: () => void = () => {}): CommitOutcome[] {
    const outcomes: CommitOutcome[] = []
    this.loop.runBatch(
      commits.map(({ base, writes, reads = [] }, i) => ({
        base,
        reads,
        image: layOutTransaction(Array.from(writes, ([oid, text]) => ({ oid, data: textRecord(text) }))),
        answer: (outcome) => {
          outcomes[i] = outcome
          onAnswer()
        },
      })),
    )
    return outcomes
  }

  commit(writes: TestCommit['writes'], base = this.tid): CommitOutcome {
    return this.batch([{ base, writes }])[0] as CommitOutcome
  }

  text(oid: Oid, tid = this.tid): string | undefined {
    const offset = this.view.index.get(oid)
    const record = offset === 0 ? undefined : this.view.reader.load(oid, offset, tid)
    return record === undefined ? undefined : Buffer.from(decodeRecord(record.data).state).toString()
  }

  /** Texts of all objects below `end`. */
  texts(end: Oid, tid = this.tid): (string | undefined)[] {
    return Array.from({ length: end }, (_, oid) => this.text(oid, tid))
  }

  /** Begins a pack that keeps the history from some transaction on, or none. */
  beginPack(historyFrom = this.tid, transactions?: number): ReferenceBase {
    return makeReferenceBase(this.#fileSystem, this.#path, historyFrom, transactions)
  }

  /** Puts a packed journal in the place of the old one, if that is not refused. */
  switchTo({ base, removed }: ReferenceBase, options: Partial<SwitchRequest> = {}): SwitchOutcome {
    const outcome = this.loop.switchTo({ base, removed, keepOld: false, maxTailBytes: 2 ** 30, ...options })
    if (outcome.switched) {
      this.view.release()
      this.view = JournalView.attach(nodeFileSystem, this.loop.shared, 64 * 1024)
    }
    return outcome
  }

  pack(historyFrom?: Tid, transactions?: number): SwitchOutcome {
    return this.switchTo(this.beginPack(historyFrom, transactions))
  }

  /** Closes in good order. */
  close(): void {
    this.view.release()
    this.loop.close()
  }
}
