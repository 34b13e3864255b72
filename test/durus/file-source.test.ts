import { expect } from 'chai'
import { FileSource } from '../../src/durus/file-source.js'
import { sniffDurus } from '../../src/durus/sniff.js'
import { BytesFile } from '../support/bytes-file.js'
import { int4 } from '../support/durus-client.js'
import { dfs20File, dfs20Transaction, fileRecord, shelfFile } from '../support/durus-files.js'
import { thrownBy } from '../support/errors.js'

function read({ bytes }: { readonly bytes: Buffer }): FileSource {
  return new FileSource(new BytesFile(bytes), sniffDurus(bytes) as 'SHELF-1' | 'DFS20')
}

/** Some parts of a file that has zeros everywhere else. */
class SparseFile extends BytesFile {
  readonly #parts: readonly (readonly [at: number, bytes: Buffer])[]

  constructor(parts: readonly (readonly [at: number, bytes: Buffer])[]) {
    super(Buffer.alloc(0))
    this.#parts = parts
  }

  override size(): number {
    return Math.max(...this.#parts.map(([at, bytes]) => at + bytes.length))
  }

  override read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const target = buffer.subarray(offset, offset + Math.max(0, Math.min(length, this.size() - position))).fill(0)
    for (const [at, bytes] of this.#parts) {
      const from = Math.max(0, position - at)
      if (from < bytes.length && at < position + target.length) {
        target.set(bytes.subarray(from, position + target.length - at), Math.max(0, at - position))
      }
    }
    return target.length
  }
}

describe('A Durus file', () => {
  const big = 2n ** 53n
  const data = Buffer.from('data')

  it('is damaged if an oid is larger than any can be, and the message says where', () => {
    for (const { bytes } of [shelfFile([], [[{ oid: big, data }]]), dfs20File([], [[{ oid: big, data }]])]) {
      const error = thrownBy(() => read({ bytes }))
      expect(error.message).to.match(/damaged at byte \d+: a record begins with 9007199254740992/)
    }
    const references = [1, big]
    for (const { bytes } of [
      shelfFile([], [[{ oid: 1, data, references }]]),
      dfs20File([], [[{ oid: 1, data, references }]]),
    ]) {
      expect(thrownBy(() => read({ bytes })).message).to.match(/object 1 refers to 9007199254740992/)
    }
  })

  it('is damaged if a length in the middle was, even where that makes all that follows look cut off', () => {
    const later = Array.from({ length: 6 }, (_, i) => [{ oid: i, data: Buffer.from(`some data ${i}`) }])
    const shelf = shelfFile([], later)
    const dfs20 = dfs20File([], later)
    for (let bit = 0; bit < 64; bit++) {
      const place = 40 + 7 - Math.floor(bit / 8)
      const bytes = Buffer.from(shelf.bytes)
      bytes[place] = (bytes[place] as number) ^ (1 << (bit % 8))
      expect(thrownBy(() => read({ bytes })).code, `bit ${bit}`).to.equal('PERDURE_CORRUPTION')
    }
    const first = dfs20.bytes.indexOf('some data 0') - 16
    for (let bit = 0; bit < 32; bit++) {
      const place = first + 3 - Math.floor(bit / 8)
      const bytes = Buffer.from(dfs20.bytes)
      bytes[place] = (bytes[place] as number) ^ (1 << (bit % 8))
      expect(thrownBy(() => read({ bytes })).code, `bit ${bit}`).to.equal('PERDURE_CORRUPTION')
    }
  })

  it('is read by parts, each once to open it and once to load its objects in their order', () => {
    const later = Array.from({ length: 3000 }, (_, oid) => [{ oid, data: Buffer.alloc(1000) }])
    const { bytes } = shelfFile([], later)
    const file = new BytesFile(bytes)
    const source = new FileSource(file, 'SHELF-1')
    expect(file.bytesRead).to.be.lessThan(bytes.length * 1.1)
    for (const oid of source.oids()) source.load(oid)
    expect(file.bytesRead).to.be.lessThan(bytes.length * 2.3)
  })

  it('is skipped over where there is data, of which none is needed to open it', () => {
    const { bytes } = shelfFile(
      [],
      [
        [
          { oid: 0, data: Buffer.alloc(8_000_000), references: [1] },
          { oid: 1, data },
        ],
      ],
    )
    const file = new BytesFile(bytes)
    const source = new FileSource(file, 'SHELF-1')
    expect(file.bytesRead).to.be.lessThan(2_500_000)
    expect(source.load(0)?.data.length).to.equal(8_000_000)
  })

  it('may be larger than 4 GiB', () => {
    const gap = 5 * 2 ** 30
    const first = dfs20File([], [[{ oid: 1, data }]]).bytes
    const large = fileRecord({ oid: 2, data: Buffer.alloc(0), references: [] }).subarray(0, 8)
    // Two records of 2.5 GiB of zeros, and one behind them.
    const half = gap / 2
    const parts: [number, Buffer][] = [[0, first]]
    for (const at of [first.length, first.length + half]) {
      parts.push([at, Buffer.concat([int4(half - 4), large, int4(half - 16)])])
    }
    parts.push([first.length + gap, Buffer.concat([int4(0), dfs20Transaction([{ oid: 3, data, references: [1] }])])])
    const source = new FileSource(new SparseFile(parts), 'DFS20')
    expect([source.objects, source.tornBytes]).to.deep.equal([3, 0])
    expect([...source.oids()]).to.deep.equal([1, 2, 3])
    expect(source.load(3)).to.deep.include({ data: Uint8Array.from(data), references: [1] })
    expect(source.load(3)?.offset).to.equal(first.length + gap + 4)
    expect(thrownBy(() => source.load(2)).code).to.equal('PERDURE_RECORD_TOO_LARGE')
    expect(source.load(1)?.oid).to.equal(1)
  })

  it('cannot be read once it is closed', () => {
    const { bytes } = shelfFile([], [[{ oid: 0, data }]])
    const file = new BytesFile(bytes)
    const source = new FileSource(file, 'SHELF-1')
    const oids = source.oids()
    source.close()
    source.close()
    expect(file.isClosed).to.equal(true)
    expect(thrownBy(() => source.load(0)).code).to.equal('PERDURE_CLOSED')
    expect(thrownBy(() => [...oids]).code).to.equal('PERDURE_CLOSED')
  })
})
