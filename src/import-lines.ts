import { renameSync, rmSync } from 'node:fs'
import { PerdureError } from './core/errors.js'
import type { Tid } from './core/oid.js'
import { DecodedRecord, encodeRecord } from './core/record.js'
import { Reference } from './core/reference.js'
import type { Serializer } from './core/serializer.js'
import type { CommitRequest } from './core/storage.js'
import { EXPORT_FORMAT, EXPORT_VERSION, type ExportEnd, type ExportedObject, type ExportTitle } from './export-lines.js'
import { devalue } from './serializers/devalue.js'
import { loadSerializer } from './serializers/registry.js'
import { FileStorage } from './storages/file.js'

/** Objects are committed in parts of about this many bytes. */
const PART_BYTES = 8 * 1024 * 1024

export interface ImportOptions {
  /** Of the new database. Default: msgpack. */
  readonly serializer?: string | undefined
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
}

type Write = CommitRequest['writes'][number]

/**
 * Makes a database file of the lines that `exportLines` has made. Objects keep their oids. Until all is there, the file
 * has `.importing` behind its name; if anything fails, that is removed.
 *
 * @param path must not be there yet
 * @returns how many objects there are
 * @throws PerdureError `PERDURE_ARGUMENT` naming the line that is wrong, or if lines are missing; `PERDURE_SERIALIZER`; what
 *   `open()` throws
 */
export async function importLines(
  path: string,
  lines: AsyncIterable<string>,
  { serializer: name = 'msgpack', signal }: ImportOptions = {},
): Promise<number> {
  const serializer = await loadSerializer(name)
  const draft = `${path}.importing`
  removeFiles(draft)
  try {
    const objects = await fill(draft, lines, serializer, signal)
    renameSync(draft, path)
    return objects
  } catch (error) {
    // Where the lines come from may have been closed for the same reason, and say less.
    throw signal?.aborted === true ? signal.reason : error
  } finally {
    removeFiles(draft)
  }
}

function removeFiles(path: string): void {
  for (const suffix of ['', '.index', '.live', '.lock']) rmSync(`${path}${suffix}`, { force: true })
}

async function fill(
  path: string,
  lines: AsyncIterable<string>,
  serializer: Serializer,
  signal: AbortSignal | undefined,
): Promise<number> {
  await using storage = await FileStorage.open(path, { serializer: serializer.name })
  let base: Tid = storage.statistics().tid
  let writes: Write[] = []
  let bytes = 0
  const flush = async () => {
    if (writes.length === 0) return
    base = (await storage.commit({ base, reads: [], writes, note: 'imported' })).tid ?? base
    writes = []
    bytes = 0
  }
  let number = 0
  let end: ExportEnd | undefined
  for await (const line of lines) {
    signal?.throwIfAborted()
    number++
    if (end !== undefined) throw wrong(number, 'something follows the last line')
    const value = parse(line, number)
    if (number === 1) {
      checkTitle(value)
    } else if ('objects' in value) {
      end = value as ExportEnd
    } else {
      const write = writeOf(value as ExportedObject, serializer, number)
      writes.push(write)
      bytes += write.data.length
      if (bytes >= PART_BYTES) await flush()
    }
  }
  if (end?.objects !== number - 2) throw wrong(number + 1, 'the export is not whole')
  await flush()
  return end.objects
}

function parse(line: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below.
  }
  throw wrong(number, 'it is no JSON object')
}

function checkTitle(value: Partial<ExportTitle>): void {
  if (value.format !== EXPORT_FORMAT) throw wrong(1, 'this is no export of a database')
  if (value.version !== EXPORT_VERSION) throw wrong(1, `version ${value.version} of the format is not known`)
}

function writeOf(object: ExportedObject, serializer: Serializer, number: number): Write {
  const { oid, class: className, references: listed, state } = object
  if (!Number.isSafeInteger(oid) || oid < 0) throw wrong(number, 'oid is no oid')
  if (typeof className !== 'string' || className === '') throw wrong(number, 'class is no name of a class')
  if (!Array.isArray(listed)) throw wrong(number, 'references is no list')
  const references = listed.map(([target, name]) => {
    if (!Number.isSafeInteger(target) || target < 0 || typeof name !== 'string')
      throw wrong(number, 'a reference is wrong')
    return new Reference(target, name)
  })
  const positions = new Map(references.map((reference, i) => [reference, i]))
  try {
    const text = Buffer.from(JSON.stringify(state) ?? '')
    const decoded = devalue.decode(text, new DecodedRecord(className, references, text))
    const bytes = serializer.encode(decoded, { position: (reference) => positions.get(reference) as number })
    return { oid, data: encodeRecord(className, references, bytes) }
  } catch (error) {
    throw wrong(number, (error as Error).message)
  }
}

function wrong(line: number, what: string): PerdureError {
  return new PerdureError('PERDURE_ARGUMENT', `The export cannot be imported. Line ${line}: ${what}.`, {
    details: { line },
  })
}
