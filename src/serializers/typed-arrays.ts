import { endianness } from 'node:os'
import { damage } from './damage.js'

type TypedArrayConstructor = { new (buffer: ArrayBuffer): ArrayBufferView; readonly BYTES_PER_ELEMENT: number }

const swapped = endianness() === 'BE'

/** The elements of a typed array as little-endian bytes. May be a view of the array's own memory. */
export function elementBytes(array: ArrayBufferView): Uint8Array {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  const { BYTES_PER_ELEMENT: size } = array as unknown as TypedArrayConstructor
  return swapped ? swapElements(bytes.slice(), size) : bytes
}

/** The inverse of {@link elementBytes}. `bytes` must be alone in its ArrayBuffer, which the result takes over. */
export function typedArrayOf(name: string, bytes: Uint8Array<ArrayBuffer>): ArrayBufferView {
  const Type = (globalThis as unknown as Record<string, TypedArrayConstructor | undefined>)[name]
  if (Type === undefined) throw damage(`this version of Node.js has no ${name}`)
  if (bytes.length % Type.BYTES_PER_ELEMENT !== 0) throw damage(`${bytes.length} bytes do not make a ${name}`)
  return new Type((swapped ? swapElements(bytes, Type.BYTES_PER_ELEMENT) : bytes).buffer)
}

function swapElements<T extends Uint8Array>(bytes: T, size: number): T {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse()
  return bytes
}
