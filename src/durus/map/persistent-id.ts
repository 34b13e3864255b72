import { isId, type Oid } from '../../core/oid.js'
import { type PersistentId, PythonByteString, PythonGlobal, PythonTuple } from '../pickle/python-values.js'

const OID_BYTES = 8

/** What a persistent id of Durus says. */
export interface DurusReference {
  readonly oid: Oid
  /** As it was when the reference was written. */
  readonly type: PythonGlobal
}

/** Understands a tuple of an oid, as 8 bytes, and a class; undefined for anything else. */
export function durusReference({ id }: PersistentId): DurusReference | undefined {
  if (!(id instanceof PythonTuple) || id.items.length !== 2) return undefined
  const [oidBytes, type] = id.items
  const bytes = bytesOf(oidBytes)
  if (bytes?.length !== OID_BYTES || !(type instanceof PythonGlobal)) return undefined
  let oid = 0
  for (const byte of bytes) oid = oid * 256 + byte
  return isId(oid) ? { oid, type } : undefined
}

/** The bytes of a value that Python 3 pickles as bytes, and Python 2 as a str. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  if (value instanceof PythonByteString) return value.bytes
  if (typeof value !== 'string') return undefined
  const bytes = Buffer.from(value, 'latin1')
  return bytes.toString('latin1') === value ? bytes : undefined
}
