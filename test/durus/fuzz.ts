import { readFileSync, writeFileSync } from 'node:fs'
import { PerdureError } from '../../src/core/errors.js'
import { FileSource } from '../../src/durus/file-source.js'
import { openDurusFile } from '../../src/durus/open.js'
import { sniffDurus } from '../../src/durus/sniff.js'
import type { DurusSource } from '../../src/durus/source.js'
import type { Random } from '../../src/testing/random.js'
import { mutate } from '../server/fuzz/mutation.js'
import { BytesFile } from '../support/bytes-file.js'
import { int4, int8 } from '../support/durus-client.js'
import { type DurusFile, dfs20File, type FileObject, fileRecord, shelfFile } from '../support/durus-files.js'
import { durusFixture, expectUntouched } from '../support/durus-fixtures.js'

/** What became of the inputs. */
export interface DurusFuzzCounts {
  read: number
  torn: number
  refused: number
  /** Of these, the ones that do not even begin like a Durus file. */
  foreign: number
}

/** A file to be damaged. */
interface Victim extends DurusFile {
  /** Where there are lengths and oids, and how many bytes they take. */
  readonly integers: readonly (readonly [at: number, bytes: 4 | 8])[]
}

/** All that reading may take: the file once to open it, and once more for its objects, each by windows that overlap. */
const READ_FACTOR = 6
const READ_MORE = 4 * 1024 * 1024

/** Opens damaged files of FileStorage and FileStorage2. Throws if that gives anything but objects or an error with its place. */
export function fuzzFiles(random: Random, inputs: number): DurusFuzzCounts {
  const corpus = victims()
  const counts = { read: 0, torn: 0, refused: 0, foreign: 0 }
  for (let i = 0; i < inputs; i++) {
    const victim = random.pick(corpus)
    const isFlip = random.below(4) === 0
    const bytes = isFlip ? flip(random, victim.bytes) : damage(random, victim, random.pick(corpus))
    try {
      readBytes(bytes, isFlip ? victim : undefined, counts)
    } catch (error) {
      if (error instanceof Error) error.message += ` (input ${i})`
      throw error
    }
  }
  return counts
}

/** A small file, damaged. */
export function damagedFile(random: Random): Buffer {
  const corpus = madeVictims()
  return damage(random, random.pick(corpus), random.pick(corpus))
}

function readBytes(bytes: Buffer, flipped: Victim | undefined, counts: DurusFuzzCounts): void {
  const format = sniffDurus(bytes)
  if (format === undefined || format === 'sqlite') {
    counts.foreign++
    return
  }
  const file = new BytesFile(bytes)
  try {
    const source = new FileSource(file, format)
    readAll(source, bytes)
    if (source.tornBytes > 0) counts.torn++
    if (flipped !== undefined && source.tornBytes > bytes.length - flipped.lastTransaction) {
      throw new Error(`One bit is wrong, and ${source.tornBytes} bytes of whole transactions are taken for a torn one.`)
    }
    counts.read++
  } catch (error) {
    expectPlace(error, bytes.length)
    counts.refused++
  }
  if (file.bytesRead > READ_FACTOR * bytes.length + READ_MORE) {
    throw new Error(`Of a file of ${bytes.length} bytes, ${file.bytesRead} were read.`)
  }
}

/** Each object is what stands in the file at the place it names. */
function readAll(source: DurusSource, bytes: Buffer): void {
  let count = 0
  for (const oid of source.oids()) {
    const object = source.load(oid)
    if (object === undefined) throw new Error(`Object ${oid} is listed, and is not there.`)
    const record = fileRecord(object)
    const at = object.offset + (source.format === 'SHELF-1' ? 16 : 4)
    if (!bytes.subarray(at, at + record.length).equals(record)) throw new Error(`Object ${oid} is not what it was.`)
    count++
  }
  if (count !== source.objects) throw new Error(`There are ${count} objects, not ${source.objects}.`)
}

function expectPlace(error: unknown, size: number): void {
  if (!(error instanceof PerdureError) || error.code !== 'PERDURE_CORRUPTION') throw error
  const { offset } = error.details
  if (typeof offset !== 'number' || !(offset >= 0 && offset <= size)) throw new Error(`At ${offset}: ${error.message}`)
}

/** Opens damaged files of SqliteStorage, all at the same path. */
export async function fuzzSqlite(random: Random, inputs: number, path: string): Promise<DurusFuzzCounts> {
  const fixture = readFileSync(durusFixture('sqlite'))
  const counts = { read: 0, torn: 0, refused: 0, foreign: 0 }
  for (let i = 0; i < inputs; i++) {
    let bytes: Buffer = fixture
    for (let left = 1 + random.below(4); left > 0; left--) bytes = mutate(random, inPage(random, bytes))
    writeFileSync(path, bytes)
    const check = expectUntouched(path)
    try {
      await readSqlite(path)
      counts.read++
    } catch (error) {
      const code = error instanceof PerdureError ? error.code : undefined
      if (code === 'PERDURE_NOT_A_DATABASE') counts.foreign++
      else if (code === 'PERDURE_CORRUPTION' || code === 'PERDURE_FORMAT_VERSION') counts.refused++
      else throw error
    }
    check()
    // What libsql holds of a database is let go of by the garbage collector alone, which does not see how much it is.
    if (i % 200 === 0) global.gc?.()
  }
  return counts
}

async function readSqlite(path: string): Promise<void> {
  const source = await openDurusFile(path)
  try {
    for (const oid of source.oids()) source.load(oid)
  } finally {
    source.close()
  }
}

/** Half of the time a few bytes of the first pages or of a page's head are changed, where they do the most harm. */
function inPage(random: Random, bytes: Buffer): Buffer {
  if (random.below(2) === 0 || bytes.length < 4096) return bytes
  const page = random.below(Math.floor(bytes.length / 4096)) * 4096
  const at = page + random.below(page === 0 ? 200 : 40)
  const changed = Buffer.from(bytes)
  changed[at] = random.pick([0, 1, 2, 5, 10, 13, 0x7f, 0xff, random.below(256)])
  return changed
}

function flip(random: Random, bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes)
  const at = random.below(bytes.length)
  flipped[at] = (flipped[at] as number) ^ (1 << random.below(8))
  return flipped
}

function damage(random: Random, victim: Victim, other: Victim): Buffer {
  let bytes = victim.bytes
  for (let left = 1 + random.below(3); left > 0; left--) {
    const choice = random.below(4)
    if (choice === 0) bytes = lie(random, bytes, victim)
    else if (choice === 1) bytes = splice(random, bytes, other.bytes)
    else bytes = mutate(random, bytes)
  }
  return bytes
}

/** Writes a number where there is one that means something. */
function lie(random: Random, bytes: Buffer, { integers }: Victim): Buffer {
  const [at, width] = random.pick(integers)
  if (at + width > bytes.length) return bytes
  const before = width === 8 ? bytes.readBigUInt64BE(at) : BigInt(bytes.readUInt32BE(at))
  const value = random.pick([
    0n,
    1n,
    13n,
    before + 1n,
    before + 8n,
    before * 2n,
    before > 8n ? before - 8n : 0n,
    BigInt(bytes.length),
    BigInt(bytes.length - at - width),
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 53n,
    2n ** 63n + 1n,
  ])
  const changed = Buffer.from(bytes)
  changed.set(width === 8 ? int8(value % 2n ** 64n) : int4(Number(value % 2n ** 32n)), at)
  return changed
}

/** The beginning of one file, and the end of another one or of itself. */
function splice(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const from = random.below(2) === 0 ? bytes : other
  return Buffer.concat([
    bytes.subarray(0, random.below(bytes.length + 1)),
    from.subarray(random.below(from.length + 1)),
  ])
}

/** Small files, in which most bytes mean something, and those of Durus. */
function victims(): Victim[] {
  const fixtures = (['shelf', 'shelf-packed', 'dfs20'] as const).map((name) => {
    const bytes = readFileSync(durusFixture(name))
    return victim({ bytes, lastTransaction: lastTransactionOf(bytes) })
  })
  const small = madeVictims()
  // The small ones more often, because they are read sooner.
  return [...small, ...small, ...small, ...fixtures]
}

function madeVictims(): Victim[] {
  const object = (oid: number, size: number, ...references: number[]): FileObject => ({
    oid,
    data: Buffer.alloc(size, `\x80\x02cmodule\nName\nq\x00.${oid}`, 'latin1'),
    references,
  })
  const first = [object(0, 30, 1, 2), object(1, 20, 0), object(2, 50)]
  const later = [[object(0, 40, 1, 3), object(3, 25)], [object(2, 10, 3)], [object(9, 60, 0, 1, 2), object(1, 20)]]
  const shelves = [shelfFile([], [first, ...later]), shelfFile(first, later)]
  return [...shelves, dfs20File([], [first, ...later]), dfs20File([first], later)].map(victim)
}

function victim(file: DurusFile): Victim {
  const source = new FileSource(new BytesFile(file.bytes), sniffDurus(file.bytes) as 'SHELF-1' | 'DFS20')
  const isShelf = source.format === 'SHELF-1'
  const integers: [number, 4 | 8][] = [[isShelf ? 8 : 6, 8]]
  for (const oid of source.oids()) {
    const { offset, data, references } = source.load(oid) as { offset: number } & FileObject
    const head = offset + (isShelf ? 8 : 4)
    integers.push([offset, isShelf ? 8 : 4], [head, 8], [head + (isShelf ? 16 : 8), 4])
    if ((references?.length ?? 0) > 0) integers.push([head + (isShelf ? 20 : 12) + data.length, 8])
    // What stands before the first record of a transaction is its length.
    if (isShelf && offset >= 24) integers.push([offset - 8, 8])
  }
  return { ...file, integers }
}

/** Where the last transaction of a whole file begins: as few bytes as can be cut off without any being torn. */
function lastTransactionOf(bytes: Buffer): number {
  const format = sniffDurus(bytes) as 'SHELF-1' | 'DFS20'
  const source = new FileSource(new BytesFile(bytes.subarray(0, bytes.length - 1)), format)
  return bytes.length - 1 - source.tornBytes
}
