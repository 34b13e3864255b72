import type { Random } from './random.js'

/** Values that lengths, counts and depths are likely to be checked badly at. */
const INTERESTING = [
  0, 1, 0x7f, 0x80, 0xff, 0xdd, 0xdf, 0xc9, 0xdb, 0xc6, 0xd4, 0x9f, 0xbf, 0x5b, 0x7b, 0x9b, 0xbb, 0xd8,
]

/** Bytes made of one or two valid encodings by flipping, overwriting, cutting, inserting and splicing. */
export function mutate(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  let bytes = Uint8Array.from(random.pick(corpus))
  for (let left = 1 + random.below(3); left > 0; left--) bytes = mutateOnce(random, bytes, corpus)
  return bytes
}

function mutateOnce(
  random: Random,
  bytes: Uint8Array<ArrayBuffer>,
  corpus: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return Uint8Array.of(random.uint32())
  const at = random.below(bytes.length)
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
      return bytes
    case 2:
      bytes[at] = random.uint32()
      return bytes
    case 3:
      bytes[at] = random.pick(INTERESTING)
      return bytes
    case 4:
      return bytes.slice(0, at)
    case 5:
      // Large numbers where a length may stand.
      return bytes.fill(random.pick([0xff, 0x7f, 0x00, 0x39]), at, at + 1 + random.below(8))
    case 6:
      return splice(bytes, at, random.below(4), randomBytes(random, random.below(6)))
    case 7:
      return splice(bytes, at, random.below(16), slice(random, random.pick(corpus)))
    default:
      return random.below(8) === 0 ? randomBytes(random, random.below(60)) : splice(bytes, at, 0, slice(random, bytes))
  }
}

function randomBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random.uint32())
}

function slice(random: Random, bytes: Uint8Array): Uint8Array {
  const start = random.below(bytes.length + 1)
  return bytes.subarray(start, start + random.below(40))
}

function splice(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...bytes.subarray(0, at), ...insert, ...bytes.subarray(at + remove)])
}
