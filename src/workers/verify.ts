import type { Tid } from '../core/oid.js'
import type { VerifyOptions, VerifyProblem, VerifyReport } from '../core/storage.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { serializerModules } from '../serializers/registry.js'
import type { WorkerPool } from './pool.js'
import { MAX_PROBLEMS, type VerifyFindings, type VerifyTask } from './verify-task.js'

/** Oids in one task: some tens of milliseconds' work, so that progress is seen and stopping does not take long. */
const RANGE = 16_384

/** What is to be verified. */
export interface VerifySubject {
  readonly shared: SharedJournal
  readonly tid: Tid
  /** All objects have smaller oids. */
  readonly nextOid: number
  /** Expected figures, for progress. */
  readonly objects: number
  readonly bytes: number
}

/**
 * Checks every object with the threads of a pool, in two passes over ranges of oids.
 *
 * @throws PerdureError `PERDURE_THREAD`, `PERDURE_SERIALIZER`; the reason of `options.signal`
 */
export async function verifyJournal(
  pool: WorkerPool,
  subject: VerifySubject,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { shared, tid, nextOid } = subject
  const total = new Total()
  const common = {
    shared,
    tid,
    classes: new SharedArrayBuffer(nextOid * Uint32Array.BYTES_PER_ELEMENT),
    serializer: shared.header.serializer,
    modules: serializerModules(),
  }
  const pass = (name: string) =>
    eachRange(pool, nextOid, options.signal, async (from, to) => {
      const task: VerifyTask = { ...common, from, to }
      total.add(await pool.run<VerifyTask, VerifyFindings>(name, task))
      const { objects, bytes } = total
      options.onProgress?.({
        objects,
        objectsTotal: Math.max(objects, subject.objects),
        bytes,
        bytesTotal: Math.max(bytes, subject.bytes),
      })
    })
  await pass('surveyObjects')
  await pass('checkReferences')
  const { objects, bytes } = total
  options.onProgress?.({ objects, objectsTotal: objects, bytes, bytesTotal: bytes })
  return total
}

/** Works on several ranges at a time, one for each thread. */
async function eachRange(
  pool: WorkerPool,
  end: number,
  signal: AbortSignal | undefined,
  work: (from: number, to: number) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const lane = async () => {
    try {
      while (next < end && !failed) {
        signal?.throwIfAborted()
        const from = next
        next += RANGE
        await work(from, Math.min(end, from + RANGE))
      }
      signal?.throwIfAborted()
    } catch (error) {
      failed = true
      throw error
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: pool.size }, lane))
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
}

class Total implements VerifyReport {
  objects = 0
  bytes = 0
  problemCount = 0
  readonly classes = new Map<string, number>()
  readonly problems: VerifyProblem[] = []

  add(findings: VerifyFindings): void {
    this.objects += findings.objects
    this.bytes += findings.bytes
    this.problemCount += findings.problemCount
    for (const [name, count] of findings.classes) this.classes.set(name, (this.classes.get(name) ?? 0) + count)
    this.problems.push(...findings.problems.slice(0, MAX_PROBLEMS - this.problems.length))
  }
}
