import type { Tid } from '../core/oid.js'
import type { VerifyOptions, VerifyReport } from '../core/storage.js'
import { FILE_HEADER_BYTES } from '../journal/format.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { serializerModules } from '../serializers/registry.js'
import { eachRange, type TaskRunner } from './each-range.js'
import { Findings, type VerifyFindings } from './verify-findings.js'
import type { JournalFindings, VerifyJournalTask } from './verify-journal-task.js'
import type { VerifyTask } from './verify-task.js'

/** Oids in one task: some tens of milliseconds' work, so that progress is seen and stopping does not take long. */
const RANGE = 16_384

/** Bytes of the journal in one task. */
const RANGE_BYTES = 16 * 1024 * 1024

/** What is to be verified. */
export interface VerifySubject {
  readonly shared: SharedJournal
  readonly tid: Tid
  /** All objects have smaller oids. */
  readonly nextOid: number
  /** How many there are, for progress. */
  readonly objects: number
  /** End of the journal. */
  readonly end: number
  /** Bytes of the journal in one task; given by tests. */
  readonly rangeBytes?: number
}

/**
 * Checks every object in two passes over ranges of oids, then every transaction in one over ranges of the journal,
 * with the threads of a pool.
 *
 * @throws PerdureError `PERDURE_THREAD`, `PERDURE_SERIALIZER`; the reason of `options.signal`
 */
export async function verifyJournal(
  pool: TaskRunner,
  subject: VerifySubject,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { shared, tid, nextOid, end } = subject
  const total = new Findings()
  const common = {
    shared,
    tid,
    classes: new SharedArrayBuffer(nextOid * Uint32Array.BYTES_PER_ELEMENT),
    serializer: shared.header.serializer,
    modules: serializerModules(),
  }
  const merge = (findings: VerifyFindings) => {
    total.merge(findings)
    const { objects, bytes } = total
    options.onProgress?.({
      objects,
      objectsTotal: Math.max(objects, subject.objects),
      bytes,
      bytesTotal: Math.max(bytes, end),
    })
  }
  for (const pass of ['surveyObjects', 'checkReferences']) {
    await eachRange(pool, { begin: 0, end: nextOid, size: RANGE }, options.signal, async (from, to) => {
      merge(await pool.run<VerifyTask, VerifyFindings>(pass, { ...common, from, to }))
    })
  }
  await checkJournal(pool, subject, options.signal, merge)
  const { objects, bytes } = total
  options.onProgress?.({ objects, objectsTotal: objects, bytes, bytesTotal: bytes })
  return total
}

async function checkJournal(
  pool: TaskRunner,
  { shared, end, rangeBytes = RANGE_BYTES }: VerifySubject,
  signal: AbortSignal | undefined,
  merge: (findings: VerifyFindings) => void,
): Promise<void> {
  const check = async (from: number, to: number, anchored: boolean) => {
    const task: VerifyJournalTask = { shared, from, to, end, anchored }
    const result = await pool.run<VerifyJournalTask, JournalFindings>('checkTransactions', task)
    merge(result.findings)
    return result
  }
  const ranges: JournalFindings[] = []
  await eachRange(pool, { begin: FILE_HEADER_BYTES, end, size: rangeBytes }, signal, async (from, to) => {
    ranges[(from - FILE_HEADER_BYTES) / rangeBytes] = await check(from, to, false)
  })
  // Each range must begin where the one before it ends. What is between is damaged.
  let expected: number | undefined = FILE_HEADER_BYTES
  for (const { first, next } of [...ranges, { first: end, next: end }]) {
    if (first === undefined) continue
    if (expected !== undefined && expected < first) await check(expected, first, true)
    expected = next
  }
}
