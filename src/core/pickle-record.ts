import type { Oid } from './oid.js'
import { PICKLE } from './pickle.js'
import { encodeUntypedRecord, MAX_CLASS_NAME } from './record.js'

/** The opcodes that a class is pickled with: PROTO, its version, GLOBAL. */
const PROTO = 0x80
const PROTO_VERSION = 2
const GLOBAL = 0x63
const NEWLINE = 0x0a

const DOTTED_NAME = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u

/**
 * Encodes a record of a database of pickles. The data of a Durus record, the pickles of a class and of a state, is kept
 * as the state, byte for byte, and the oids that follow it as references to objects of any class.
 */
export function encodePickleRecord(data: Uint8Array, references: readonly Oid[]): Uint8Array {
  return encodeUntypedRecord(classNameOf(data), references, data)
}

/**
 * The name of the class that a Durus record's data begins with, such as `durus.persistent_dict.PersistentDict`. Only
 * the one form that Durus writes is understood; anything else is called `pickle`. Nothing is unpickled.
 */
export function classNameOf(data: Uint8Array): string {
  if (data[0] !== PROTO || data[1] !== PROTO_VERSION || data[2] !== GLOBAL) return PICKLE
  const head = data.subarray(3, 3 + MAX_CLASS_NAME + 1)
  const moduleEnd = head.indexOf(NEWLINE)
  const end = head.indexOf(NEWLINE, moduleEnd + 1)
  if (moduleEnd < 0 || end < 0) return PICKLE
  const [module, name] = [text(head.subarray(0, moduleEnd)), text(head.subarray(moduleEnd + 1, end))]
  return DOTTED_NAME.test(module) && DOTTED_NAME.test(name) ? `${module}.${name}` : PICKLE
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}
