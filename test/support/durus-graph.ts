import { deflateSync } from 'node:zlib'
import type { DurusObject, DurusSource } from '../../src/durus/source.js'
import type { FileObject } from './durus-files.js'
import { durusData, durusReference, type Protocol, type PythonValue, pickleClass } from './pickle-writer.js'

/** Builds the objects of a Durus database, as Durus pickles them. */
export class DurusGraph {
  readonly #objects = new Map<number, { type: PythonValue; state: PythonValue }>()
  readonly #protocol: Protocol

  /** @param protocol Durus writes 2 */
  constructor(protocol: Protocol = 2) {
    this.#protocol = protocol
  }

  /** Adds an object, or replaces it, and returns a reference to it. */
  set(oid: number, type: PythonValue, state: PythonValue): PythonValue {
    this.#objects.set(oid, { type, state })
    return durusReference(oid, type)
  }

  /** Makes the root hold these entries. */
  root(...entries: (readonly [PythonValue, PythonValue])[]): void {
    this.set(0, PERSISTENT_DICT, dataOf({ dict: [...entries] }))
  }

  /** Adds a BTree with these entries, in their order, whose nodes hold `size` each. Takes oids from `oid` on. */
  tree(oid: number, entries: readonly (readonly [PythonValue, PythonValue])[], size = 5): PythonValue {
    let next = oid + 1
    const node = (part: readonly (readonly [PythonValue, PythonValue])[]): PythonValue => {
      const at = next++
      if (part.length <= size) return this.set(at, BNODE, nodeState(part, null))
      const step = Math.ceil(part.length / size)
      const items: (readonly [PythonValue, PythonValue])[] = []
      const nodes: PythonValue[] = []
      for (let i = 0; i <= part.length; i += step) {
        nodes.push(node(part.slice(i, i + step - 1)))
        const separator = part[i + step - 1]
        if (separator === undefined) break
        items.push(separator)
      }
      return this.set(at, BNODE, nodeState(items, nodes))
    }
    return this.set(oid, BTREE, { dict: [['root', node(entries)]] })
  }

  /** All objects, with the references that are found in their states. */
  objects(): FileObject[] {
    return Array.from(this.#objects, ([oid, { type, state }]) => {
      const references = [...referencesIn(state)]
      return { oid, data: compressed(durusData(type, state, this.#protocol), type, this.#protocol), references }
    })
  }

  /** What a reader of files would give. */
  source(): DurusSource {
    const objects = new Map<number, DurusObject>()
    for (const { oid, data, references = [] } of this.objects()) {
      objects.set(Number(oid), { oid: Number(oid), data, references: references.map(Number), offset: 0 })
    }
    return {
      path: 'graph',
      format: 'SHELF-1',
      objects: objects.size,
      highestOid: Math.max(-1, ...objects.keys()),
      tornBytes: 0,
      oids: () => objects.keys(),
      load: (oid) => objects.get(oid),
      close: () => {},
    }
  }
}

export const PERSISTENT_DICT = pickleClass('durus.persistent_dict', 'PersistentDict')
export const PERSISTENT_LIST = pickleClass('durus.persistent_list', 'PersistentList')
export const PERSISTENT_SET = pickleClass('durus.persistent_set', 'PersistentSet')
export const BTREE = pickleClass('durus.btree', 'BTree')
export const BNODE = pickleClass('durus.btree', 'BNode16')

export function dataOf(data: PythonValue): PythonValue {
  return { dict: [['data', data]] }
}

function nodeState(items: readonly (readonly [PythonValue, PythonValue])[], nodes: PythonValue[] | null): PythonValue {
  const pairs = items.map((item) => ({ tuple: item }))
  return {
    dict: [
      ['items', { list: pairs }],
      ['nodes', nodes === null ? null : { list: nodes }],
    ],
  }
}

/** As Durus does it: the state is compressed if that makes it smaller. */
function compressed(data: Buffer, type: PythonValue, protocol: Protocol): Buffer {
  const head = durusData(type, null, protocol).length - durusData(null, null, protocol).length / 2
  const state = deflateSync(data.subarray(head))
  return state.length < data.length - head ? Buffer.concat([data.subarray(0, head), state]) : data
}

function* referencesIn(value: PythonValue, seen = new Set<object>()): Generator<number> {
  if (value === null || typeof value !== 'object' || seen.has(value)) return
  seen.add(value)
  if ('persistent' in value) {
    const { tuple } = value.persistent as { tuple: readonly [{ bytes: Buffer }, PythonValue] }
    yield Number(tuple[0].bytes.readBigUInt64BE())
    return
  }
  for (const part of Object.values(value).flat(2)) {
    if (typeof part === 'object' && part !== null && !(part instanceof Uint8Array)) yield* referencesIn(part, seen)
  }
}
