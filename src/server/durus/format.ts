import { ByteWriter } from '../../core/byte-writer.js'
import { MAX_ID, type Oid } from '../../core/oid.js'

/*
 * Protocol 1, that of Durus 4. docs/protocol-1.md has the bytes. All integers are unsigned and big-endian: int4 takes
 * four bytes, int8 takes eight.
 */

export const DURUS_PROTOCOL = 1

/** What a request begins with. */
export const COMMAND = {
  version: code('V'),
  newOid: code('N'),
  newOids: code('M'),
  load: code('L'),
  bulkLoad: code('B'),
  sync: code('S'),
  commit: code('C'),
  pack: code('P'),
  quit: code('Q'),
  close: code('.'),
} as const

/** What an answer begins with. */
export const STATUS = {
  okay: code('O'),
  /** There is no such object. */
  missing: code('K'),
  /** The object has changed and the client does not know yet; a commit: it conflicts. */
  invalid: code('I'),
} as const

function code(letter: string): number {
  return letter.charCodeAt(0)
}

/** Reads an oid. Undefined for numbers that no oid has here. */
export function readOid(bytes: Buffer, at: number): Oid | undefined {
  const oid = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
  return oid <= MAX_ID ? oid : undefined
}

/** Appends the protocol's integers. */
export class DurusWriter extends ByteWriter {
  byte(value: number): void {
    this.reserve(1)
    this.buffer[this.length++] = value
  }

  int4(value: number): void {
    this.reserve(4)
    this.length = this.buffer.writeUInt32BE(value, this.length)
  }

  int8(value: number): void {
    this.reserve(8)
    this.buffer.writeUInt32BE(Math.floor(value / 2 ** 32), this.length)
    this.length = this.buffer.writeUInt32BE(value % 2 ** 32, this.length + 4)
  }

  /** What has been written, without a copy. Nothing may be written afterwards. */
  done(): Buffer {
    return this.buffer.subarray(0, this.length)
  }
}

/** A list of oids as `S` and `C` answer it: their number, then they. */
export function oidList(oids: readonly Oid[]): Buffer {
  const out = new DurusWriter(4 + 8 * oids.length)
  out.int4(oids.length)
  for (const oid of oids) out.int8(oid)
  return out.done()
}
