import type { ClassRegistry } from './class-registry.js'
import { type ErrorDetails, PerdureError } from './errors.js'
import type { Header, ObjectOwner } from './header.js'
import { headerOf } from './header.js'
import { findPath, formatPath, visibleSteps } from './object-path.js'
import type { Oid } from './oid.js'
import { writeRecordHead } from './record.js'
import { RecordBuffer } from './record-buffer.js'
import { NO_OID, type Reference } from './reference.js'
import type { ReferenceWriter, Serializer } from './serializer.js'
import type { Step } from './storable.js'
import { StateWalker, strayProperty } from './storable.js'
import type { RecordWrite } from './storage.js'

/** Reused for every commit: `Storage.commit` copies the records before it returns. */
const buffer = new RecordBuffer()

/** From this many references on, looking one up in a Map is faster than searching the list. */
const LONG_LIST = 16

/** What the writer needs to know of the connection whose changes it writes. */
export interface WriterContext {
  readonly owner: ObjectOwner
  readonly serializer: Serializer
  readonly classes: ClassRegistry
  /** The root's header, if it is known: error messages give paths from there. */
  readonly root: Header | undefined
  allocateOid(): Oid
}

/** What a transaction writes. */
export interface WrittenObjects {
  readonly writes: readonly RecordWrite[]
  /** Objects stored for the first time; they now belong to the connection. */
  readonly added: readonly Header[]
}

/**
 * Encodes changed objects, and every new object that can be reached from them, which is given an oid and becomes
 * the connection's. If anything cannot be stored, nothing has changed when this throws.
 *
 * @throws PerdureError `PERDURE_UNSTORABLE` with the path to the value, `PERDURE_FOREIGN_OBJECT` with the path to an
 *   object of another connection, `PERDURE_CLASS` if two classes share a name
 */
export function writeObjects(context: WriterContext, changed: Iterable<Header>): WrittenObjects {
  const writer = new ObjectWriter(context)
  try {
    return writer.write(changed)
  } catch (error) {
    writer.undo()
    throw error
  }
}

class ObjectWriter {
  readonly #context: WriterContext
  readonly #writes: RecordWrite[] = []
  readonly #added: Header[] = []
  readonly #queue: Header[] = []
  readonly #references = new ReferenceList()
  readonly #walker = new StateWalker((reference) => {
    this.#admit(reference)
    this.#references.add(reference)
  })

  constructor(context: WriterContext) {
    this.#context = context
    buffer.reset()
  }

  write(changed: Iterable<Header>): WrittenObjects {
    for (const header of changed) this.#queue.push(header)
    // The queue grows while it is worked off: new objects are found in the states of others.
    for (let i = 0; i < this.#queue.length; i++) this.#writeObject(this.#queue[i] as Header)
    return { writes: this.#writes, added: this.#added }
  }

  undo(): void {
    for (const header of this.#added) disown(header)
  }

  #writeObject(header: Header): void {
    const { info } = header
    const stray = strayProperty(header)
    if (stray !== undefined) {
      throw this.#unstorable(
        header,
        [stray],
        `a plain field of ${info.name}, whose fields are all declared with @field accessor or kept by the collection it extends`,
      )
    }
    const references = this.#references
    references.clear()
    try {
      const state = this.#walker.walk(header)
      writeRecordHead(buffer, info.name, references.all)
      buffer.bytes(this.#context.serializer.encode(state, references))
    } catch (error) {
      throw this.#explain(header, error)
    }
    this.#writes.push({ oid: header.oid, data: buffer.finish() })
  }

  /** Makes sure that the object of a reference is, or with this transaction becomes, the connection's. */
  #admit(reference: Reference): void {
    const header = reference.object === undefined ? undefined : headerOf(reference.object)
    if (header === undefined || header.owner === this.#context.owner) return
    if (header.owner !== undefined) {
      throw new PerdureError(
        'PERDURE_FOREIGN_OBJECT',
        `${header.info.name} ${header.oid} belongs to another connection`,
        {
          details: { oid: header.oid, className: header.info.name },
        },
      )
    }
    this.#context.classes.admit(header.info)
    header.oid = this.#context.allocateOid()
    reference.oid = header.oid
    header.owner = this.#context.owner
    this.#added.push(header)
    this.#queue.push(header)
  }

  #explain(header: Header, error: unknown): unknown {
    if (!(error instanceof PerdureError)) return error
    const { steps } = this.#walker
    switch (error.code) {
      case 'PERDURE_UNSTORABLE':
        return this.#unstorable(header, steps, error.details['what'] as string)
      case 'PERDURE_FOREIGN_OBJECT': {
        const path = this.#path(header, steps)
        return new PerdureError(
          error.code,
          `${path}: ${error.message}. Read it again with this connection: connection.get(${error.details.oid}).`,
          { details: { ...error.details, path } },
        )
      }
      default:
        return error
    }
  }

  #unstorable(header: Header, steps: readonly Step[], what: string): PerdureError {
    const path = this.#path(header, steps)
    const details: ErrorDetails = { path, oid: header.oid, className: header.info.name }
    return new PerdureError(
      'PERDURE_UNSTORABLE',
      `Cannot store ${path}: it is ${what}. A name that begins with _v_ keeps a field from being stored.`,
      { details },
    )
  }

  #path(header: Header, steps: readonly Step[]): string {
    const { root } = this.#context
    const start = root === undefined ? undefined : findPath(root, header)
    const below = visibleSteps(header, steps)
    return start === undefined
      ? formatPath(header.oid === NO_OID ? header.info.name : `${header.info.name}(${header.oid})`, below)
      : formatPath('root', [...start, ...below])
  }
}

/** The references of the record under way. Few as a rule, so they are searched one by one before a Map is made. */
class ReferenceList implements ReferenceWriter {
  readonly all: Reference[] = []
  #positions: Map<Reference, number> | undefined

  clear(): void {
    this.all.length = 0
    this.#positions = undefined
  }

  add(reference: Reference): void {
    if (this.#find(reference) !== undefined) return
    this.#positions?.set(reference, this.all.length)
    this.all.push(reference)
    if (this.all.length === LONG_LIST) this.#positions = new Map(this.all.map((each, position) => [each, position]))
  }

  position(reference: Reference): number {
    return this.#find(reference) as number
  }

  #find(reference: Reference): number | undefined {
    if (this.#positions !== undefined) return this.#positions.get(reference)
    const position = this.all.indexOf(reference)
    return position < 0 ? undefined : position
  }
}

/** Makes an object that was to be stored for the first time nobody's again. It keeps its state. */
export function disown(header: Header): void {
  header.oid = NO_OID
  if (header.reference !== undefined) header.reference.oid = NO_OID
  header.changed = true
  header.owner = undefined
  header.awaken()
}
