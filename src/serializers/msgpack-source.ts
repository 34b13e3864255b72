import { ByteSource } from './byte-source.js'

/** Extension types of MessagePack that states are written with. A fixext 1 of 0 is what many use for undefined. */
export const MsgpackExtension = { undefined: 0, reference: 0x52, special: 0x53 } as const

const FIXEXT1 = 0xd4

/** Reads MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), as far as states are written with it. */
export class MsgpackSource extends ByteSource {
  protected override outermost(): unknown {
    // The list of a graph is one container more than the state has.
    return this.value(this.end > 1 && this.buffer[0] === FIXEXT1 ? -1 : 0)
  }

  protected override value(depth: number): unknown {
    const token = this.byte()
    if (token < 0x80) return token
    if (token < 0x90) return this.object(token & 15, depth)
    if (token < 0xa0) return this.array(token & 15, depth)
    if (token < 0xc0) return this.text(token & 31)
    if (token >= 0xe0) return token - 256
    return this.#marked(token, depth)
  }

  #marked(token: number, depth: number): unknown {
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.bytes(this.byte())
      case 0xc5:
        return this.bytes(this.uint16())
      case 0xc6:
        return this.bytes(this.uint32())
      case 0xcb:
        return this.float64()
      case FIXEXT1:
        return this.#extension(depth)
      case 0xdc:
        return this.array(this.uint16(), depth)
      case 0xdd:
        return this.array(this.uint32(), depth)
      case 0xde:
        return this.object(this.uint16(), depth)
      case 0xdf:
        return this.object(this.uint32(), depth)
      default:
        return token < 0xd4 ? this.#integer(token) : this.text(this.#textLength(token))
    }
  }

  #integer(token: number): number | bigint {
    switch (token) {
      case 0xcc:
        return this.byte()
      case 0xcd:
        return this.uint16()
      case 0xce:
        return this.uint32()
      case 0xd0:
        return this.view.getInt8(this.take(1))
      case 0xd1:
        return this.view.getInt16(this.take(2))
      case 0xd2:
        return this.view.getInt32(this.take(4))
      case 0xd3:
        return this.view.getBigInt64(this.take(8))
      default:
        throw this.damage(`no state is written with the byte 0x${token.toString(16)}`)
    }
  }

  #textLength(token: number): number {
    switch (token) {
      case 0xd9:
        return this.byte()
      case 0xda:
        return this.uint16()
      case 0xdb:
        return this.uint32()
      default:
        throw this.damage(`no state is written with the byte 0x${token.toString(16)}`)
    }
  }

  // Neither may be any value: an extension in an extension in an extension is nesting that no container counts.
  #position(): number | bigint {
    const token = this.byte()
    return token < 0x80 ? token : this.#integer(token)
  }

  #payload(depth: number): unknown[] {
    const token = this.byte()
    if (token >= 0x90 && token < 0xa0) return this.array(token & 15, depth)
    if (token === 0xdc) return this.array(this.uint16(), depth)
    if (token === 0xdd) return this.array(this.uint32(), depth)
    throw this.damage('a special value is not a list')
  }

  /** One of the extensions: its type and a byte of no meaning, and for some a value that follows. */
  #extension(depth: number): unknown {
    const type = this.byte()
    if (this.byte() !== 0) throw this.damage('an extension is malformed')
    switch (type) {
      case MsgpackExtension.reference:
        return this.reference(this.#position())
      case MsgpackExtension.special:
        return this.special(this.#payload(depth))
      case MsgpackExtension.undefined:
        return undefined
      default:
        throw this.damage(`no state is written with the extension ${type}`)
    }
  }

  protected override propertyName(): string {
    const token = this.byte()
    if (token >= 0xa0 && token < 0xc0) return this.key(token & 31)
    return this.key(this.#textLength(token))
  }
}
