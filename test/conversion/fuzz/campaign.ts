import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { contentHash } from '../../../src/conversion/content-hash.js'
import { convert } from '../../../src/convert.js'
import { PerdureError } from '../../../src/core/errors.js'
import { Reference } from '../../../src/core/reference.js'
import { open, PersistentMap } from '../../../src/index.js'
import { exportLines, importLines } from '../../../src/json-lines.js'
import { openSource } from '../../../src/open-source.js'
import { loadSerializer, msgpack } from '../../../src/serializers/index.js'
import { MemoryStorage } from '../../../src/storages/memory.js'
import { findStorageKind, registerStorage, storageKinds } from '../../../src/storages/registry.js'
import { mutate } from '../../../src/testing/mutation.js'
import { Random } from '../../../src/testing/random.js'
import { encodeObject, randomStates } from '../../support/state-records.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'
import { lightKind } from './light-kind.js'

const SERIALIZERS = ['msgpack', 'cbor', 'devalue'] as const

/** Every so many conversions copy the history into a real file, for which threads are started. */
const REAL_TARGET = 100

/** What became of the inputs. */
export interface FuzzCounts {
  accepted: number
  refused: number
}

/** One input, and the place where something is made of it. */
class Stage {
  readonly counts: FuzzCounts = { accepted: 0, refused: 0 }
  readonly #directory = new TemporaryDirectory()
  readonly source = this.#directory.join('source')
  readonly target = this.#directory.join('target')

  constructor() {
    if (!storageKinds().includes(lightKind)) registerStorage(lightKind)
  }

  /** Makes something of the bytes, in a file. Neither may the file change, nor may anything be left of a failure. */
  async try(bytes: Uint8Array, make: () => Promise<void>): Promise<void> {
    writeFileSync(this.source, bytes)
    const { mtimeMs } = statSync(this.source)
    const accepted = await this.attempt(make)
    if (!readFileSync(this.source).equals(bytes) || statSync(this.source).mtimeMs !== mtimeMs) {
      throw new Error('the source was changed')
    }
    this.clear(accepted)
  }

  async attempt(make: () => Promise<void>): Promise<boolean> {
    try {
      await make()
      this.counts.accepted++
      return true
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      const { oid, offset, line, path, stored } = error.details
      if ([oid, offset, line, path, stored].every((detail) => detail === undefined)) {
        throw new Error(`it does not say where: ${error.code} ${error.message}`, { cause: error })
      }
      this.counts.refused++
      return false
    }
  }

  /** Removes what was made; of a failure there must be nothing. */
  clear(accepted: boolean): void {
    for (const name of readdirSync(this.#directory.path)) {
      if (!name.startsWith('target')) continue
      if (!accepted || name.includes('converting')) throw new Error(`${name} was left behind`)
      rmSync(join(this.#directory.path, name))
    }
  }

  end(): FuzzCounts {
    this.#directory.remove()
    return this.counts
  }
}

/** Runs `body` so many times; what it throws says how to repeat it. */
async function repeat(inputs: number, seed: number, body: (random: Random, input: number) => Promise<void>) {
  for (let input = 0; input < inputs; input++) {
    try {
      await body(new Random(seed + input), input)
    } catch (cause) {
      throw new Error(`PERDURE_SEED=${seed + input}, input 0: ${(cause as Error).message}`, { cause })
    }
  }
}

/** A database of this kind with a history, as bytes. */
async function makeDatabase(kind: string, directory: TemporaryDirectory): Promise<Uint8Array> {
  const path = directory.join(`${kind}-database`)
  {
    await using db = await open(path, { storage: kind })
    for (let round = 0; round < 5; round++) {
      await db.transact((root) => void root.set('map', new PersistentMap([['n', round]])), { note: `round ${round}` })
    }
    if (kind === 'file') await db.pack({ retain: { transactions: 2 } })
  }
  return readFileSync(path)
}

/** Conversions of damaged databases of one kind. */
export async function fuzzFiles(kind: string, inputs: number, seed: number): Promise<FuzzCounts> {
  const directory = new TemporaryDirectory()
  const stage = new Stage()
  try {
    const corpus = [await makeDatabase(kind, directory)]
    await repeat(inputs, seed, async (random, input) => {
      const real = input % REAL_TARGET === 0
      const options = real ? { storage: 'file', history: true } : { storage: lightKind.name }
      const serializer = random.pick(SERIALIZERS)
      await stage.try(damage(random, corpus), async () => {
        const { hash } = await convert(stage.source, stage.target, { ...options, serializer })
        const source = await openSource(stage.source)
        const found = await contentHash(source).finally(() => source.close())
        if (found.hash !== hash) throw new Error('the copy is not what the source is')
      })
    })
    return stage.end()
  } finally {
    directory.remove()
  }
}

/** Most damage is found by a checksum; what is left is often in the few bytes that have none. */
function damage(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  if (random.below(4) > 0) return mutate(random, corpus)
  const bytes = Uint8Array.from(random.pick(corpus))
  bytes[random.below(Math.min(200, bytes.length))] = random.uint32()
  return bytes
}

/** Conversions of sound storages of records that make no sense. */
export async function fuzzRecords(inputs: number, seed: number): Promise<FuzzCounts> {
  const stage = new Stage()
  const corpora = new Map<string, Uint8Array[]>()
  for (const name of SERIALIZERS) {
    const serializer = await loadSerializer(name)
    const states = randomStates(new Random(seed), 100)
    corpora.set(
      name,
      states.map((state) => encodeObject(serializer, 'Holder', state)),
    )
  }
  await repeat(inputs, seed, async (random) => {
    const from = random.pick(SERIALIZERS)
    const data = mutate(random, corpora.get(from) as Uint8Array[])
    const source = new MemoryStorage({ serializer: from })
    const accepted = await stage.attempt(async () => {
      await source.commit({ base: 0, reads: [], writes: [{ oid: 0, data }], restored: { time: new Date(0) } })
      await convert(source, stage.target, { serializer: random.pick(SERIALIZERS), storage: lightKind.name })
    })
    stage.clear(accepted)
  })
  return stage.end()
}

/** Imports of damaged exports. */
export async function fuzzLines(inputs: number, seed: number): Promise<FuzzCounts> {
  const stage = new Stage()
  const corpus = [...(await exportOf('msgpack')), ...(await exportOf('pickle'))]
  await repeat(inputs, seed, async (random) => {
    const text = Buffer.from(mutate(random, corpus))
    const accepted = await stage.attempt(async () => {
      const { hash, objects } = await importLines(stage.target, linesOf(text.toString()), {
        ...(random.below(4) > 0 && { serializer: random.pick(SERIALIZERS) }),
        storage: lightKind.name,
      })
      const kind = findStorageKind(lightKind.name)
      const file = join(`${stage.target}.converting`, 'target')
      const found = await contentHash(await kind.open(file, { readonly: true }))
      if (found.hash !== hash || found.objects !== objects) throw new Error('the database is not what was imported')
    })
    stage.clear(accepted)
  })
  return stage.end()
}

/** Exports of some objects that refer to each other, the second as the first versions have made them. */
async function exportOf(serializer: string): Promise<Uint8Array[]> {
  const storage = new MemoryStorage({ serializer })
  const state = { text: 'abc', map: new Map([[1, { list: [undefined, 2n, new Date(5)] }]]), bytes: new Uint8Array(3) }
  const writes = [0, 1, 2].map((oid) => {
    const other = new Reference((oid + 1) % 3, 'Holder')
    return { oid, data: encodeObject(msgpack, 'Holder', { ...state, other, oid }) }
  })
  await storage.commit({ base: 0, reads: [], writes })
  let text = ''
  for await (const line of exportLines(storage)) text += line
  return [Buffer.from(text), Buffer.from(text.replace(/,"hash":"[0-9a-f]+"/, ''))]
}

async function* linesOf(text: string): AsyncGenerator<string> {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  yield* lines
}
