import { ByteSource } from './byte-source.js'

/** Tags of CBOR that states are written with. 39 is registered for references by number, 60 is not registered. */
export const CborTag = { reference: 39, special: 60 } as const

const Major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const

const TAG_WITH_BYTE = 0xd8

/** Reads CBOR (RFC 8949), as far as states are written with it. */
export class CborSource extends ByteSource {
  protected override outermost(): unknown {
    // The list of a graph is one container more than the state has.
    return this.value(this.end > 1 && this.buffer[0] === TAG_WITH_BYTE ? -1 : 0)
  }

  protected override value(depth: number): unknown {
    const head = this.byte()
    switch (head >> 5) {
      case Major.unsigned:
        return head === 0x1b ? this.view.getBigUint64(this.take(8)) : this.#argument(head)
      case Major.negative:
        return head === 0x3b ? -1n - this.view.getBigUint64(this.take(8)) : -1 - this.#argument(head)
      case Major.bytes:
        return this.bytes(this.#argument(head))
      case Major.text:
        return this.text(this.#argument(head))
      case Major.array:
        return this.array(this.#argument(head), depth)
      case Major.map:
        return this.object(this.#argument(head), depth)
      case Major.tag:
        return this.#tagged(this.#argument(head), depth)
      default:
        return this.#simple(head)
    }
  }

  /** What the five low bits of a head say: the number itself, or how many bytes hold it. */
  #argument(head: number): number {
    const low = head & 31
    if (low < 24) return low
    switch (low) {
      case 24:
        return this.byte()
      case 25:
        return this.uint16()
      case 26:
        return this.uint32()
      default:
        throw this.#unknown(head)
    }
  }

  #tagged(tag: number, depth: number): unknown {
    switch (tag) {
      case CborTag.reference:
        return this.reference(this.#untagged(Major.unsigned))
      case CborTag.special:
        return this.special(this.array(this.#untagged(Major.array), depth))
      default:
        throw this.damage(`no state is written with the tag ${tag}`)
    }
  }

  // What a tag stands on may not be any value: a tag on a tag on a tag is nesting that no container counts.
  #untagged(major: number): number {
    const head = this.byte()
    if (head >> 5 !== major) throw this.damage('a tag stands on a value of the wrong type')
    return this.#argument(head)
  }

  #simple(head: number): unknown {
    switch (head) {
      case 0xf4:
        return false
      case 0xf5:
        return true
      case 0xf6:
        return null
      case 0xf7:
        return undefined
      case 0xfb:
        return this.float64()
      default:
        throw this.#unknown(head)
    }
  }

  #unknown(head: number) {
    return this.damage(`no state is written with the byte 0x${head.toString(16)}`)
  }

  protected override propertyName(): string {
    const head = this.byte()
    if (head >> 5 !== Major.text) throw this.damage('an object has a key that is not a string')
    return this.key(this.#argument(head))
  }
}
