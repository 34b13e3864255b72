/** A buffer that has grown beyond this is not kept for the next object. */
const KEPT_BYTES = 1024 * 1024

/** Texts up to this length are mostly written faster by hand than by a call into the system. */
const SHORT_TEXT = 32

/** From this length on it is worth finding out how many bytes a text takes. */
const LONG_TEXT = 4096

/** In the length of a text that is no Unicode: its bytes are UTF-16 code units. */
const UTF16 = 2 ** 31

/** Puts the primitive parts of the canonical form into a buffer that grows. Numbers stand with their lowest byte first. */
export class CanonicalWriter {
  #bytes = Buffer.allocUnsafeSlow(4096)
  #view = viewOf(this.#bytes)
  #at = 0

  begin(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#replace(Buffer.allocUnsafeSlow(4096))
    this.#at = 0
  }

  /** What has been written since {@link begin}: a view of memory that is used again. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  /** @param character of ASCII */
  tag(character: number): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = character
  }

  /** @param value below 2^32 */
  count(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  /** @param value below 2^53 */
  id(value: number): void {
    this.#reserve(8)
    this.#view.setUint32(this.#at, value % 2 ** 32, true)
    this.#view.setUint32(this.#at + 4, value / 2 ** 32, true)
    this.#at += 8
  }

  number(value: number): void {
    this.#reserve(8)
    // A NaN may have any of many bit patterns.
    if (Number.isNaN(value)) this.#view.setBigUint64(this.#at, 0x7ff8_0000_0000_0000n, true)
    else this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  text(text: string): void {
    const { length } = text
    if (length <= SHORT_TEXT && this.#ascii(text, length)) return
    const wellFormed = text.isWellFormed()
    const most = length < LONG_TEXT ? 3 * length : Buffer.byteLength(text, wellFormed ? 'utf8' : 'utf16le')
    this.#reserve(4 + most)
    const size = this.#bytes.write(text, this.#at + 4, wellFormed ? 'utf8' : 'utf16le')
    this.#view.setUint32(this.#at, wellFormed ? size : size + UTF16, true)
    this.#at += 4 + size
  }

  #ascii(text: string, length: number): boolean {
    this.#reserve(4 + length)
    const bytes = this.#bytes
    const at = this.#at + 4
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) return false
      bytes[at + i] = code
    }
    this.#view.setUint32(this.#at, length, true)
    this.#at = at + length
    return true
  }

  bytes(bytes: Uint8Array): void {
    this.count(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + count))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#replace(larger)
  }

  #replace(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
}

function viewOf(bytes: Buffer<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
