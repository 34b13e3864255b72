import { PerdureError } from '../../src/core/errors.js'
import type { Oid } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { RecordWrite, Snapshot, Storage } from '../../src/core/storage.js'
import { Random } from '../../src/testing/random.js'

/*
 * Work that makes garbage and finds use for it again. Under an owner hang children, under each of them one leaf with the
 * same number. A transaction hangs a new child in the place of another one; or one that it has seen somewhere before,
 * and that may have been packed away since.
 */

const CHILDREN = 4

interface Node {
  readonly number: number
  readonly references: readonly Oid[]
}

function write(oid: Oid, number: number, references: readonly Oid[]): RecordWrite {
  const targets = references.map((target) => new Reference(target, 'Node'))
  return { oid, data: encodeRecord('Node', targets, Buffer.from(String(number).padEnd(200))) }
}

function read(snapshot: Snapshot, oid: Oid): Node | undefined {
  const record = snapshot.load(oid)
  if (record === undefined) return undefined
  const { references, state } = decodeRecord(record.data)
  return { number: Number(Buffer.from(state).toString()), references: references.map((reference) => reference.oid) }
}

/** The root refers to the owners. */
export async function plant(storage: Storage, owners: readonly Oid[]): Promise<void> {
  const writes = owners.map((oid) => write(oid, 0, []))
  await storage.commit({ base: 0, reads: [], writes: [write(0, 0, owners), ...writes] })
}

/** What is wrong in a snapshot; undefined if nothing is. */
export function findFault(snapshot: Snapshot): string | undefined {
  for (const owner of read(snapshot, 0)?.references ?? []) {
    for (const oid of read(snapshot, owner)?.references ?? []) {
      const child = read(snapshot, oid)
      const leaf = child === undefined ? undefined : read(snapshot, child.references[0] as Oid)
      if (leaf !== undefined && leaf.number === child?.number) continue
      return `at transaction ${snapshot.tid}, child ${oid} (${child?.number}) of ${owner} has leaf ${child?.references[0]} (${leaf?.number})`
    }
  }
  return undefined
}

/** What has been done. */
export interface Relinked {
  readonly commits: number
  /** Children that were no longer in use and were hung up again. */
  readonly reused: number
  /** Such children that were gone. */
  readonly gone: number
}

/** The number of an owner's last transaction. */
export function numberOf(snapshot: Snapshot, owner: Oid): number {
  return read(snapshot, owner)?.number ?? 0
}

/**
 * Works on one owner until `isEnough`. Nobody else may write to it.
 *
 * @param onCommit told of the number of each transaction that has been committed
 */
export async function relink(
  storage: Storage,
  owner: Oid,
  seed: number,
  isEnough: () => boolean,
  onCommit: (number: number) => void = () => {},
): Promise<Relinked> {
  const random = new Random(seed)
  const dropped: Oid[] = []
  let [commits, reused, gone] = [0, 0, 0]
  while (!isEnough()) {
    const snapshot = storage.snapshot()
    const number = numberOf(snapshot, owner) + 1
    const fault = findFault(snapshot)
    if (fault !== undefined) throw new Error(fault)
    const children = [...(read(snapshot, owner)?.references ?? [])]
    const again = dropped.length > 0 && random.below(4) === 0 ? random.pick(dropped) : undefined
    const isThere = again !== undefined && read(snapshot, again) !== undefined
    if (again !== undefined && !isThere) gone++
    const child = isThere ? again : storage.allocateOids(2)
    const fresh = isThere ? [] : [write(child, number, [child + 1]), write(child + 1, number, [])]
    if (children.length < CHILDREN) children.push(child)
    else dropped.push(...children.splice(random.below(CHILDREN), 1, child))
    if (dropped.length > 20) dropped.shift()
    const writes = [write(owner, number, children), ...fresh]
    const base = snapshot.tid
    snapshot.release()
    const result = await storage.commit({ base, reads: [], writes })
    if (result.conflicts === undefined) {
      commits++
      onCommit(number)
      if (isThere) reused++
    } else {
      // Nobody else writes here, so that what was to be used again has been packed away meanwhile.
      if (!result.conflicts.every(({ oid }) => oid === again))
        throw new PerdureError('PERDURE_CONFLICT', 'Not that one.')
      gone++
    }
  }
  return { commits, reused, gone }
}
