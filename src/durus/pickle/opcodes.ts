import { calling, creating } from './known-calls.js'
import type { PickleMachine } from './pickle-machine.js'
import { decimalOf, floatOf, intOf, isAsciiBytes, literalBytes, rawEscapedText, textOf } from './pickle-text.js'
import { PersistentId, PythonByteString, PythonDict, PythonGlobal, PythonSet, PythonTuple } from './python-values.js'

/** What one opcode does. Its arguments are the next bytes. */
export type Opcode = (machine: PickleMachine) => void

/** The opcode that ends a pickle. */
export const STOP = 0x2e

/** The newest protocol that is understood. */
const MAX_PROTOCOL = 5

/**
 * The opcodes by their bytes, which are those of the characters in pickletools.py, in its words and in its order.
 * https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export const OPCODES: readonly (Opcode | undefined)[] = table({
  // Integers and booleans.
  I: (m) => m.push(intLine(m)),
  J: (m) => m.push(m.int32()),
  K: (m) => m.push(m.byte()),
  M: (m) => m.push(m.uint16()),
  L: (m) => m.push(required(m, decimalOf(m.line().toString('latin1').replace(/L$/, '')), 'a number')),
  '\x8a': (m) => m.push(intOf(m.slice(m.byte()))),
  '\x8b': (m) => m.push(intOf(m.slice(m.uint32()))),
  N: (m) => m.push(null),
  '\x88': (m) => m.push(true),
  '\x89': (m) => m.push(false),
  // Floats.
  F: (m) => m.push(required(m, floatOf(m.line().toString('latin1')), 'a number')),
  G: (m) => m.push(m.float64()),
  // Strings of Python 2, and bytes.
  S: (m) => m.push(byteString(required(m, literalBytes(m.line()), 'a string'))),
  T: (m) => m.push(byteString(m.slice(m.uint32()))),
  U: (m) => m.push(byteString(m.slice(m.byte()))),
  B: (m) => m.push(Uint8Array.from(m.slice(m.uint32()))),
  C: (m) => m.push(Uint8Array.from(m.slice(m.byte()))),
  '\x8e': (m) => m.push(Uint8Array.from(m.slice(m.uint64()))),
  '\x96': (m) => m.push(Uint8Array.from(m.slice(m.uint64()))),
  // Text.
  V: (m) => m.push(required(m, rawEscapedText(m.line()), 'a text')),
  '\x8c': (m) => m.push(m.text(m.byte())),
  X: (m) => m.push(m.text(m.uint32())),
  '\x8d': (m) => m.push(m.text(m.uint64())),
  // Lists and tuples.
  ']': (m) => m.push([]),
  a: (m) => m.append([m.pop()]),
  e: (m) => m.append(m.popMark()),
  l: (m) => m.push(m.popMark()),
  ')': (m) => m.push(new PythonTuple([])),
  t: (m) => m.push(new PythonTuple(m.popMark())),
  '\x85': (m) => m.push(new PythonTuple([m.pop()])),
  '\x86': (m) => {
    const second = m.pop()
    m.push(new PythonTuple([m.pop(), second]))
  },
  '\x87': (m) => m.push(new PythonTuple([m.pop(), m.pop(), m.pop()].reverse())),
  // Dicts and sets.
  '}': (m) => m.push(new PythonDict()),
  d: (m) => {
    const entries = m.popMark()
    m.push(new PythonDict())
    m.setItems(entries)
  },
  s: (m) => m.setItems([m.pop(), m.pop()].reverse()),
  u: (m) => m.setItems(m.popMark()),
  '\x8f': (m) => m.push(new PythonSet([], false)),
  '\x90': (m) => m.addItems(m.popMark()),
  '\x91': (m) => m.push(new PythonSet(m.popMark(), true)),
  // The stack and the memo.
  '0': (m) => m.drop(),
  '2': (m) => m.push(m.top()),
  '(': (m) => m.mark(),
  '1': (m) => void m.popMark(),
  g: (m) => m.recall(indexLine(m)),
  h: (m) => m.recall(m.byte()),
  j: (m) => m.recall(m.uint32()),
  p: (m) => m.remember(indexLine(m)),
  q: (m) => m.remember(m.byte()),
  r: (m) => m.remember(m.uint32()),
  '\x94': (m) => m.memoize(),
  // Classes and instances.
  '\x82': (m) => m.push(extension(m.byte())),
  '\x83': (m) => m.push(extension(m.uint16())),
  '\x84': (m) => m.push(extension(m.int32())),
  c: (m) => m.push(new PythonGlobal(nameLine(m), nameLine(m))),
  '\x93': (m) => {
    const [name, module] = [m.pop(), m.pop()]
    if (typeof module !== 'string' || typeof name !== 'string') throw m.damage('a name is no text')
    m.push(new PythonGlobal(module, name))
  },
  R: (m) => {
    const args = tupleItems(m, m.pop())
    m.push(calling(m.pop(), args))
  },
  b: (m) => m.build(m.pop()),
  i: (m) => {
    const type = new PythonGlobal(nameLine(m), nameLine(m))
    m.push(calling(type, m.popMark()))
  },
  o: (m) => {
    const [type, ...args] = m.popMark()
    if (type === undefined) throw m.damage('an object has no class')
    m.push(calling(type, args))
  },
  '\x81': (m) => {
    const args = tupleItems(m, m.pop())
    m.push(creating(m.pop(), args))
  },
  '\x92': (m) => {
    const keywords = m.pop()
    const args = tupleItems(m, m.pop())
    if (!(keywords instanceof PythonDict)) throw m.damage('keyword arguments are no dict')
    m.push(creating(m.pop(), args, keywords))
  },
  // The pickle itself.
  '\x80': (m) => {
    const protocol = m.byte()
    if (protocol > MAX_PROTOCOL) throw m.damage(`protocol ${protocol} is not known`)
  },
  '\x95': (m) => m.frame(m.uint64()),
  P: (m) => m.push(new PersistentId(nameLine(m))),
  Q: (m) => m.push(new PersistentId(m.pop())),
})

function table(opcodes: Readonly<Record<string, Opcode>>): (Opcode | undefined)[] {
  const byByte: (Opcode | undefined)[] = new Array(256).fill(undefined)
  for (const [character, opcode] of Object.entries(opcodes)) byByte[character.charCodeAt(0)] = opcode
  return byByte
}

function required<T>(machine: PickleMachine, value: T | undefined, what: string): T {
  if (value === undefined) throw machine.damage(`${what} is spelled wrong`)
  return value
}

function intLine(machine: PickleMachine): number | bigint | boolean {
  const text = machine.line().toString('latin1')
  if (text === '00') return false
  if (text === '01') return true
  return required(machine, decimalOf(text), 'a number')
}

function indexLine(machine: PickleMachine): number {
  const index = decimalOf(machine.line().toString('latin1'))
  if (typeof index !== 'number' || index < 0) throw machine.damage('a number in the memo is spelled wrong')
  return index
}

function nameLine(machine: PickleMachine): string {
  return required(machine, textOf(machine.line()), 'a name')
}

/** ASCII is text, which is what most strings of Python 2 were. */
function byteString(bytes: Buffer): string | PythonByteString {
  return isAsciiBytes(bytes) ? bytes.toString('latin1') : new PythonByteString(Uint8Array.from(bytes))
}

/** A class by a number that only the program which wrote the pickle knew: it had called `copyreg.add_extension`. */
function extension(code: number): PythonGlobal {
  return new PythonGlobal('copyreg.extension', String(code))
}

function tupleItems(machine: PickleMachine, value: unknown): readonly unknown[] {
  if (!(value instanceof PythonTuple)) throw machine.damage('arguments are no tuple')
  return value.items
}
