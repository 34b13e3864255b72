// Like msgpackr's, this entry of cbor-x compiles no code, loads no native module, and keeps extensions to itself.
import { addExtension, Encoder } from 'cbor-x/index-no-eval'
import { Reference } from '../core/reference.js'
import type { ReferenceWriter, Serializer } from '../core/serializer.js'
import { binarySerializer, MAX_KEPT_BUFFER } from './binary-serializer.js'
import { CborSource, CborTag } from './cbor-source.js'
import { Special } from './special.js'

const KEPT_BUFFER = 8192

/** cbor-x's mode of writing to the same buffer again; its types leave the constant out. */
const RESET_BUFFER_MODE = 1024

interface BufferedEncoder {
  encode(value: unknown, mode: number): Uint8Array
  useBuffer(buffer: Uint8Array): void
}

const encoder = new Encoder({
  useRecords: false,
  variableMapSize: true,
  tagUint8Array: false,
}) as unknown as BufferedEncoder

let writer: ReferenceWriter | undefined

addExtension<Special, unknown>({
  Class: Special,
  tag: CborTag.special,
  encode: (special, encode) => encode(special.payload),
  decode: notRead,
})
addExtension<Reference, unknown>({
  Class: Reference,
  tag: CborTag.reference,
  encode: (reference, encode) => encode((writer as ReferenceWriter).position(reference)),
  decode: notRead,
})

/** CBOR (RFC 8949), written by cbor-x: for data that other programs are to read by a standard. */
export const cbor: Serializer = binarySerializer({
  name: 'cbor',
  write(lowered, references) {
    const outer = writer
    writer = references
    try {
      const bytes = encoder.encode(lowered, RESET_BUFFER_MODE)
      if (bytes.length > MAX_KEPT_BUFFER) encoder.useBuffer(Buffer.allocUnsafeSlow(KEPT_BUFFER))
      return bytes
    } finally {
      writer = outer
    }
  },
  source: () => new CborSource(),
})

function notRead(): never {
  throw new Error('States are not read with cbor-x.')
}
