import { closeSync, openSync, writeSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { shelfTransaction } from '../dist/test/support/durus-files.js'
import { durusReference, int, PickleWriter, pickleClass } from '../dist/test/support/pickle-writer.js'

/** How many entries the nodes of the tree have: about what Durus's have when keys come in any order. */
const NODE_ENTRIES = 23

/** Objects are written in transactions of so many. */
const TRANSACTION_OBJECTS = 1000

const ACCOUNT = pickleClass('bank.model', 'Account')
const PERSISTENT_DICT = pickleClass('durus.persistent_dict', 'PersistentDict')
const BTREE = pickleClass('durus.btree', 'BTree')
const BNODE = pickleClass('durus.btree', 'BNode16')

/**
 * Writes a file as Durus's FileStorage does: so many accounts in a BTree, each with some fields, a list and a dict.
 *
 * @returns how many objects there are in all
 */
export function writeDurusFile(path, accounts) {
  const file = openSync(path, 'w')
  let pending = []
  let objects = 0
  const flush = () => {
    writeSync(file, shelfTransaction(pending))
    pending = []
  }
  const add = (oid, type, state, references) => {
    pending.push({ oid, data: dataOf(type, state), references })
    objects++
    if (pending.length === TRANSACTION_OBJECTS) flush()
    return durusReference(oid, type)
  }
  // The header of a new file: an empty transaction and an empty map of offsets.
  writeSync(file, Buffer.concat([Buffer.from('SHELF-1\n'), integers(0, 16, 1, 0)]))
  let nextOid = 2
  const entries = Array.from({ length: accounts }, (_, i) => {
    const oid = nextOid++
    return { oid, pair: { tuple: [keyOf(i), add(oid, ACCOUNT, accountOf(i), [])] } }
  })
  const node = (part) => {
    const items = []
    const nodes = []
    const step = Math.ceil(part.length / (NODE_ENTRIES + 1))
    if (step > 1) {
      for (let i = 0; i <= part.length; i += step) {
        nodes.push(node(part.slice(i, i + step - 1)))
        if (i + step - 1 < part.length) items.push(part[i + step - 1])
      }
    } else {
      items.push(...part)
    }
    const list = nodes.length === 0 ? null : { list: nodes.map(({ reference }) => reference) }
    const state = dictOf({ items: { list: items.map(({ pair }) => pair) }, nodes: list })
    const oid = nextOid++
    const references = [...items.map((item) => item.oid), ...nodes.map((child) => child.oid)]
    return { oid, reference: add(oid, BNODE, state, references) }
  }
  const root = node(entries)
  const tree = add(1, BTREE, dictOf({ root: root.reference }), [root.oid])
  add(0, PERSISTENT_DICT, dictOf({ data: dictOf({ accounts: tree }) }), [1])
  flush()
  closeSync(file)
  return objects
}

function keyOf(i) {
  return `acct${String(i).padStart(7, '0')}`
}

function accountOf(i) {
  return dictOf({
    owner: `owner${i}`,
    balance: int(i * 10),
    tags: { list: ['gold', 'silver'] },
    address: dictOf({ street: `Main Street ${i}`, city: 'Elsewhere' }),
    active: true,
  })
}

function dictOf(entries) {
  return { dict: Object.entries(entries) }
}

/** The pickles of the class and, compressed, of the state. */
function dataOf(type, state) {
  const writer = new PickleWriter(2)
  return Buffer.concat([writer.dump(type), deflateSync(writer.dump(state))])
}

function integers(...values) {
  const bytes = Buffer.alloc(8 * values.length)
  for (const [i, value] of values.entries()) bytes.writeBigUInt64BE(BigInt(value), 8 * i)
  return bytes
}
