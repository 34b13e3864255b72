import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import type { StoredRecord } from '../../src/core/storage.js'

/** A record that holds one number. */
export function numberRecord(value: number): Uint8Array {
  return encodeRecord('Number', [], Buffer.from(String(value)))
}

/** The number in a record; 0 if there is none. */
export function recordNumber(record: StoredRecord | undefined): number {
  return record === undefined ? 0 : Number(Buffer.from(decodeRecord(record.data).state).toString())
}
