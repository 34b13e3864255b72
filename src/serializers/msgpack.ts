// This entry of msgpackr compiles no code and loads no native module. It is also a copy of its own: extensions are
// registered per copy, so those of the application and those of this file do not meet.
import { addExtension, Packr, RESET_BUFFER_MODE } from 'msgpackr/index-no-eval'
import { Reference } from '../core/reference.js'
import type { ReferenceWriter, Serializer } from '../core/serializer.js'
import { binarySerializer, MAX_KEPT_BUFFER } from './binary-serializer.js'
import { MsgpackExtension, MsgpackSource } from './msgpack-source.js'
import { Special } from './special.js'

const KEPT_BUFFER = 8192

const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false })

let writer: ReferenceWriter | undefined

addExtension({ Class: Special, type: MsgpackExtension.special, write: (special: Special) => special.payload })
addExtension({
  Class: Reference,
  type: MsgpackExtension.reference,
  write: (reference: Reference) => (writer as ReferenceWriter).position(reference),
})

/** MessagePack, written by msgpackr: the default, small and the fastest. */
export const msgpack: Serializer = binarySerializer({
  name: 'msgpack',
  write(lowered, references) {
    const outer = writer
    writer = references
    try {
      const bytes = packr.pack(lowered, RESET_BUFFER_MODE)
      if (bytes.length > MAX_KEPT_BUFFER) packr.useBuffer(Buffer.allocUnsafeSlow(KEPT_BUFFER))
      return bytes
    } finally {
      writer = outer
    }
  },
  source: () => new MsgpackSource(),
})
