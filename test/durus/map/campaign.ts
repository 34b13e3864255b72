import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync, inflateSync } from 'node:zlib'
import { PerdureError } from '../../../src/core/errors.js'
import { decodeRecord } from '../../../src/core/record.js'
import type { Family } from '../../../src/durus/map/class-map.js'
import { ChangeList } from '../../../src/durus/map/import-report.js'
import { DurusMapper } from '../../../src/durus/map/map-source.js'
import { ObjectMapper } from '../../../src/durus/map/object-mapper.js'
import { RecordEncoder } from '../../../src/durus/map/record-encoder.js'
import { openDurusFile } from '../../../src/durus/open.js'
import { importDurus } from '../../../src/import-durus.js'
import { msgpack } from '../../../src/serializers/msgpack.js'
import { Random } from '../../../src/testing/random.js'
import { mutate } from '../../server/fuzz/mutation.js'
import { allMapped } from '../../support/all-mapped.js'
import { durusFixture, expectUntouched } from '../../support/durus-fixtures.js'
import { durusData, durusReference, int, type PythonValue, pickleClass } from '../../support/pickle-writer.js'

/** What became of the inputs. */
export interface CampaignResult {
  /** Mapped, and refused with a named error. */
  accepted: number
  refused: number
}

const FAMILIES: readonly Family[] = ['fields', 'map', 'list', 'set']

const ZLIB = 0x78

/** The pickle of a class takes at least so many bytes. */
const LEAST_CLASS = 8

/**
 * Maps mutated objects, of Durus's own files and made here, and writes what comes out. Only two errors may come:
 * `PERDURE_DECODE` with an offset, and `PERDURE_UNSTORABLE` with a path.
 */
export async function fuzzObjects(count: number, seed: number): Promise<CampaignResult> {
  const random = new Random(seed)
  const seeds = [...(await fixtureObjects()), ...madeObjects()]
  const changes = new ChangeList()
  const classOf = (oid: number) => (oid < 2 ** 32 ? 'Thing' : undefined)
  const mapper = new ObjectMapper({ classOf, converters: new Map(), changes })
  const encoder = new RecordEncoder(msgpack)
  const result = { accepted: 0, refused: 0 }
  for (let i = 0; i < count; i++) {
    let data = random.pick(seeds)
    for (let times = random.below(3); times >= 0; times--) data = mutate(random, data)
    // A mutation of what is compressed rarely comes through, so most are made before.
    if (random.below(4) > 0) data = recompressed(data, random)
    const type = { pythonName: 'a.B', className: 'B', family: random.pick(FAMILIES), convert: undefined }
    try {
      const mapped = mapper.map({ oid: i, data, references: [], offset: 0 }, type)
      const record = decodeRecord(encoder.encode(mapped))
      msgpack.decode(record.state, record)
      result.accepted++
    } catch (error) {
      checkNamed(error)
      result.refused++
    }
  }
  return result
}

function checkNamed(error: unknown): void {
  if (error instanceof PerdureError) {
    const { offset, path, oid } = error.details
    if (error.code === 'PERDURE_DECODE' && Number.isInteger(offset) && Number.isInteger(oid)) return
    if (error.code === 'PERDURE_UNSTORABLE' && typeof path === 'string' && Number.isInteger(oid)) return
  }
  throw error
}

/** The objects of a file, their states not compressed. */
async function fixtureObjects(): Promise<Buffer[]> {
  const source = await openDurusFile(durusFixture('shelf'))
  const objects = Array.from(source.oids(), (oid) => {
    const data = Buffer.from(source.load(oid)?.data ?? [])
    const state = data.indexOf('q\0.') + 3
    return data[state] === ZLIB ? Buffer.concat([data.subarray(0, state), inflateSync(data.subarray(state))]) : data
  })
  source.close()
  return objects
}

/** Objects with something of everything. */
function madeObjects(): Buffer[] {
  const call = (module: string, name: string, ...args: PythonValue[]): PythonValue => ({
    instance: pickleClass(module, name),
    args,
  })
  const list: { list: PythonValue[] } = { list: [int(1), 'two', { float: 3 }] }
  list.list.push({ tuple: [list] })
  const entries: (readonly [string, PythonValue])[] = [
    ['list', list],
    ['set', { set: [int(1), 'a', { tuple: [int(2)] }] }],
    ['frozen', { frozenset: ['x'] }],
    [
      'dict',
      {
        dict: [
          [int(1), 'one'],
          ['__proto__', list],
        ],
      },
    ],
    ['large', int(2n ** 100n)],
    ['negative', int(-(2n ** 60n))],
    ['bytes', { bytes: Uint8Array.of(0, 1, 255) }],
    ['str', { str2: Uint8Array.of(0xc3, 0xa9, 0xff) }],
    ['when', call('datetime', 'datetime', { bytes: Uint8Array.of(7, 232, 2, 29, 1, 2, 3, 0, 0, 9) })],
    ['day', call('datetime', 'date', { bytes: Uint8Array.of(7, 232, 2, 29) })],
    ['price', call('decimal', 'Decimal', '1.50')],
    ['ordered', { instance: pickleClass('collections', 'OrderedDict'), args: [] }],
    ['uuid', { instance: pickleClass('uuid', 'UUID'), isNew: true, state: { dict: [['int', int(2n ** 120n)]] } }],
    ['type', pickleClass('os', 'system')],
    ['_v_cache', null],
  ]
  const friend: readonly [string, PythonValue] = ['friend', durusReference(7, pickleClass('a', 'B'))]
  const type = pickleClass('a', 'B')
  return [
    ...([2, 4] as const).map((protocol) => durusData(type, { dict: [...entries, friend] }, protocol)),
    durusData(type, { dict: entries }, 0),
    durusData(type, { dict: [['data', { dict: entries }]] }),
    durusData(type, { dict: [['data', list]] }),
    durusData(type, { tuple: [null, { dict: entries }] }),
  ]
}

function recompressed(data: Buffer, random: Random): Buffer {
  const state = data.indexOf('.', LEAST_CLASS) + 1
  if (state === 0 || random.below(2) === 0) return data
  return Buffer.concat([data.subarray(0, state), deflateSync(data.subarray(state), { level: 1 })])
}

/** Maps mutated files as a whole, all but the writing. */
export async function fuzzFiles(count: number, seed: number, bytes: Buffer, path: string): Promise<CampaignResult> {
  const random = new Random(seed)
  const result = { accepted: 0, refused: 0 }
  for (let i = 0; i < count; i++) {
    writeFileSync(path, mutate(random, bytes))
    try {
      const source = await openDurusFile(path)
      try {
        const mapper = await DurusMapper.prepare(source, {}, {})
        for (const { oid } of allMapped(mapper)) if (!Number.isSafeInteger(oid)) throw new Error(`oid ${oid}`)
      } finally {
        source.close()
      }
      result.accepted++
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      result.refused++
    }
  }
  return result
}

/**
 * Imports mutated files. What comes of it is a database, or a named error and nothing at all; and the file stays as it
 * is.
 */
export async function fuzzImports(
  count: number,
  seed: number,
  bytes: Buffer,
  directory: string,
): Promise<CampaignResult> {
  const random = new Random(seed)
  const result = { accepted: 0, refused: 0 }
  const [source, target] = [join(directory, 'mutated.durus'), join(directory, 'new.perdure')]
  for (let i = 0; i < count; i++) {
    writeFileSync(source, mutate(random, bytes))
    const checkUntouched = expectUntouched(source)
    try {
      await importDurus(source, target)
      result.accepted++
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      checkUntouched()
      result.refused++
    }
    const left = readdirSync(directory).filter((name) => name !== 'mutated.durus')
    if (left.some((name) => !name.startsWith('new.perdure') || name.includes('.converting'))) throw new Error(`${left}`)
    for (const name of left) rmSync(join(directory, name))
  }
  return result
}
