import type { Oid, Tid } from '../core/oid.js'
import type { StoredRecord } from '../core/storage.js'

/** One version of one object, or the mark that it was removed. The versions of an object form a list. */
interface Version {
  readonly oid: Oid
  /** The transaction that wrote it; for a removal, the one that wrote what was removed. */
  readonly tid: Tid
  readonly moment: number
  /** Undefined for a removal. */
  readonly data: Uint8Array | undefined
  older: Version | undefined
  newer: Version | undefined
}

/** Every snapshot taken at one moment. Points form a list in the order of their moments. */
export interface Point {
  readonly tid: Tid
  readonly moment: number
  snapshots: number
  older: Point | undefined
  newer: Point | undefined
  /** The versions this point sees, and no newer point does: what it keeps alive. */
  readonly superseded: Version[]
}

/**
 * Versions of objects in memory, each kept for exactly as long as it is the newest or an open snapshot sees it.
 *
 * Time is counted in moments: every transaction is one, and so is every removal of unreachable objects. A snapshot
 * thus never notices a removal that came after it.
 *
 * A superseded version hangs on the newest point that sees it. When that point is given up, the version moves to
 * the next older point if that one sees it too, and is dropped otherwise. So neither commits nor releases look at
 * anything but the versions concerned, and no list of versions is longer than the number of open points.
 */
export class VersionStore {
  readonly #newest = new Map<Oid, Version>()
  #moment = 0
  #newestPoint: Point | undefined
  #objects = 0
  #bytes = 0

  /** How many objects the newest state has. */
  get objects(): number {
    return this.#objects
  }

  /** Size of all versions kept, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The transaction that last wrote `oid`, or 0 if there is no such object. */
  lastChange(oid: Oid): Tid {
    return this.#newest.get(oid)?.tid ?? 0
  }

  /** The newest version of `oid`. */
  newest(oid: Oid): Uint8Array | undefined {
    return this.#newest.get(oid)?.data
  }

  /** The oids of all objects of which some version is kept. */
  oids(): Iterable<Oid> {
    return this.#newest.keys()
  }

  /** All versions of `oid` that are kept. */
  *versions(oid: Oid): Generator<Uint8Array> {
    for (let version = this.#newest.get(oid); version !== undefined; version = version.older) {
      if (version.data !== undefined) yield version.data
    }
  }

  /** Begins the next moment. What is put and removed until the next call appears at once to later snapshots. */
  advance(): void {
    this.#moment++
  }

  put(oid: Oid, tid: Tid, data: Uint8Array): void {
    const current = this.#newest.get(oid)
    if (current?.data === undefined) this.#objects++
    this.#bytes += data.length
    this.#supersede(current, { oid, tid, moment: this.#moment, data, older: undefined, newer: undefined })
  }

  /** Removes an object from the newest state. */
  remove(oid: Oid): void {
    const current = this.#newest.get(oid)
    if (current?.data === undefined) return
    this.#objects--
    const { tid } = current
    this.#supersede(current, { oid, tid, moment: this.#moment, data: undefined, older: undefined, newer: undefined })
  }

  #supersede(current: Version | undefined, next: Version): void {
    const point = this.#newestPoint
    if (current !== undefined && point !== undefined && point.moment >= current.moment) {
      link(current, next)
      point.superseded.push(current)
    } else if (current !== undefined) {
      link(current.older, next)
      this.#bytes -= current.data?.length ?? 0
    }
    this.#newest.set(next.oid, next)
    this.#forgetIfGone(next)
  }

  /** Opens a snapshot at the present moment. */
  acquire(tid: Tid): Point {
    const point = this.#newestPoint
    if (point !== undefined && point.moment === this.#moment) {
      point.snapshots++
      return point
    }
    const next: Point = { tid, moment: this.#moment, snapshots: 1, older: point, newer: undefined, superseded: [] }
    if (point !== undefined) point.newer = next
    this.#newestPoint = next
    return next
  }

  /** Gives up one snapshot, and with the last one of its point the versions that only this point needed. */
  release(point: Point): void {
    if (--point.snapshots > 0) return
    const { older, newer } = point
    if (older !== undefined) older.newer = newer
    if (newer !== undefined) newer.older = older
    else this.#newestPoint = older
    for (const version of point.superseded) {
      if (older !== undefined && older.moment >= version.moment) older.superseded.push(version)
      else this.#drop(version)
    }
  }

  /** The version of `oid` that was current at `point`. */
  at(oid: Oid, point: Point): StoredRecord | undefined {
    let version = this.#newest.get(oid)
    while (version !== undefined && version.moment > point.moment) version = version.older
    if (version?.data === undefined) return undefined
    return { oid, tid: version.tid, data: version.data }
  }

  clear(): void {
    this.#newest.clear()
    this.#newestPoint = undefined
    this.#objects = 0
    this.#bytes = 0
  }

  #drop(version: Version): void {
    const newer = version.newer as Version
    link(version.older, newer)
    this.#bytes -= version.data?.length ?? 0
    this.#forgetIfGone(newer)
  }

  /** Once no snapshot sees an object that was removed, nothing is left to remember. */
  #forgetIfGone(version: Version): void {
    if (version.data === undefined && version.older === undefined && version.newer === undefined) {
      this.#newest.delete(version.oid)
    }
  }
}

function link(older: Version | undefined, newer: Version): void {
  newer.older = older
  if (older !== undefined) older.newer = newer
}
