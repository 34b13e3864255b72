import { PerdureError } from '../../core/errors.js'
import type { Oid } from '../../core/oid.js'
import { encodePickleRecord } from '../../core/pickle-record.js'
import { untypedRecord } from '../../core/record.js'
import type { RecordWrite } from '../../core/storage.js'
import { type DurusWriter, readOid } from './format.js'

/*
 * A Durus record is: oid, int8; length of the data, int4; data; oids that the data refers to, int8 each, up to the end.
 * core/pickle-record.ts makes of it what Perdure keeps.
 */

const HEAD_BYTES = 12

/** A transaction gives the oid, and then the record, which begins with it once more. */
export const SMALLEST_WRITE_BYTES = 8 + HEAD_BYTES

/**
 * Reads one object of a transaction: its oid and its record.
 *
 * @throws PerdureError `PERDURE_PROTOCOL` if that is not what the bytes are
 */
export function readWrite(bytes: Buffer): RecordWrite {
  const oid = requireOid(bytes, 0)
  if (requireOid(bytes, 8) !== oid) throw malformed(oid, 'it begins with another oid')
  const dataEnd = 8 + HEAD_BYTES + bytes.readUInt32BE(16)
  if (dataEnd > bytes.length) throw malformed(oid, 'its data is longer than the record')
  if ((bytes.length - dataEnd) % 8 !== 0) throw malformed(oid, 'the oids it refers to are cut off')
  const data = bytes.subarray(8 + HEAD_BYTES, dataEnd)
  const references: Oid[] = []
  for (let at = dataEnd; at < bytes.length; at += 8) references.push(requireOid(bytes, at))
  return { oid, data: encodePickleRecord(data, references) }
}

/** Appends the length of a Durus record and then the record that {@link readWrite} had made this one of. */
export function writeRecord(out: DurusWriter, oid: Oid, record: Uint8Array): void {
  const { state, oids } = untypedRecord(record)
  const length = HEAD_BYTES + state.length + 8 * oids.length
  out.reserve(4 + length)
  out.int4(length)
  out.int8(oid)
  out.int4(state.length)
  out.bytes(state)
  for (const reference of oids) out.int8(reference)
}

function requireOid(bytes: Buffer, at: number): Oid {
  const oid = readOid(bytes, at)
  if (oid !== undefined) return oid
  throw new PerdureError('PERDURE_PROTOCOL', 'The client names an object by a number that no object can have.')
}

function malformed(oid: Oid, what: string): PerdureError {
  return new PerdureError('PERDURE_PROTOCOL', `The record of object ${oid} makes no sense: ${what}.`, {
    details: { oid },
  })
}
