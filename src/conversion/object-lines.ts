import { PerdureError } from '../core/errors.js'
import { isId, type Oid } from '../core/oid.js'
import { DecodedRecord, encodeRecord, MAX_CLASS_NAME } from '../core/record.js'
import { Reference } from '../core/reference.js'
import type { Serializer } from '../core/serializer.js'
import type { RecordWrite } from '../core/storage.js'
import { devalue } from '../serializers/devalue.js'
import { CanonicalObject } from './canonical-object.js'
import { ContentTally } from './content-tally.js'
import type { ExportedObject } from './export-format.js'

/** Makes records of the lines of an export, and tallies what they hold. */
export class ObjectLines {
  readonly tally = new ContentTally()
  readonly #serializer: Serializer | undefined
  readonly #nextOid: Oid
  readonly #canonical = new CanonicalObject()

  /**
   * @param serializer of the new database; undefined if its states stay what they are
   * @param nextOid all oids are below this one
   */
  constructor(serializer: Serializer | undefined, nextOid: Oid = Number.POSITIVE_INFINITY) {
    this.#serializer = serializer
    this.#nextOid = nextOid
  }

  /** @throws PerdureError `PERDURE_ARGUMENT` with `details.line`, and `details.oid` where it is known */
  read(object: Partial<ExportedObject>, line: number): RecordWrite {
    const { oid, class: className } = object
    if (!isId(oid)) throw wrongLine(line, 'oid is no oid')
    if (oid >= this.#nextOid) throw wrongLine(line, `oid is not below that of the first line, ${this.#nextOid}`, oid)
    if (!isClassName(className) || className === '') throw wrongLine(line, 'class is no name of a class', oid)
    const references = referencesOf(object.references, line, oid)
    const data =
      this.#serializer === undefined
        ? this.#opaque(oid, className, references, bytesOf(object.bytes, line, oid))
        : this.#encode(this.#serializer, oid, className, references, object.state, line)
    const targets = references.map((reference) => reference.oid)
    this.tally.addObject(oid, data.length, targets)
    return { oid, data }
  }

  #opaque(oid: Oid, className: string, references: readonly Reference[], bytes: Uint8Array): Uint8Array {
    this.tally.sum.addHashOf(this.#canonical.writeOpaque(oid, className, references, bytes))
    return encodeRecord(className, references, bytes)
  }

  #encode(
    serializer: Serializer,
    oid: Oid,
    className: string,
    references: readonly Reference[],
    exported: unknown,
    line: number,
  ): Uint8Array {
    const positions = new Map(references.map((reference, i) => [reference, i]))
    try {
      const text = Buffer.from(JSON.stringify(exported) ?? '')
      const state = devalue.decode(text, new DecodedRecord(className, references, text))
      this.tally.sum.addHashOf(this.#canonical.write(oid, className, references, state))
      const position = (reference: Reference) => positions.get(reference) as number
      return encodeRecord(className, references, serializer.encode(state, { position }))
    } catch (error) {
      throw wrongLine(line, (error as Error).message, oid)
    }
  }
}

function referencesOf(listed: unknown, line: number, oid: Oid): Reference[] {
  if (!Array.isArray(listed)) throw wrongLine(line, 'references is no list', oid)
  return listed.map((each: unknown) => {
    const [target, className]: readonly unknown[] = Array.isArray(each) ? each : []
    if (!isId(target) || !isClassName(className)) throw wrongLine(line, 'a reference is wrong', oid)
    return new Reference(target, className)
  })
}

function isClassName(name: unknown): name is string {
  return typeof name === 'string' && name.isWellFormed() && Buffer.byteLength(name) <= MAX_CLASS_NAME
}

function bytesOf(text: unknown, line: number, oid: Oid): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  // Buffer skips what is no base64.
  if (bytes?.toString('base64') === text && bytes !== undefined) return bytes
  throw wrongLine(line, 'bytes is no base64', oid)
}

/** @param line its number, from 1 */
export function wrongLine(line: number, what: string, oid?: Oid): PerdureError {
  return new PerdureError('PERDURE_ARGUMENT', `The export cannot be imported. Line ${line}: ${what}.`, {
    details: oid === undefined ? { line } : { line, oid },
  })
}
