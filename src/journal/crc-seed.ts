/** The table of CRC-32 (polynomial 0xEDB88320, reflected), as in RFC 1952. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** For each high byte of a table entry, which entry it is: all 256 are different, so a step can be undone. */
const INVERSE = (() => {
  const inverse = new Uint8Array(256)
  TABLE.forEach((value, byte) => {
    inverse[value >>> 24] = byte
  })
  return inverse
})()

/**
 * The number with which a CRC-32 was begun, from the bytes and the result: the computation, run backwards.
 * `crc32(bytes, crcSeed(bytes, checksum)) === checksum`.
 */
export function crcSeed(bytes: Uint8Array, checksum: number): number {
  let state = ~checksum >>> 0
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = INVERSE[state >>> 24] as number
    state = (((state ^ (TABLE[byte] as number)) << 8) | (byte ^ (bytes[i] as number))) >>> 0
  }
  return ~state >>> 0
}
