import { writeFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { type FileObject, shelfFile } from '../test/support/durus-files.js'
import { BNODE, BTREE, dataOf, PERSISTENT_DICT } from '../test/support/durus-graph.js'
import { durusData, durusReference, int, type PythonValue, pickleClass } from '../test/support/pickle-writer.js'

const ACCOUNT = pickleClass('bank.model', 'Account')

/** Entries of a node: Durus has 15 to 31. */
const NODE_ENTRIES = 23

type Entry = readonly [key: PythonValue, value: PythonValue]

/**
 * Writes a file as Durus's FileStorage leaves it after a pack: `accounts` objects with the fields of the benchmarks'
 * accounts, in a BTree under the key `accounts` of the root.
 *
 * @returns how many objects there are, with the root, the tree and its nodes
 */
export function writeDurusFile(path: string, accounts: number): number {
  const objects: FileObject[] = []
  const add = (type: PythonValue, state: PythonValue, references: readonly number[] = []): number => {
    objects.push({ oid: objects.length, data: recordData(type, state), references })
    return objects.length - 1
  }
  add(PERSISTENT_DICT, dataOf({ dict: [['accounts', durusReference(1, BTREE)]] }), [1])
  objects.push({ oid: 1, data: Buffer.alloc(0) })
  const entries: Entry[] = []
  for (let i = 0; i < accounts; i++) {
    entries.push([`account-${String(i).padStart(9, '0')}`, durusReference(add(ACCOUNT, accountState(i)), ACCOUNT)])
  }
  let nodes = leaves(entries, add)
  while (nodes.length > 1) nodes = parents(nodes, add)
  const top = nodes[0]?.oid ?? add(BNODE, nodeState([], null))
  objects[1] = { oid: 1, data: recordData(BTREE, { dict: [['root', durusReference(top, BNODE)]] }), references: [top] }
  writeFileSync(path, shelfFile(objects, []).bytes)
  return objects.length
}

function accountState(i: number): PythonValue {
  return {
    dict: [
      ['owner', `owner ${i}`],
      ['balance', int(i * 7)],
      ['tags', { list: ['checked', `branch-${i % 100}`] }],
      ['note', `Opened on day ${i % 365}. ${'No remarks. '.repeat(8)}`],
      ['next', null],
    ],
  }
}

/** A node, and the entry that stands between it and the next one. */
interface Node {
  readonly oid: number
  readonly behind: Entry | undefined
}

type Add = (type: PythonValue, state: PythonValue, references: readonly number[]) => number

function leaves(entries: readonly Entry[], add: Add): Node[] {
  const nodes: Node[] = []
  for (let from = 0; from < entries.length; from += NODE_ENTRIES + 1) {
    const items = entries.slice(from, from + NODE_ENTRIES)
    nodes.push({ oid: add(BNODE, nodeState(items, null), items.map(oidIn)), behind: entries[from + NODE_ENTRIES] })
  }
  return nodes
}

function parents(nodes: readonly Node[], add: Add): Node[] {
  const above: Node[] = []
  for (let from = 0; from < nodes.length; from += NODE_ENTRIES + 1) {
    const children = nodes.slice(from, from + NODE_ENTRIES + 1)
    const items = children.slice(0, -1).map(({ behind }) => behind as Entry)
    const links = children.map(({ oid }) => durusReference(oid, BNODE))
    const references = [...items.map(oidIn), ...children.map(({ oid }) => oid)]
    above.push({ oid: add(BNODE, nodeState(items, links), references), behind: children.at(-1)?.behind })
  }
  return above
}

function oidIn([, value]: Entry): number {
  const { persistent } = value as { persistent: { tuple: readonly [{ bytes: Buffer }] } }
  return Number(persistent.tuple[0].bytes.readBigUInt64BE())
}

function nodeState(items: readonly Entry[], nodes: PythonValue[] | null): PythonValue {
  return {
    dict: [
      ['items', { list: items.map((item) => ({ tuple: item })) }],
      ['nodes', nodes === null ? null : { list: nodes }],
    ],
  }
}

/** The pickle of the class as it is, and that of the state compressed. */
function recordData(type: PythonValue, state: PythonValue): Buffer {
  const data = durusData(type, state, 2)
  const stateFrom = data.indexOf('.\x80\x02', 'latin1') + 1
  return Buffer.concat([data.subarray(0, stateFrom), deflateSync(data.subarray(stateFrom))])
}
