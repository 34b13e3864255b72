import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { FailingFile } from '../journal/failing-file.js'
import { FILE_HEADER_BYTES, type FileHeader, RECORD_HEADER_BYTES } from '../journal/format.js'
import { checkSerializerName } from '../journal/journal.js'
import type { FileSystem, OpenFile } from '../journal/journal-file.js'
import { identifyJournal, type JournalIdentity } from '../journal/journal-identity.js'
import { Losses, MAX_LISTED } from '../journal/losses.js'
import { MissingTids, Salvage } from '../journal/salvage.js'
import { inOrder, type SalvageSource } from '../journal/salvage-order.js'
import { SalvageWriter } from '../journal/salvage-writer.js'
import { JournalScanner } from '../journal/scanner.js'
import { type Gap, JournalSurvey } from '../journal/survey.js'
import { JournalWitness } from '../journal/witness.js'
import type { DamagedRegion, RepairOptions, RepairProgress, RepairReport } from './repair-report.js'

/** Other work of the thread waits at most about this long. */
const MAX_BLOCKING_MS = 10

/** References may lead to objects whose oids were handed out this far ahead of the largest that was stored. */
const STRAY_OIDS = 2 ** 20

/** What a damaged journal has turned out to be. */
interface Findings {
  readonly gaps: readonly Gap[]
  readonly salvage: Salvage
  /** How long the journal is known to have been. */
  readonly extent: number
  /** Up to here the journal was surely on the disk, or is to be taken as if it was. */
  readonly stored: number
  /** Index of the first gap that is no damage, but the torn end of the journal. */
  readonly torn: number
  /** Behind the last whole transaction there is nothing but preallocated space. */
  readonly isTrimmed: boolean
  /** The oldest transaction as of which the journal can be read. */
  readonly historyFrom: Tid
}

/** One repair of one file, from reading it to the report. */
export class Repair {
  readonly #fileSystem: FileSystem
  readonly #source: FailingFile
  readonly #to: string
  readonly #options: RepairOptions
  readonly #size: number
  readonly #identity: JournalIdentity
  readonly #serializer: string
  #lastTurn = performance.now()

  /** @throws what {@link identifyJournal} throws; PerdureError `PERDURE_SERIALIZER` */
  constructor(fileSystem: FileSystem, source: FailingFile, to: string, options: RepairOptions) {
    this.#fileSystem = fileSystem
    this.#source = source
    this.#to = to
    this.#options = options
    this.#size = source.size()
    this.#identity = identifyJournal(fileSystem, source)
    this.#serializer = chooseSerializer(source.path, this.#identity, options.serializer)
  }

  /** Writes the new journal into an empty file. It still has to be synced. */
  async writeTo(file: OpenFile): Promise<RepairReport> {
    const witness = new JournalWitness(this.#fileSystem, this.#source.path, this.#identity.uuid)
    try {
      const findings = await this.#scan(witness)
      const writer = await this.#copy(file, findings)
      const losses = await this.#check(file, findings, writer, witness)
      return this.#report(findings, writer, losses)
    } finally {
      witness.close()
    }
  }

  async #scan(witness: JournalWitness): Promise<Findings> {
    const { seed, baseTid, historyFrom } = this.#identity
    const size = this.#size
    const survey = new JournalSurvey(this.#source, seed, size, witness.covered, baseTid)
    await this.#work(survey.run(), 'scan', size)
    witness.compareWith(survey)
    const extent = Math.max(size, witness.durable)
    const gaps = survey.gaps
    const endsInGap = gaps.length > 0 && gaps.at(-1)?.tidAfter === undefined
    if (!endsInGap && witness.durable > survey.last.end) {
      gaps.push({ from: survey.last.end, to: size, tidBefore: survey.last.tid, tidAfter: undefined })
    }
    const isPacked = historyFrom === undefined ? survey.lastOfPack > 0 || baseTid > 0 : historyFrom > 0
    const salvage = new Salvage(new MissingTids(gaps, extent), isPacked)
    for (const gap of gaps) await this.#work(salvage.scan(this.#source, seed, gap, extent))
    const durable = Math.max(survey.durable, salvage.durable, witness.durable)
    const isTrimmed = durable <= survey.last.end && this.#isZeroFrom(survey.last.end)
    const stored = this.#options.unacknowledged === true && !isTrimmed ? extent : durable
    const torn = gaps.findIndex(({ from }) => from >= stored)
    return {
      gaps,
      salvage,
      extent,
      stored,
      torn: torn === -1 ? gaps.length : torn,
      isTrimmed,
      // Where it is lost, it is not before this.
      historyFrom: historyFrom ?? Math.max(survey.lastOfPack, baseTid),
    }
  }

  #isZeroFrom(position: number): boolean {
    return new JournalScanner(this.#source, this.#identity.seed, position, this.#size).isZeroFrom(position)
  }

  async #copy(file: OpenFile, { gaps, salvage, stored, torn, historyFrom }: Findings): Promise<SalvageWriter> {
    const { keep } = this.#options
    const end = gaps[keep === 'prefix' ? 0 : torn]?.from ?? Number.POSITIVE_INFINITY
    const source: SalvageSource = {
      file: this.#source,
      seed: this.#identity.seed,
      gaps,
      size: this.#size,
      salvage,
      end,
      brokenEnd: stored,
      baseTid: this.#identity.baseTid,
      historyFrom,
      wholeOnly: keep === 'transactions',
    }
    const writer = new SalvageWriter(file, this.#newHeader(historyFrom), this.#source)
    const steps = function* () {
      for (const piece of inOrder(source)) {
        writer.add(piece)
        yield writer.end
      }
    }
    await this.#work(steps(), 'copy', this.#size)
    writer.flush()
    return writer
  }

  #newHeader(historyFrom: Tid): FileHeader {
    const { created, baseTid, databaseId, uuid } = this.#identity
    // Another one, so that sidecar files of the damaged database are never taken for those of the new one.
    const newUuid = crypto.getRandomValues(new Uint8Array(16))
    return {
      uuid: newUuid,
      created,
      serializer: this.#serializer,
      databaseId: databaseId ?? uuid ?? newUuid,
      baseTid,
      historyFrom,
    }
  }

  /** Reads the new journal back, and finds out what it lacks. */
  async #check(
    file: OpenFile,
    { gaps, salvage, extent, torn }: Findings,
    writer: SalvageWriter,
    witness: JournalWitness,
  ): Promise<Losses> {
    const known = Math.max(writer.nextOid, salvage.nextOid, witness.nextOid)
    const lostBytes = gaps.slice(0, torn).reduce((sum, gap) => sum + regionOf(gap, extent).length, 0)
    const losses = new Losses(writer, known + STRAY_OIDS + lostBytes / RECORD_HEADER_BYTES)
    if (torn > 0) {
      for (let i = 0; i < salvage.damaged.length; i++) {
        const { oid, home } = salvage.damaged.at(i)
        if (home < (gaps[torn]?.from ?? extent)) losses.versionWasAt(oid, home)
      }
      for (const _ of witness.entries((oid, home) => losses.versionWasAt(oid, home))) await this.#turn()
    }
    await this.#work(this.#examine(file, writer, losses), 'check', writer.end)
    if (torn > 0) {
      if (writer.newest.get(0) === 0) losses.note(0)
      writer.nextOid = Math.max(known, losses.nextOid)
      const { partial, lost } = writer.transactions
      writer.addNote(`repairFile: ${torn} damaged places; ${partial} transactions lost a part, ${lost} everything.`)
      writer.flush()
    }
    return losses
  }

  *#examine(file: OpenFile, writer: SalvageWriter, losses: Losses): Generator<number> {
    const scanner = new JournalScanner(file, writer.seed, FILE_HEADER_BYTES, writer.end)
    for (let transaction = scanner.next(); transaction !== undefined; transaction = scanner.next()) {
      losses.examine(transaction)
      yield transaction.end
    }
    if (scanner.position === writer.end) return
    throw new PerdureError('PERDURE_IO', `${this.#to} cannot be read back at byte ${scanner.position}.`, {
      details: { path: this.#to, offset: scanner.position },
    })
  }

  /** Does work that comes in small steps, each of which tells how far it has got. */
  async #work(steps: Iterable<number>, phase?: RepairProgress['phase'], bytesTotal = 0): Promise<void> {
    const { onProgress } = this.#options
    for (const bytes of steps) {
      if (await this.#turn())
        if (phase !== undefined) onProgress?.({ phase, bytes: Math.min(bytes, bytesTotal), bytesTotal })
    }
    if (phase !== undefined) onProgress?.({ phase, bytes: bytesTotal, bytesTotal })
    this.#options.signal?.throwIfAborted()
  }

  /** Lets other work of the thread be done if it is time. Returns whether it was. */
  async #turn(): Promise<boolean> {
    if (performance.now() - this.#lastTurn < MAX_BLOCKING_MS) return false
    await nextTurn()
    this.#options.signal?.throwIfAborted()
    this.#lastTurn = performance.now()
    return true
  }

  #report({ gaps, extent, torn, isTrimmed }: Findings, writer: SalvageWriter, losses: Losses): RepairReport {
    const tail = isTrimmed ? undefined : gaps[torn]
    const { headerIntact } = this.#identity
    const { unreadableBytes } = this.#source
    return {
      path: this.#source.path,
      to: this.#to,
      damaged: torn > 0 || !headerIntact || unreadableBytes > 0,
      headerDamaged: !headerIntact,
      unreadableBytes,
      damage: gaps.slice(0, Math.min(torn, MAX_LISTED)).map((gap) => regionOf(gap, extent)),
      damageCount: torn,
      tornTail: tail === undefined ? undefined : { offset: tail.from, length: this.#size - tail.from },
      transactions: writer.transactions,
      salvagedRecords: writer.salvagedRecords,
      objects: losses.objects,
      bytes: writer.end,
      tid: writer.tid,
      lost: losses.lost,
      lostCount: losses.lostCount,
      dangling: losses.dangling,
      danglingCount: losses.danglingCount,
    }
  }
}

function regionOf({ from, to, tidBefore, tidAfter }: Gap, extent: number): DamagedRegion {
  const isEnd = tidAfter === undefined
  return {
    offset: from,
    length: (isEnd ? extent : to) - from,
    first: tidBefore + 1,
    last: isEnd ? undefined : tidAfter - 1,
  }
}

function chooseSerializer(path: string, identity: JournalIdentity, given: string | undefined): string {
  const { serializer, headerIntact } = identity
  if (given === undefined && headerIntact) return serializer
  if (given === undefined) {
    throw new PerdureError(
      'PERDURE_SERIALIZER',
      `The file header of ${path} is damaged and does not say for certain which serializer made the states. Name it with { serializer }; it seems to be ${JSON.stringify(serializer)}.`,
      { details: { path, actual: serializer } },
    )
  }
  checkSerializerName(given)
  if (!headerIntact || given === serializer) return given
  throw new PerdureError(
    'PERDURE_SERIALIZER',
    `${path} was created with the serializer "${serializer}", not with "${given}". Leave the option out.`,
    { details: { path, actual: serializer, wanted: given } },
  )
}
