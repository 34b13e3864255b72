import { PerdureError } from '../core/errors.js'
import { isId } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import type { Serializer } from '../core/serializer.js'
import { checkKnown, loadSerializer } from '../serializers/registry.js'
import type { StorageKind } from '../storages/registry.js'
import { BulkWriter } from './bulk-writer.js'
import { missingObject } from './content-tally.js'
import { Draft } from './draft.js'
import {
  EXPORT_FORMAT,
  EXPORT_VERSION,
  type ExportEnd,
  type ExportedObject,
  type ExportTitle,
} from './export-format.js'
import { ObjectLines, wrongLine } from './object-lines.js'

/** What an import has made. */
export interface ImportResult {
  readonly objects: number
  /** Of the content: see docs/conversion.md. */
  readonly hash: string
}

/** What is to be made of lines. */
export interface ImportOrder {
  /** Of the new database. */
  readonly path: string
  readonly kind: StorageKind
  readonly lines: AsyncIterable<string>
  /** Default: msgpack, or that of the export if nobody can decode its states. */
  readonly serializer?: string | undefined
  /** Permission bits of what the lines come from. */
  readonly mode?: number | undefined
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes a new database of the lines that `exportLines` has made. Objects keep their oids.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` with `details.line` for a line that is wrong, or if lines are missing;
 *   `PERDURE_OBJECT_MISSING`, `PERDURE_SERIALIZER`; what making the database throws
 */
export async function importInto(order: ImportOrder): Promise<ImportResult> {
  const { lines, serializer, signal } = order
  if (serializer !== undefined && serializer !== PICKLE) checkKnown(serializer)
  await using work = new Import(order)
  try {
    for await (const line of lines) {
      signal?.throwIfAborted()
      await work.take(line)
    }
    return await work.finish()
  } catch (error) {
    // Where the lines come from may have been closed for the same reason, and say less.
    throw signal?.aborted === true ? signal.reason : error
  }
}

/** What there is once the title has been read. */
interface Begun {
  readonly title: ExportTitle
  readonly draft: Draft
  readonly writer: BulkWriter
  readonly objects: ObjectLines
}

class Import {
  readonly #order: ImportOrder
  #line = 0
  #begun: Begun | undefined
  #end: ExportEnd | undefined

  constructor(order: ImportOrder) {
    this.#order = order
  }

  async take(text: string): Promise<void> {
    const line = ++this.#line
    if (this.#end !== undefined) throw wrongLine(line, 'something follows the last line')
    const value = parse(text, line)
    const begun = this.#begun
    if (begun === undefined) {
      this.#begun = await this.#begin(checkTitle(value))
    } else if ('objects' in value && !('oid' in value)) {
      this.#end = value as ExportEnd
    } else {
      const { oid, data } = begun.objects.read(value as Partial<ExportedObject>, line)
      const wait = begun.writer.add(oid, data)
      if (wait !== undefined) await wait
    }
  }

  async #begin(title: ExportTitle): Promise<Begun> {
    const { path, kind, mode } = this.#order
    const { name, serializer } = await this.#serializerFor(title)
    const draft = await Draft.create(path, kind, { serializer: name, mode })
    const writer = new BulkWriter(draft.storage, { note: 'imported' })
    return { title, draft, writer, objects: new ObjectLines(serializer, title.nextOid) }
  }

  async #serializerFor(title: ExportTitle): Promise<{ name: string; serializer: Serializer | undefined }> {
    const name = this.#order.serializer ?? title.serializer ?? 'msgpack'
    if ((name === PICKLE) !== (title.serializer === PICKLE)) {
      throw new PerdureError(
        'PERDURE_SERIALIZER',
        name === PICKLE
          ? 'The export holds no Python pickles, and Perdure makes none. Choose another serializer.'
          : `The export holds Python pickles, which cannot be imported as ${name}. Leave the serializer out, or make a database of the original with: perdure db import-durus`,
        { details: { stored: title.serializer, asked: name } },
      )
    }
    return { name, serializer: name === PICKLE ? undefined : await loadSerializer(name) }
  }

  async finish(): Promise<ImportResult> {
    const line = this.#line
    const [begun, end] = [this.#begun, this.#end]
    if (begun === undefined || end === undefined) throw wrongLine(line + 1, 'the export is not whole')
    const { title, draft, writer, objects } = begun
    if (end.objects !== writer.objects) throw wrongLine(line, 'the export is not whole: it tells of other objects')
    if (end.nextOid !== title.nextOid) throw wrongLine(line, 'nextOid is not that of the first line')
    const { hash, missing } = objects.tally
    if (end.hash !== undefined && end.hash !== hash)
      throw wrongLine(line, 'the objects are not those that were exported')
    if (title.nextOid !== undefined) writer.reserve(title.nextOid)
    await writer.flush()
    if (missing !== undefined) {
      const snapshot = draft.storage.snapshot()
      throw await missingObject('The export', snapshot, missing).finally(() => snapshot.release())
    }
    this.#order.signal?.throwIfAborted()
    await draft.finish()
    return { objects: writer.objects, hash }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun?.draft.discard()
  }
}

function parse(text: string, line: number): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below.
  }
  throw wrongLine(line, 'it is no JSON object')
}

function checkTitle(value: Partial<ExportTitle>): ExportTitle {
  const { format, version, serializer, nextOid } = value
  if (format !== EXPORT_FORMAT) throw wrongLine(1, 'this is no export of a database')
  if (version !== EXPORT_VERSION) throw wrongLine(1, `version ${version} of the format is not known`)
  if (serializer !== undefined && serializer !== PICKLE) throw wrongLine(1, 'serializer can only be pickle')
  if (nextOid !== undefined && !isId(nextOid)) throw wrongLine(1, 'nextOid is no oid')
  return value as ExportTitle
}
