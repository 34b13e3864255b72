import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { CorruptionError } from '../../src/core/errors.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { checkpointPath } from '../../src/journal/checkpoint.js'
import { createJournal } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import { watermarkPath } from '../../src/journal/watermark.js'
import { FileStorage } from '../../src/storages/file.js'
import { repairFile } from '../../src/storages/repair.js'
import type { RepairOptions, RepairReport } from '../../src/storages/repair-report.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import type { CommitOutcome } from '../../src/workers/messages.js'
import { failure } from '../support/errors.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** One object's version in a transaction: oid, text, oids it refers to. */
type Write = readonly [oid: number, text: string, references?: readonly number[]]

/** Where a record is in the file. */
interface Spot {
  readonly oid: number
  readonly tid: number
  readonly text: string
  readonly from: number
  readonly to: number
}

const MAX_OID = 12

/** Leaves out references to objects that are not there yet. */
function withoutDangling(transactions: readonly (readonly Write[])[]): Write[][] {
  const written = new Set<number>()
  return transactions.map((writes) => {
    for (const [oid] of writes) written.add(oid)
    return writes.map(([oid, text, references = []]) => [oid, text, references.filter((target) => written.has(target))])
  })
}

describe('repairFile', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => directory.remove())

  /** Makes a journal with one transaction for each list of writes; `ends[i]` is where transaction i + 1 begins. */
  function make(transactions: readonly (readonly Write[])[], at = path): { ends: number[]; spots: Spot[] } {
    createJournal(nodeFileSystem, at, 'msgpack')
    const settings = { path: at, durability: 'fsync', loadIndex: false, checkpointBytes: 2 ** 30 } as const
    const disk = new FaultyFileSystem()
    disk.syncs = false
    const loop = new CoordinatorLoop(disk, settings)
    const ends = [128]
    const spots: Spot[] = []
    for (const [i, writes] of transactions.entries()) {
      const image = layOutTransaction(
        writes.map(([oid, text, references = []]) => ({
          oid,
          data: encodeRecord(
            'Text',
            references.map((target) => new Reference(target, 'Text')),
            Buffer.from(text),
          ),
        })),
        { note: `note ${i + 1}` },
      )
      let begin = ends.at(-1) as number
      const answer = ({ tid }: CommitOutcome) => expect(tid).to.equal(i + 1)
      loop.runBatch([{ base: i, reads: [], image, answer }])
      ends.push(begin + image.length)
      begin += 64 + `note ${i + 1}`.length
      for (const [oid, text, references = []] of writes) {
        const to =
          begin +
          32 +
          encodeRecord(
            'Text',
            references.map((r) => new Reference(r, 'Text')),
            Buffer.from(text),
          ).length
        spots.push({ oid, tid: i + 1, text, from: begin, to })
        begin = to
      }
    }
    loop.close()
    return { ends, spots }
  }

  function removeSidecars(): void {
    rmSync(checkpointPath(path), { force: true })
    rmSync(watermarkPath(path), { force: true })
  }

  function flip(at: number, file = path): void {
    const bytes = readFileSync(file)
    bytes[at] = (bytes[at] as number) ^ 0x55
    writeFileSync(file, bytes)
  }

  /** Repairs, and checks what must hold of every repair. */
  async function repair(options: RepairOptions = {}): Promise<RepairReport> {
    const before = readFileSync(path)
    rmSync(`${path}.repaired`, { force: true })
    rmSync(checkpointPath(`${path}.repaired`), { force: true })
    const report = await repairFile(path, options)
    expect(readFileSync(path).equals(before), 'the damaged file is not touched').to.equal(true)
    return report
  }

  type Found = Map<number, { text: string; tid: number }>

  /** What the repaired file holds: texts and tids by oid. It must open clean. */
  async function recordsOf(storage: FileStorage, report: RepairReport): Promise<Found> {
    expect(storage.recovery).to.include({ checkpoint: 'missing', cutAt: undefined })
    expect(storage.statistics()).to.include({ tid: report.tid, objects: report.objects })
    const found: Found = new Map()
    const snapshot = storage.snapshot()
    for await (const { oid, tid, data } of snapshot.records()) {
      found.set(oid, { tid, text: Buffer.from(decodeRecord(data).state).toString() })
    }
    snapshot.release()
    return found
  }

  /** As {@link recordsOf}; the new file must take commits as well. */
  async function contents(report: RepairReport): Promise<Found> {
    const storage = await FileStorage.open(report.to)
    try {
      const found = await recordsOf(storage, report)
      const oid = storage.allocateOids(1)
      for (const { targetOid } of report.dangling) expect(oid, 'never used again').to.be.greaterThan(targetOid)
      const data = encodeRecord('Text', [], Buffer.from('new'))
      const { tid } = await storage.commit({ base: report.tid, reads: [], writes: [{ oid, data }] })
      expect(tid).to.equal(report.tid + 1)
      return found
    } finally {
      await storage.close()
    }
  }

  const texts = (found: Map<number, { text: string }>) =>
    Object.fromEntries([...found].map(([oid, { text }]) => [oid, text]))

  const THREE = [
    [
      [0, 'root', [1, 2]],
      [1, 'a'],
      [2, 'b'],
    ],
    [
      [1, 'A'],
      [3, 'c'],
    ],
    [
      [0, 'ROOT', [1, 2, 3]],
      [2, 'B'],
    ],
  ] as const

  it('makes a whole copy of a file that is not damaged', async () => {
    make(THREE)
    const report = await repair()
    expect(report).to.deep.include({
      damaged: false,
      damageCount: 0,
      tornTail: undefined,
      transactions: { whole: 3, partial: 0, lost: 0 },
      tid: 3,
      objects: 4,
      lostCount: 0,
      danglingCount: 0,
    })
    expect(texts(await contents(report))).to.deep.equal({ 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' })
    expect(readdirSync(directory.path).sort()).to.deep.equal([
      'a.perdure',
      'a.perdure.index',
      'a.perdure.repaired',
      'a.perdure.repaired.index',
    ])
  })

  it('takes the intact records out of a damaged transaction, and keeps the newest version that is good', async () => {
    const { ends, spots } = make(THREE)
    flip((spots[3] as Spot).to - 1)
    for (const sidecars of [true, false]) {
      if (!sidecars) removeSidecars()
      const report = await repair()
      expect(report).to.deep.include({
        damaged: true,
        damage: [{ offset: ends[1], length: (ends[2] as number) - (ends[1] as number), first: 2, last: 2 }],
        transactions: { whole: 2, partial: 1, lost: 0 },
        salvagedRecords: 1,
        lost: [{ oid: 1, className: 'Text', keptTid: 1 }],
        lostCount: 1,
        danglingCount: 0,
      })
      const found = await contents(report)
      expect(texts(found)).to.deep.equal({ 0: 'ROOT', 1: 'a', 2: 'B', 3: 'c' })
      expect(Object.fromEntries([...found].map(([oid, { tid }]) => [oid, tid]))).to.deep.equal({
        0: 3,
        1: 1,
        2: 3,
        3: 2,
      })
    }
  })

  it('says in the notes which transactions are not whole', async () => {
    const { spots } = make(THREE)
    flip((spots[3] as Spot).to - 1)
    const text = readFileSync((await repair()).to, 'latin1')
    expect(text).to.include('repairFile: transaction 2 was damaged; 1 of its 2 records could be saved.')
    expect(text).to.include('note 1').and.to.include('note 3').and.not.to.include('note 2')
  })

  it('leaves out what was asked to be left out', async () => {
    const { spots } = make(THREE)
    flip((spots[3] as Spot).to - 1)
    const whole = await repair({ keep: 'transactions' })
    expect(texts(await contents(whole))).to.deep.equal({ 0: 'ROOT', 1: 'a', 2: 'B' })
    expect(whole.dangling).to.deep.equal([{ oid: 0, className: 'Text', targetOid: 3, targetClassName: 'Text' }])
    const prefix = await repair({ keep: 'prefix' })
    expect(texts(await contents(prefix))).to.deep.equal({ 0: 'root', 1: 'a', 2: 'b' })
    expect(prefix.transactions).to.deep.equal({ whole: 1, partial: 0, lost: 0 })
  })

  it('lists references that lead nowhere, and never uses the oids again', async () => {
    const { spots } = make(THREE)
    flip((spots[4] as Spot).to - 1)
    const report = await repair()
    expect(report.lost).to.deep.equal([{ oid: 3, className: 'Text', keptTid: undefined }])
    expect(report.dangling).to.deep.equal([{ oid: 0, className: 'Text', targetOid: 3, targetClassName: 'Text' }])
    expect(texts(await contents(report))).to.deep.equal({ 0: 'ROOT', 1: 'A', 2: 'B' })
  })

  it('finds what follows a damaged length, and what follows a damaged header', async () => {
    const { ends, spots } = make(THREE)
    const whole = readFileSync(path)
    for (const at of [(spots[3] as Spot).from + 5, (ends[1] as number) + 9, (ends[1] as number) + 2]) {
      writeFileSync(path, whole)
      flip(at)
      const report = await repair()
      expect(report.transactions).to.deep.equal({ whole: 2, partial: 1, lost: 0 })
      expect(texts(await contents(report))).to.include({ 0: 'ROOT', 2: 'B', 3: 'c' })
    }
  })

  it('finds everything again where blocks were swapped, repeated, inserted or left out', async () => {
    const { ends } = make(THREE)
    const whole = readFileSync(path)
    const part = (i: number) => whole.subarray(ends[i], ends[i + 1])
    const header = whole.subarray(0, 128)
    const [a, b, c] = [part(0), part(1), part(2)] as const
    const all = { 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' }
    for (const [bytes, expected] of [
      [Buffer.concat([header, a, c, b]), all],
      [Buffer.concat([header, c, b, a]), all],
      [Buffer.concat([header, a, a, b, c]), all],
      [Buffer.concat([header, a, b, b, c]), all],
      [Buffer.concat([header, a, Buffer.from('13 bytes more'), b, c]), all],
      [Buffer.concat([header, a, c]), { 0: 'ROOT', 1: 'a', 2: 'B' }],
      [Buffer.concat([header, b, c]), { 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' }],
    ] as const) {
      writeFileSync(path, bytes)
      const report = await repair()
      expect(report.damaged).to.equal(true)
      expect(texts(await contents(report))).to.deep.equal(expected)
    }
  })

  it('cuts a torn tail off as opening does, unless it is told not to', async () => {
    const { ends } = make(THREE)
    removeSidecars()
    truncateSync(path, (ends[3] as number) - 8)
    const report = await repair()
    expect(report).to.deep.include({
      damaged: false,
      tornTail: { offset: ends[2], length: (ends[3] as number) - 8 - (ends[2] as number) },
      transactions: { whole: 2, partial: 0, lost: 0 },
    })
    expect(texts(await contents(report))).to.deep.equal({ 0: 'root', 1: 'A', 2: 'b', 3: 'c' })
    const more = await repair({ unacknowledged: true })
    expect(more).to.deep.include({ damaged: true, transactions: { whole: 2, partial: 1, lost: 0 } })
    expect(texts(await contents(more))).to.deep.equal({ 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' })
  })

  it('takes zeros at the end for preallocated space', async () => {
    make(THREE)
    truncateSync(path, 100_000)
    for (const unacknowledged of [false, true]) {
      const report = await repair({ unacknowledged })
      expect(report).to.deep.include({ damaged: false, tornTail: undefined, tid: 3 })
    }
  })

  it('knows from the index file what the lost end of a file held', async () => {
    const { ends } = make(THREE)
    truncateSync(path, ends[1])
    const report = await repair()
    expect(report).to.deep.include({
      damaged: true,
      damage: [{ offset: ends[1], length: (ends[3] as number) - (ends[1] as number), first: 2, last: undefined }],
      lost: [
        { oid: 0, className: 'Text', keptTid: 1 },
        { oid: 1, className: 'Text', keptTid: 1 },
        { oid: 2, className: 'Text', keptTid: 1 },
        { oid: 3, className: undefined, keptTid: undefined },
      ],
    })
    expect(texts(await contents(report))).to.deep.equal({ 0: 'root', 1: 'a', 2: 'b' })
  })

  it('does not believe an index file of another life of the journal', async () => {
    make(THREE)
    copyFileSync(path, directory.join('backup'))
    const storage = await FileStorage.open(path)
    await storage.commit({ base: 3, reads: [], writes: [{ oid: 9, data: encodeRecord('Text', [], Buffer.from('x')) }] })
    await storage.close()
    const other = readFileSync(checkpointPath(path))
    copyFileSync(directory.join('backup'), path)
    removeSidecars()
    const again = await FileStorage.open(path)
    for (let base = 3; base < 5; base++) {
      const data = encodeRecord('Text', [], Buffer.from(`y${base}`))
      await again.commit({ base, reads: [], writes: [{ oid: 8, data }] })
    }
    await again.close()
    writeFileSync(checkpointPath(path), other)
    const report = await repair()
    expect(report).to.deep.include({ damaged: false, lostCount: 0, tid: 5 })
  })

  it('reads a file of which the header is gone, once it is told the serializer', async () => {
    make(THREE)
    const whole = readFileSync(path)
    for (const [from, to] of [
      [0, 128],
      [0, 8],
      [8, 9],
      [16, 32],
      [124, 125],
    ] as const) {
      const bytes = Buffer.from(whole)
      bytes.fill(0xaa, from, to)
      writeFileSync(path, bytes)
      const { message } = await failure('PERDURE_SERIALIZER', () => repair())
      expect(message).to.include('{ serializer }')
      const report = await repair({ serializer: 'msgpack' })
      expect(report).to.deep.include({ damaged: true, headerDamaged: true, damageCount: 0, tid: 3 })
      expect(texts(await contents(report))).to.deep.equal({ 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' })
    }
  })

  it('does not take a database that is stored in a record for its own', async () => {
    const other = directory.join('other.perdure')
    make(
      [
        [
          [3, 'alien'],
          [4, 'alien'],
          [5, 'alien'],
        ],
        [[6, 'alien']],
      ],
      other,
    )
    const inner = readFileSync(other)
    createJournal(nodeFileSystem, path, 'msgpack')
    const settings = { path, durability: 'os', loadIndex: false, checkpointBytes: 2 ** 30 } as const
    const loop = new CoordinatorLoop(nodeFileSystem, settings)
    const commit = (base: number, writes: [number, Uint8Array][]) => {
      const image = layOutTransaction(writes.map(([oid, state]) => ({ oid, data: encodeRecord('Text', [], state) })))
      loop.runBatch([{ base, reads: [], image, answer: () => {} }])
    }
    commit(0, [
      [0, Buffer.from('root')],
      [1, inner],
      [2, Buffer.from('after')],
    ])
    commit(1, [[7, Buffer.from('last')]])
    loop.close()
    const whole = readFileSync(path)
    // Damages of the transaction's header, and of the record's, in front of the inner database.
    for (const at of [130, 140, 196, 236, 260, 300]) {
      writeFileSync(path, whole)
      flip(at)
      const found = texts(await contents(await repair()))
      expect(Object.values(found), `byte ${at}`).to.not.include('alien')
      expect(found).to.include({ 2: 'after', 7: 'last' })
    }
  })

  it('never gives wrong data, whatever is damaged: a property', async () => {
    const oid = fc.nat(MAX_OID)
    const write = fc.tuple(oid, fc.string({ maxLength: 30 }), fc.array(oid, { maxLength: 3 }))
    const transaction = fc.uniqueArray(write, { selector: ([id]) => id, minLength: 1, maxLength: 4 })
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      length: fc.constantFrom(1, 1, 2, 8, 40, 200),
      byte: fc.nat(255),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(transaction, { minLength: 1, maxLength: 8 }).map(withoutDangling),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (transactions, damages, sidecars) => {
          for (const name of readdirSync(directory.path)) rmSync(directory.join(name))
          const { ends, spots } = make(transactions)
          if (!sidecars) removeSidecars()
          const whole = readFileSync(path)
          const bytes = Buffer.from(whole)
          for (const { at, length, byte } of damages) {
            const from = 128 + Math.floor(at * (bytes.length - 128))
            bytes.fill(byte, from, Math.min(bytes.length, from + length))
          }
          writeFileSync(path, bytes)
          const isGood = (from: number, to: number) => bytes.subarray(from, to).equals(whole.subarray(from, to))
          const isWhole = transactions.map((_, i) => isGood(ends[i] as number, ends[i + 1] as number))
          // Each header says that everything before it had been stored, and so does the index file.
          const headers = ends.slice(0, -1).filter((at) => isGood(at, at + 64))
          const stored = sidecars ? whole.length : Math.max(0, ...headers)
          const expected = new Map<number, Spot>()
          for (const spot of spots) {
            const wanted = isWhole[spot.tid - 1] || (ends[spot.tid - 1] as number) < stored
            if (wanted && isGood(spot.from, spot.to)) expected.set(spot.oid, spot)
          }
          const report = await repair()
          const reader = await FileStorage.open(report.to, { readonly: true })
          const found = await recordsOf(reader, report)
          await reader.close()
          const plain = ({ oid, text, tid }: { oid: number; text: string; tid: number }) => [oid, text, tid]
          expect([...found].map(([oid, rest]) => plain({ oid, ...rest })).sort()).to.deep.equal(
            [...expected.values()].map(plain).sort(),
          )
          for (const { oid: lost, keptTid } of report.lost) expect(found.get(lost)?.tid).to.equal(keptTid)
          if (sidecars) expect(report.damaged).to.equal(!bytes.equals(whole))
        },
      ),
      { numRuns: 100 },
    )
  })

  describe('refuses', () => {
    it('to replace a file, and leaves nothing behind when it fails', async () => {
      make(THREE)
      writeFileSync(`${path}.repaired`, 'precious')
      await failure('PERDURE_ARGUMENT', () => repairFile(path))
      await failure('PERDURE_ARGUMENT', () => repairFile(path, { to: path }))
      expect(readFileSync(`${path}.repaired`, 'utf8')).to.equal('precious')
      rmSync(`${path}.repaired`)
      const controller = new AbortController()
      const onProgress = () => controller.abort(new Error('enough'))
      const error = await repairFile(path, { signal: controller.signal, onProgress }).catch((reason: unknown) => reason)
      expect(error).to.have.property('message', 'enough')
      expect(readdirSync(directory.path).sort()).to.deep.equal(['a.perdure', 'a.perdure.index'])
    })

    it('a file that is open for writing, but not one whose writer was killed', async () => {
      make(THREE)
      const storage = await FileStorage.open(path)
      await failure('PERDURE_LOCKED', () => repairFile(path))
      const lock = readFileSync(`${path}.lock`, 'utf8')
      await storage.close()
      writeFileSync(`${path}.lock`, lock.replace(/"startTime":"\d+"/, '"startTime":"1"'))
      const report = await repair()
      expect(report.damaged).to.equal(false)
      expect(existsSync(`${path}.lock`), 'the lock is not touched').to.equal(true)
    })

    it('what is no database, what is not there, and what it does not understand', async () => {
      await failure('PERDURE_NOT_FOUND', () => repairFile(path))
      writeFileSync(path, 'some text')
      await failure('PERDURE_NOT_A_DATABASE', () => repairFile(path))
      rmSync(path)
      make(THREE)
      await failure('PERDURE_ARGUMENT', () => repairFile(path, { too: 'x' } as RepairOptions))
      await failure('PERDURE_ARGUMENT', () => repairFile(path, { keep: 'all' } as object))
      await failure('PERDURE_SERIALIZER', () => repairFile(path, { serializer: 'cbor' }))
      truncateSync(path, 100)
      expect(await repairFile(path).catch((reason: unknown) => reason)).to.be.instanceOf(CorruptionError)
      expect(readdirSync(directory.path).sort()).to.deep.equal(['a.perdure', 'a.perdure.index'])
    })
  })

  it('replaces what a repair left that was killed', async () => {
    make(THREE)
    writeFileSync(`${path}.repaired.new`, 'half of it')
    expect(texts(await contents(await repair()))).to.deep.equal({ 0: 'ROOT', 1: 'A', 2: 'B', 3: 'c' })
    expect(existsSync(`${path}.repaired.new`)).to.equal(false)
  })

  it('tells how far it has got', async () => {
    make(THREE)
    const seen: string[] = []
    await repair({ onProgress: ({ phase, bytes, bytesTotal }) => seen.push(`${phase} ${bytes === bytesTotal}`) })
    expect(seen.filter((each) => each.endsWith('true'))).to.deep.equal(['scan true', 'copy true', 'check true'])
  })
})
