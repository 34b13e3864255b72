import type { Random } from '../../../src/testing/random.js'

/** Bytes that mean something special to somebody: lengths, ends of numbers, kinds. */
const TELLING = [0, 1, 2, 0x7f, 0x80, 0xff, 0x0a, 0x20, 0x22]

/** Changes bytes here and there, in one of the ways that bytes get lost or forged. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1)
  const length = random.below(Math.min(32, bytes.length - at) + 1)
  switch (random.below(7)) {
    case 0:
      return overwrite(bytes, at, random.below(256))
    case 1:
      return overwrite(bytes, at, random.pick(TELLING))
    case 2:
      return overwrite(bytes, at, (bytes[at] ?? 0) ^ (1 << random.below(8)))
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, length), bytes.subarray(at)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    default:
      return bytes.subarray(0, at)
  }
}

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}

/** The bytes in chunks of random sizes. */
export function* chunksOf(random: Random, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const size = random.below(3) === 0 ? 1 + random.below(8) : 1 + random.below(bytes.length)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

function overwrite(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  if (at < changed.length) changed[at] = value
  return changed
}
