import assert from 'node:assert/strict'
import type { ErrorCode } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { decodeRecord, encodeRecord } from '../core/record.js'
import { Reference } from '../core/reference.js'
import type { Capability, CommitRequest, RecordWrite, Snapshot, Storage, StoredRecord } from '../core/storage.js'

/** The part of a test runner the suite needs: that of mocha, jest, vitest or node:test. */
export interface TestHarness {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
  beforeEach(body: () => Promise<void>): void
  afterEach(body: () => Promise<void>): void
}

/** What the suite has to know of a storage. */
export interface StorageSuiteOptions {
  /** Heads the report. */
  readonly name: string
  /** What the storage must claim to be capable of: decides which tests are run. */
  readonly capabilities: readonly Capability[]
  /** Makes a new, empty storage. */
  create(options: { readonly serializer: string }): Promise<Storage>
  /** Opens a storage again that has been closed. Needed for `persistent`. */
  reopen?(closed: Storage): Promise<Storage>
  /** Opens another handle of an open storage. Needed for `threads`. */
  share?(open: Storage): Promise<Storage>
  /** Opens an open storage readonly, as another process would. Needed for `readers`. */
  openReadonly?(open: Storage): Promise<Storage>
  /** Removes what `create` left behind. Called after each test, when every storage has been closed. */
  cleanup?(): Promise<void>
  /** States for `verify` in the encoding of the serializer {@link SUITE_SERIALIZER}. Needed for `verify`. */
  readonly states?: { readonly sound: Uint8Array; readonly undecodable: Uint8Array }
  /** The longest record the storage takes, in bytes, if that is short enough to be tried. */
  readonly recordLimit?: number
  /** Repeats the random programs of a failed run, which named it. Default: another one each time. */
  readonly seed?: number
  /** Where the tests are declared. Default: the global functions. */
  readonly harness?: TestHarness
}

/** The serializer the storages under test are created with. */
export const SUITE_SERIALIZER = 'msgpack'

/** The class of the records that {@link write} makes. */
export const SUITE_CLASS = 'suite.Thing'

/** One storage per test, and what tests need to work with it. */
export class SuiteContext {
  readonly options: StorageSuiteOptions
  readonly #opened: Storage[] = []
  #storage: Storage | undefined

  constructor(options: StorageSuiteOptions) {
    this.options = options
  }

  /** The storage of the test that is running: new and empty at its begin. */
  get storage(): Storage {
    assert(this.#storage !== undefined, 'a storage is there only while a test runs')
    return this.#storage
  }

  can(capability: Capability): boolean {
    return this.options.capabilities.includes(capability)
  }

  async setUp(): Promise<void> {
    this.#storage = await this.options.create({ serializer: SUITE_SERIALIZER })
    this.#opened.push(this.#storage)
  }

  async tearDown(): Promise<void> {
    for (const storage of this.#opened.splice(0).reverse()) await storage.close()
    this.#storage = undefined
    await this.options.cleanup?.()
  }

  /** Closes the storage and opens it again. */
  async reopen(): Promise<Storage> {
    assert(this.options.reopen, 'the capability persistent needs the option reopen')
    await this.storage.close()
    this.#storage = await this.options.reopen(this.storage)
    this.#opened.push(this.#storage)
    return this.#storage
  }

  async share(): Promise<Storage> {
    assert(this.options.share, 'the capability threads needs the option share')
    return this.#track(await this.options.share(this.storage))
  }

  async openReadonly(): Promise<Storage> {
    assert(this.options.openReadonly, 'the capability readers needs the option openReadonly')
    return this.#track(await this.options.openReadonly(this.storage))
  }

  #track(storage: Storage): Storage {
    this.#opened.push(storage)
    return storage
  }
}

/** A write whose state is a text, so that tests can tell versions apart. */
export function write(oid: Oid, text: string, references: readonly Oid[] = []): RecordWrite {
  const targets = references.map((target) => new Reference(target, SUITE_CLASS))
  return { oid, data: encodeRecord(SUITE_CLASS, targets, Buffer.from(text)) }
}

/** The text of a record that {@link write} made. */
export function textOf(record: StoredRecord | undefined): string | undefined {
  return record === undefined ? undefined : Buffer.from(decodeRecord(record.data).state).toString()
}

/** Commits at the newest snapshot, or at `base`, and insists that there is no conflict. */
export async function commit(storage: Storage, writes: readonly RecordWrite[], base?: Tid): Promise<Tid> {
  const result = await storage.commit({ base: base ?? newestTid(storage), reads: [], writes })
  assert.equal(result.conflicts, undefined, 'the commit must not conflict')
  return result.tid as Tid
}

/** Commits and insists that exactly these oids are reported as conflicts. */
export async function conflictsOf(storage: Storage, request: CommitRequest, expected: readonly Oid[]): Promise<void> {
  const result = await storage.commit(request)
  const oids = new Set(result.conflicts?.map((conflict) => conflict.oid))
  assert.deepEqual([...oids].sort(ascending), [...expected].sort(ascending), 'oids in conflict')
}

/** Runs `read` on a snapshot that is released afterwards. */
export function atNewest<T>(storage: Storage, read: (snapshot: Snapshot) => T): T {
  const snapshot = storage.snapshot()
  try {
    return read(snapshot)
  } finally {
    snapshot.release()
  }
}

export function newestTid(storage: Storage): Tid {
  return atNewest(storage, (snapshot) => snapshot.tid)
}

export function newestText(storage: Storage, oid: Oid): string | undefined {
  return atNewest(storage, (snapshot) => textOf(snapshot.load(oid)))
}

/** All records of a snapshot as [oid, tid, text], ordered by oid. */
export async function listRecords(snapshot: Snapshot): Promise<[Oid, Tid, string | undefined][]> {
  const list: [Oid, Tid, string | undefined][] = []
  for await (const record of snapshot.records()) list.push([record.oid, record.tid, textOf(record)])
  return list.sort(([a], [b]) => a - b)
}

/** {@link listRecords} of the newest state. */
export async function listNewest(storage: Storage): Promise<[Oid, Tid, string | undefined][]> {
  const snapshot = storage.snapshot()
  try {
    return await listRecords(snapshot)
  } finally {
    snapshot.release()
  }
}

/** Insists that `changes` is this set of oids, or unknown. */
export function assertChanges(storage: Storage, after: Tid, upTo: Tid, expected: Iterable<number>): void {
  const changes = storage.changes(after, upTo)
  if (changes === undefined) return
  const sorted = [...new Set(changes)].sort(ascending)
  assert.deepEqual(sorted, [...new Set(expected)].sort(ascending), `changes after ${after} up to ${upTo}`)
}

export function throwsWith(code: ErrorCode, action: () => unknown): void {
  assert.throws(action, (error) => hasCode(error, code))
}

/** Insists on a rejection: an action that throws before it returns its promise fails the test. */
export async function rejectsWith(code: ErrorCode, action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(action, (error) => hasCode(error, code))
}

function hasCode(error: unknown, code: ErrorCode): true {
  assert.equal((error as { code?: unknown }).code, code, `code of: ${String(error)}`)
  return true
}

function ascending(a: number, b: number): number {
  return a - b
}

/** Lets everything else that is due run first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
