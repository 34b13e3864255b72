import type { ReferenceReader, ReferenceWriter, Serializer, State } from '../core/serializer.js'
import type { ByteSource } from './byte-source.js'
import { lower } from './lower.js'

/** What differs between the binary serializers. */
export interface BinaryFormat {
  readonly name: string
  /** Encodes a lowered state. The bytes returned need not outlive the next call. */
  write(lowered: unknown, references: ReferenceWriter): Uint8Array
  /** A new reader of the format. */
  source(): ByteSource
}

/** After a state larger than this, in bytes, the library is told to let go of its buffer. */
export const MAX_KEPT_BUFFER = 1 << 20

/** The serializer of a binary format: a library writes, and reading, which must bear hostile bytes, is done here. */
export function binarySerializer(format: BinaryFormat): Serializer {
  const source = format.source()
  return {
    name: format.name,
    encode(state: State, references: ReferenceWriter): Uint8Array {
      return format.write(lower(state), references)
    },
    decode(bytes: Uint8Array, references: ReferenceReader): State {
      return (source.busy ? format.source() : source).read(bytes, references)
    },
  }
}
