import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { decodeRecord } from '../../src/core/record.js'
import { checksumSeed, FILE_HEADER_BYTES, RECORD_HEADER_BYTES, recordTid } from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import { repairFile } from '../../src/storages/repair.js'
import type { RepairOptions } from '../../src/storages/repair-report.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

/** Where a record stands in the file. */
interface Spot {
  readonly oid: number
  readonly tid: number
  readonly text: string
  readonly from: number
  readonly to: number
}

function textOf(data: Uint8Array): string {
  return Buffer.from(decodeRecord(data).state).toString()
}

function read(path: string) {
  const file = nodeFileSystem.open(path, 'read')
  const header = readFileHeader(file)
  const scanner = new JournalScanner(file, checksumSeed(header.uuid), FILE_HEADER_BYTES, file.size())
  const spots: Spot[] = []
  const transactions: { tid: number; position: number; end: number }[] = []
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
    const { position, end, image } = found
    transactions.push({ tid: found.header.tid, position, end })
    image.forEachRecord((oid, offset) => {
      const data = image.dataAt(offset)
      const from = position + offset
      const to = from + RECORD_HEADER_BYTES + data.length
      spots.push({ oid, tid: recordTid(image.view, offset), text: textOf(data), from, to })
    })
  }
  file.close()
  return { header, spots, transactions }
}

/** The newest version of each object among some. */
function newest(spots: readonly Spot[]): unknown[] {
  const found = new Map(spots.map((spot) => [spot.oid, spot]))
  return [...found.values()].map(({ oid, tid, text }) => [oid, tid, text]).sort()
}

describe('repairFile on a packed journal', () => {
  let directory: TemporaryDirectory
  let path: string
  let whole: Buffer

  /** Two packs, with history, with several transactions in the base, and with objects that were brought back. */
  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    const disk = new FaultyFileSystem()
    disk.syncs = false
    const journal = new TestJournal(path, disk)
    journal.commit([
      [0, 'root >1 >3'],
      [1, 'one'],
      [2, 'two'],
      [3, 'three >4'],
      [4, 'four'],
    ])
    journal.commit([[0, 'root >1 >2']])
    journal.commit([[1, 'one, changed']])
    const pack = journal.beginPack(3, 2)
    journal.commit([
      [1, 'one >3'],
      [5, 'five'],
    ])
    journal.commit([[4, 'four, changed']])
    journal.switchTo(pack)
    journal.commit([[2, 'two, changed']])
    journal.commit([[0, 'root >1 >2 >5']])
    journal.close()
    whole = readFileSync(path)
  })

  afterEach(() => directory.remove())

  async function repair(bytes: Buffer, options: RepairOptions = {}) {
    writeFileSync(path, bytes)
    rmSync(`${path}.repaired`, { force: true })
    const report = await repairFile(path, options)
    const journal = new TestJournal(report.to)
    const nextOid = journal.view.state.get('nextOid')
    expect(journal.tid).to.equal(report.tid)
    expect(journal.view.state.get('objects')).to.equal(report.objects)
    expect(journal.commit([[0, 'goes on']])).to.deep.equal({ tid: report.tid + 1 })
    journal.close()
    rmSync(`${report.to}.index`)
    const result = read(report.to)
    return { ...result, report, nextOid, spots: result.spots.filter(({ text }) => text !== 'goes on') }
  }

  it('copies one that is whole', async () => {
    const before = read(path)
    const after = await repair(whole)
    expect(after.report.damaged).to.equal(false)
    const { baseTid, historyFrom, databaseId } = before.header
    expect([baseTid, historyFrom]).to.deep.equal([1, 3])
    expect(after.header).to.deep.include({ baseTid, historyFrom, databaseId })
    expect(after.transactions.slice(0, -1)).to.deep.equal(before.transactions)
    expect(after.spots).to.deep.equal(before.spots)
  })

  it('finds everything that is not damaged, whichever byte is', async function () {
    this.timeout(120_000)
    const { spots, transactions, header } = read(path)
    for (let at = FILE_HEADER_BYTES; at < whole.length; at += 5) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] as number) ^ 0x55
      const after = await repair(bytes)
      expect(after.report.damaged, `byte ${at}`).to.equal(true)
      const expected = spots.filter(({ from, to }) => at < from || at >= to)
      expect(newest(after.spots), `byte ${at}`).to.deep.equal(newest(expected))
      expect(after.header).to.deep.include({ baseTid: header.baseTid, historyFrom: header.historyFrom })
      expect(after.report.tid).to.equal((transactions.at(-1)?.tid ?? 0) + 1)
      expect(after.nextOid).to.be.greaterThan(5)
    }
  })

  it('knows where it begins when the file header is damaged', async () => {
    const { spots, header } = read(path)
    for (const at of [20, 75, 90, 100]) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] as number) ^ 0x55
      const after = await repair(bytes, { serializer: 'msgpack' })
      expect(newest(after.spots)).to.deep.equal(newest(spots))
      expect(after.header.baseTid).to.equal(header.baseTid)
      expect(after.header.historyFrom, 'no earlier than it was').to.be.within(header.historyFrom, after.report.tid)
    }
  })

  it('leaves a journal that is long enough to be opened, whatever is lost', async () => {
    const { transactions, header } = read(path)
    for (const { position } of transactions) {
      const after = await repair(whole.subarray(0, position + 70))
      expect(after.report.tid).to.be.at.least(header.historyFrom)
    }
    const bytes = Buffer.from(whole)
    bytes[FILE_HEADER_BYTES + 100] = (bytes[FILE_HEADER_BYTES + 100] as number) ^ 1
    const prefix = await repair(bytes, { keep: 'prefix' })
    expect(prefix.spots).to.deep.equal([])
    expect(prefix.report.tid).to.be.at.least(header.historyFrom)
  })
})
