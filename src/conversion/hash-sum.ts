import { hash } from 'node:crypto'

const WORDS = 8
const WORD_BYTES = 4
const WORD = 2 ** 32

/** So many numbers below 2^32 can be added up without loss. */
const MAX_PENDING = 2 ** 20

/** Size of what is added up, in bytes. */
const HASH_BYTES = WORDS * WORD_BYTES

/**
 * The sum of hashes modulo 2^256, for which their order does not matter (AdHash; M. Bellare and D. Micciancio, A New
 * Paradigm for Collision-Free Hashing, 1997).
 */
export class HashSum {
  /** Of the words, the highest first; each may hold what has still to be carried to the one before. */
  readonly #words = new Float64Array(WORDS)
  #pending = 0

  /** @param summand 32 bytes: a hash, or another sum; the highest byte first */
  add(summand: Buffer): void {
    const words = this.#words
    for (let i = 0; i < WORDS; i++) words[i] = (words[i] as number) + summand.readUInt32BE(i * WORD_BYTES)
    this.#count()
  }

  #count(): void {
    if (++this.#pending === MAX_PENDING) this.#carry()
  }

  /** Adds the SHA-256 of some bytes. */
  addHashOf(bytes: Uint8Array): void {
    // A text of 32 bytes is given twice as fast as a buffer with them.
    const digest = hash('sha256', bytes, 'binary')
    const words = this.#words
    for (let i = 0, at = 0; i < WORDS; i++, at += WORD_BYTES) {
      const high = digest.charCodeAt(at) * 0x100 + digest.charCodeAt(at + 1)
      const low = digest.charCodeAt(at + 2) * 0x100 + digest.charCodeAt(at + 3)
      words[i] = (words[i] as number) + high * 0x10000 + low
    }
    this.#count()
  }

  #carry(): void {
    const words = this.#words
    let carried = 0
    for (let i = WORDS - 1; i >= 0; i--) {
      const sum = (words[i] as number) + carried
      carried = Math.floor(sum / WORD)
      words[i] = sum - carried * WORD
    }
    this.#pending = 0
  }

  /** The sum in 32 bytes, the highest first. */
  toBytes(): Buffer<ArrayBuffer> {
    this.#carry()
    const bytes = Buffer.alloc(HASH_BYTES)
    for (const [i, word] of this.#words.entries()) bytes.writeUInt32BE(word, i * WORD_BYTES)
    return bytes
  }

  /** In 64 hexadecimal digits. */
  toString(): string {
    return this.toBytes().toString('hex')
  }
}
