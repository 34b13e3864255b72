import { expect } from 'chai'
import type { Oid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { Durability } from '../../src/workers/messages.js'
import { checkContents, demand } from './check-state.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { Oracle } from './oracle.js'
import { checkFailedPack, errorCode, packLeftovers, Refused } from './packing.js'
import { Random } from './random.js'
import { type Fault, type Operation, SimulatedDisk } from './simulated-disk.js'
import type { SteppedPack } from './stepped-pack.js'
import { PATH } from './workload.js'

/** Commits between the first steps of the pack, larger than what may be left to the switch. */
const COMMITS_MEANWHILE = 16
const SWITCH_BYTES = 400

interface Failure {
  readonly durability: Durability
  readonly keepOld: boolean
  readonly code: Fault['code']
  /** Of the pack, counted from 0. */
  readonly operation: number
  /** False: only that one fails. True: so do all that follow, until the pack has ended. */
  readonly forGood: boolean
}

/** A database in use, of which a pack fails. */
class PackedProgram {
  readonly disk = new SimulatedDisk()
  readonly storage: MainThreadStorage
  readonly oracle = new Oracle()
  readonly #random = new Random(1)
  readonly #settings
  /** Of the pack, when its first operation failed. */
  failedIn: { readonly phase: string; readonly operation: Operation } | undefined
  #phase = ''

  constructor(readonly failure: Failure) {
    const { durability } = failure
    this.#settings = { path: PATH, durability, loadIndex: false, checkpointBytes: 2 ** 30 }
    this.storage = new MainThreadStorage(this.disk, this.#settings)
    for (const oid of [0, 2, 3, 5]) this.commit(oid, [])
    this.commit(4, [5])
    this.commit(1, [3])
    this.commit(0, [1, 2])
  }

  /** Returns false if it is refused. */
  commit(oid: Oid, targets: readonly Oid[]): boolean {
    const references = targets.map((target) => new Reference(target, 'Item'))
    const data = encodeRecord('Item', references, this.#random.bytes(300))
    this.storage.view.state.raiseNextOid(10)
    const request = { base: this.storage.tid, reads: [], writes: [{ oid, data }] }
    const [outcome] = this.storage.commit([request])
    if (outcome?.error !== undefined) {
      demand(outcome.error.code === 'PERDURE_POISONED', () => `A commit gave ${JSON.stringify(outcome)}.`)
      return false
    }
    const [expected] = this.oracle.submit([request])
    expect(outcome).to.deep.equal(expected)
    this.oracle.acknowledge(this.storage.tid)
    return true
  }

  /** Packs with commits in between, some of which refer to what was garbage. Only operations of the pack fail. */
  async pack(failing: boolean): Promise<SteppedPack> {
    const { keepOld } = this.failure
    const pack = this.storage.pack(
      {
        keepOld,
        tuning: { rangeBytes: 1000, transactionBytes: 500, switchBytes: SWITCH_BYTES },
        onProgress: ({ phase }) => {
          this.#phase = phase
        },
      },
      (request) => {
        const outcome = this.storage.switchTo(request)
        if (outcome.switched) this.oracle.submitPack(request.base.header.historyFrom)
        return outcome
      },
    )
    if (failing) this.#failAt()
    const { onFault } = this.disk
    for (let i = 0; pack.end === undefined; i++) {
      this.disk.onFault = undefined
      if (i < COMMITS_MEANWHILE) this.commit(i % 2, i % 4 === 1 ? [4] : [1, 2])
      this.disk.onFault = onFault
      await pack.step()
    }
    this.disk.onFault = undefined
    return pack
  }

  #failAt(): void {
    const { operation: at, code, forGood } = this.failure
    let count = 0
    this.disk.onFault = (operation) => {
      const position = count++
      if (position < at || (position > at && !forGood)) return undefined
      this.failedIn ??= { phase: this.#phase, operation }
      return { code, writtenBytes: (operation.size ?? 0) >> 1, keptChanges: 0 }
    }
  }

  check(): void {
    checkContents(this.storage, this.oracle, this.#random)
  }

  /** As another process finds it, after the first one was killed or the power went. */
  checkAfterwards(): void {
    for (const image of [this.disk.afterKill(), this.disk.afterWorstPowerCut()]) {
      const disk = new SimulatedDisk(image)
      const storage = new MainThreadStorage(disk, this.#settings)
      demand(this.#settings.durability === 'os' || storage.tid >= this.oracle.newest, () => `Found ${storage.tid}.`)
      const left = packLeftovers(disk, PATH)
      demand(left.length === 0, () => `An opening leaves ${left.join(' and ')}.`)
      if (storage.tid === this.oracle.newest) checkContents(storage, this.oracle, this.#random)
    }
  }
}

/** Where the failure struck, and what came of it; undefined if the pack has no such operation. */
async function run(failure: Failure): Promise<{ phase: string; effect: 'failed' | 'poisoned' | 'done' } | undefined> {
  const program = new PackedProgram(failure)
  const { disk, storage, oracle } = program
  // With an earlier one beside it, which the next one replaces.
  if (failure.keepOld) expect((await program.pack(false)).end).to.have.property('result')
  const old = disk.names.get(PATH)
  const snapshot = storage.snapshot()
  const before = oracle.fork()
  const { end } = await program.pack(true)
  const { failedIn } = program
  const isReplaced = disk.names.get(PATH) !== old
  for (const oid of before.oids()) {
    expect(snapshot.load(oid)?.tid, 'what a snapshot shows').to.equal(before.find(oid, before.newest)?.tid)
  }
  snapshot.release()
  program.check()
  if (end === undefined || 'result' in end) {
    expect(program.commit(1, [])).to.equal(true)
    program.checkAfterwards()
    if (failedIn === undefined) return undefined
    // It can do without its checkpoint.
    const isCheckpoint = failedIn.operation.path.includes('.index')
    return { phase: isCheckpoint ? 'checkpoint' : failedIn.phase, effect: 'done' }
  }
  if (failedIn === undefined) throw end.error
  const { phase, operation } = failedIn
  if (isReplaced || (operation.type === 'sync' && operation.path === PATH)) {
    expect(() => checkFailedPack(end.error, disk, PATH)).to.throw(Refused)
    expect(program.commit(1, [])).to.equal(false)
    // Without descriptors to be borrowed, the old journal cannot be opened once it has no name.
    const again = isReplaced ? 'PERDURE_BUSY' : 'PERDURE_POISONED'
    expect((await program.pack(false)).end).to.have.nested.property('error.code', again)
    if (isReplaced) oracle.submitPack(0)
    return { phase, effect: 'poisoned' }
  }
  expect(errorCode(end.error)).to.equal(failure.code === 'EIO' ? 'PERDURE_IO' : 'PERDURE_NO_SPACE')
  checkFailedPack(end.error, disk, PATH)
  expect(program.commit(1, [])).to.equal(true)
  program.checkAfterwards()
  expect((await program.pack(false)).end).to.have.property('result')
  program.check()
  return { phase, effect: 'failed' }
}

describe('When the disk fails during a pack', () => {
  for (const code of ['EIO', 'ENOSPC'] as const) {
    for (const forGood of [false, true]) {
      it(`at any operation, with ${code}, ${forGood ? 'for good' : 'once'}`, async function () {
        this.timeout(60_000)
        const counts = new Map<string, number>()
        for (const durability of ['fsync', 'os'] as const) {
          for (const keepOld of [false, true]) {
            for (let operation = 0; ; operation++) {
              const failure = { durability, keepOld, code, operation, forGood }
              const found = await run(failure).catch((error: unknown) => {
                throw new Error(`After ${JSON.stringify(failure)}: ${String(error)}`, { cause: error })
              })
              if (found === undefined) break
              const key = `${found.phase} ${found.effect}`
              counts.set(key, (counts.get(key) ?? 0) + 1)
            }
          }
        }
        console.log(`      ${[...counts].map(([key, count]) => `${key}: ${count}`).join(', ')}`)
        const found = [...counts.keys()]
        expect(found).to.include.members(['copy failed', 'catch-up failed', 'switch failed', 'switch poisoned'])
        const tolerated = forGood ? [] : ['checkpoint done']
        expect(found.filter((key) => key.endsWith('done') && key !== 'switch done')).to.deep.equal(tolerated)
      })
    }
  }
})
