import { OPCODES, STOP } from './opcodes.js'
import { pickleDamage } from './pickle-bytes.js'
import { PickleMachine } from './pickle-machine.js'

/** Memos longer than this are not used again. */
const MAX_KEPT_MEMO = 10_000

/**
 * Reads pickles of the protocols 0 to 5, from bytes that nobody vouches for. What comes out is told in
 * python-values.ts; values that were one in Python are one here, cycles included, and may nest to any depth.
 *
 * Time and memory are bounded by a small multiple of the bytes.
 */
export class PickleReader extends PickleMachine {
  /** Begins with new bytes. They must not change before they have been read. */
  open(bytes: Uint8Array): void {
    this.bytesSeen = 0
    if (this.memo.length > MAX_KEPT_MEMO) this.memo = []
    else this.memo.length = 0
    this.continue(bytes)
  }

  /** As {@link open}, and the values of earlier pickles can be referred to. */
  continue(bytes: Uint8Array): void {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = 0
    this.bytesSeen += bytes.length
  }

  /** How many values have a number, those of earlier pickles included, or would have if none were left out. */
  get numbered(): number {
    return this.memo.length
  }

  /** Goes on behind a pickle that has been read before: its value, to which it had given the number 0, is known. */
  skip(length: number, value: unknown): void {
    this.position = length
    this.memo[0] = value
  }

  /**
   * The value of the next pickle. {@link position} is behind it then.
   *
   * @throws PerdureError `PERDURE_DECODE` with `details.offset`, the byte where it stops making sense
   */
  load(): unknown {
    this.reset()
    try {
      for (;;) {
        const code = this.byte()
        if (code === STOP) return this.pop()
        const opcode = OPCODES[code]
        if (opcode === undefined) throw this.damage(`0x${code.toString(16)} is no opcode`)
        opcode(this)
      }
    } catch (error) {
      // What is too large for the engine, such as a text of 512 MB.
      throw error instanceof RangeError ? pickleDamage('a value is too large', this.position, error) : error
    }
  }
}
