import { crc32 } from 'node:zlib'
import { CorruptionError, PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import { ANY_CLASS, type DecodedRecord, decodeRecord, recordClassName } from '../core/record.js'
import type { Reference } from '../core/reference.js'
import type { Serializer } from '../core/serializer.js'
import type { StoredRecord, VerifyProblem } from '../core/storage.js'
import { isUnreadable } from '../journal/failing-file.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { JournalView, type SharedJournal } from '../journal/shared-journal.js'
import { importSerializer } from './import-serializer.js'
import { Findings, type VerifyFindings } from './verify-findings.js'

const BLOCK_CACHE_BYTES = 1024 * 1024

/** A range of oids to be checked. */
export interface VerifyTask {
  readonly shared: SharedJournal
  /** The state that is checked. */
  readonly tid: Tid
  readonly from: Oid
  /** The first oid that is not of the range. */
  readonly to: Oid
  /** For each oid a number made of the name of its class; 0 if there is no such object, 1 if it is damaged. */
  readonly classes: SharedArrayBuffer
  readonly serializer: string
  /** Modules to import so that the serializer is known. */
  readonly modules: readonly string[]
}

const MISSING = 0
const DAMAGED = 1

/** Two class names have the same number once in four thousand million, and then a wrong reference goes unnoticed. */
function classNumber(name: string): number {
  return Math.max(2, crc32(name))
}

/** First pass: every object can be read and decoded, if its state is not a pickle. Notes the class of each. */
export async function surveyObjects(task: VerifyTask): Promise<VerifyFindings> {
  const serializer = task.serializer === PICKLE ? undefined : await importSerializer(task)
  const findings = new Findings()
  const numbers = new Uint32Array(task.classes)
  eachObject(task, findings, (record, decoded) => {
    numbers[record.oid] = classNumber(decoded.className)
    findings.count(record, decoded.className)
    if (serializer !== undefined) decodeState(serializer, record, decoded, findings)
  })
  return findings
}

/** Notes a state that cannot be decoded. */
export function decodeState(
  serializer: Serializer,
  record: Pick<StoredRecord, 'oid'>,
  decoded: DecodedRecord,
  findings: Pick<Findings, 'add'>,
): void {
  const { references, className } = decoded
  try {
    serializer.decode(decoded.state, {
      count: references.length,
      at: (position) => references[position] as Reference,
    })
  } catch (error) {
    findings.add({ kind: 'undecodable', oid: record.oid, className, message: messageOf(error) })
  }
}

/** Second pass: every reference leads to an object of the class it names. */
export function checkReferences(task: VerifyTask): VerifyFindings {
  const findings = new Findings()
  const numbers = new Uint32Array(task.classes)
  eachObject(task, undefined, (record, { className, references }, classOf) => {
    for (const reference of references) {
      const found = numbers[reference.oid] ?? MISSING
      if (found === DAMAGED || found === classNumber(reference.className)) continue
      if (found !== MISSING && reference.className === ANY_CLASS) continue
      const target = `${reference.className || 'object'} ${reference.oid}`
      const problem =
        found === MISSING
          ? { kind: 'dangling-reference' as const, message: `It refers to ${target}, which does not exist.` }
          : { kind: 'wrong-class' as const, message: `It refers to ${target}, which is a ${classOf(reference.oid)}.` }
      findings.add({ ...problem, oid: record.oid, className })
    }
  })
  return findings
}

type Visit = (record: StoredRecord, decoded: DecodedRecord, classOf: (oid: Oid) => string) => void

/** @param findings where damaged objects are noted, unless that has been done before */
function eachObject(task: VerifyTask, findings: Findings | undefined, visit: Visit): void {
  const view = JournalView.attach(nodeFileSystem, task.shared, BLOCK_CACHE_BYTES)
  const load = (oid: Oid) => {
    const offset = view.index.get(oid)
    return offset === 0 ? undefined : view.reader.load(oid, offset, task.tid)
  }
  const classOf = (oid: Oid) => {
    const record = load(oid)
    return record === undefined ? 'missing object' : recordClassName(record.data)
  }
  const numbers = new Uint32Array(task.classes)
  try {
    for (let oid = task.from; oid < task.to; oid++) {
      try {
        const record = load(oid)
        if (record !== undefined) visit(record, decodeRecord(record.data), classOf)
      } catch (error) {
        numbers[oid] = DAMAGED
        findings?.add(damageOf(oid, error))
      }
    }
  } finally {
    view.release()
  }
}

function damageOf(oid: Oid, error: unknown): VerifyProblem {
  if (error instanceof CorruptionError) return { kind: 'damaged', oid, offset: error.offset, message: error.message }
  if (error instanceof PerdureError && error.code === 'PERDURE_DECODE') {
    return { kind: 'undecodable', oid, message: error.message }
  }
  if (isUnreadable(error)) return { kind: 'damaged', oid, message: messageOf(error) }
  throw error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
