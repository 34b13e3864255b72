import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { RecordWrite } from '../../src/core/storage.js'
import type { Random } from '../../src/testing/random.js'

/** One version of one object. */
export interface GraphVersion {
  readonly tid: Tid
  readonly references: readonly Oid[]
  readonly data: Uint8Array
}

/** The state of all objects after one transaction. */
export type GraphState = ReadonlyMap<Oid, GraphVersion>

/** A random history of a graph of objects, and the state after each of its transactions: the first one is empty. */
export interface GraphHistory {
  readonly transactions: readonly (readonly RecordWrite[])[]
  readonly states: readonly GraphState[]
}

/** Objects come to be, change, are linked and unlinked. Each transaction writes a few; most states hold garbage. */
export function randomHistory(random: Random, transactions: number): GraphHistory {
  const states: Map<Oid, GraphVersion>[] = [new Map()]
  const written: RecordWrite[][] = []
  let nextOid = 0
  for (let tid = 1; tid <= transactions; tid++) {
    const state = new Map(states[tid - 1])
    const oids = new Set(Array.from({ length: 1 + random.below(4) }, () => pickObject()))
    const writes: RecordWrite[] = []
    for (const oid of oids) nextOid = Math.max(nextOid, oid + 1)
    for (const oid of oids) {
      const references = Array.from({ length: random.below(4) }, () => random.below(nextOid)).filter(
        (target) => state.has(target) || oids.has(target),
      )
      const text = Buffer.alloc(random.pick([0, 3, 40, 300, 5000]), `${oid}@${tid} `)
      const data = encodeRecord(
        'Node',
        references.map((target) => new Reference(target, 'Node')),
        text,
      )
      state.set(oid, { tid, references, data })
      writes.push({ oid, data })
    }
    states.push(state)
    written.push(writes)
  }
  return { transactions: written, states }

  function pickObject(): Oid {
    if (nextOid === 0 || random.below(6) === 0) return 0
    return random.below(3) === 0 ? nextOid + random.below(2) : random.below(nextOid)
  }
}

/** The objects that can be reached from some in a state, these included, as far as they exist. */
export function reachable(state: GraphState, from: Iterable<Oid> = [0]): Set<Oid> {
  const reached = new Set<Oid>()
  const stack = [...from]
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    const version = state.get(oid)
    if (version === undefined || reached.has(oid)) continue
    reached.add(oid)
    stack.push(...version.references)
  }
  return reached
}
