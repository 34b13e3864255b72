/** A number of up to 53 bits takes at most this many bytes. */
const MAX_VARINT_BYTES = 8

/** Appends bytes to a buffer that grows. */
export class ByteWriter {
  buffer: Buffer
  length = 0

  constructor(capacity = 4096) {
    this.buffer = Buffer.allocUnsafeSlow(capacity)
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count > this.buffer.length) this.grow(count)
  }

  protected grow(count: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + count))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }

  varint(value: number): void {
    this.reserve(MAX_VARINT_BYTES)
    while (value > 0x7fffffff) {
      this.buffer[this.length++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    while (value > 127) {
      this.buffer[this.length++] = (value & 127) | 0x80
      value >>>= 7
    }
    this.buffer[this.length++] = value
  }

  string(text: string): void {
    const size = Buffer.byteLength(text)
    this.varint(size)
    this.reserve(size)
    this.buffer.write(text, this.length, 'utf8')
    this.length += size
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
  }
}
