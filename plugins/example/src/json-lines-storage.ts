import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { type Capability, PerdureError, type RecordWrite } from 'perdure'
import { MemoryStorage, type StorageKind, type StorageOpenOptions, TemporaryPlace } from 'perdure/storages'

/** What the first line of a file says, so that it is recognised. */
const FORMAT = 'perdure-json-lines'

interface Title {
  readonly format: typeof FORMAT
  readonly serializer: string
}

/** One line for each transaction, after the first line. */
interface Line {
  /** Pairs of oid and record, the record in base64. */
  readonly writes: readonly (readonly [number, string])[]
  /** Oids below this one have been given out. */
  readonly next: number
}

/**
 * A database that people can read and `diff`: a MemoryStorage that keeps each transaction as a line of JSON, and
 * reads them all when it is opened. Made to be copied, and for small data: one process at a time, no packing, and the
 * thread waits while a line is written.
 */
export class JsonLinesStorage extends MemoryStorage {
  override readonly kind = 'jsonl'
  override readonly location: string
  override readonly readonly: boolean
  override readonly capabilities: ReadonlySet<Capability>
  /** Of a temporary database. */
  readonly #place: TemporaryPlace | undefined
  readonly #descriptor: number
  /** Where the next line goes. */
  #end: number
  #nextOid = 1
  #replaying = true
  #failure: PerdureError | undefined
  #closing: Promise<void> | undefined

  private constructor(path: string, contents: Contents, readonly: boolean, place: TemporaryPlace | undefined) {
    super({ serializer: contents.title.serializer })
    this.location = path
    this.readonly = readonly
    this.capabilities = new Set<Capability>(
      place === undefined ? ['persistent', 'durable', 'restore'] : ['durable', 'restore'],
    )
    this.#place = place
    this.#descriptor = openSync(path, readonly ? 'r' : 'r+')
    this.#end = contents.end
  }

  /**
   * @param path undefined for a temporary one, which is removed when it is closed
   * @throws PerdureError `PERDURE_NOT_FOUND`, `PERDURE_CORRUPTION`, `PERDURE_SERIALIZER`, `PERDURE_IO`
   */
  static async open(path: string | undefined, options: StorageOpenOptions = {}): Promise<JsonLinesStorage> {
    if (path !== undefined) return JsonLinesStorage.#openAt(path, options, undefined)
    const place = await TemporaryPlace.make('temporary.jsonl')
    try {
      return await JsonLinesStorage.#openAt(place.path, { ...options, createIfMissing: true }, place)
    } catch (error) {
      await place.leave()
      throw error
    }
  }

  static async #openAt(
    path: string,
    options: StorageOpenOptions,
    place: TemporaryPlace | undefined,
  ): Promise<JsonLinesStorage> {
    const { serializer, readonly = false, createIfMissing = !readonly } = options
    const contents = readContents(path, createIfMissing, serializer ?? 'v8')
    if (serializer !== undefined && serializer !== contents.title.serializer) {
      throw new PerdureError('PERDURE_SERIALIZER', `${path} was created with "${contents.title.serializer}".`)
    }
    const storage = new JsonLinesStorage(path, contents, readonly, place)
    for (const line of contents.lines) await storage.#replay(line)
    storage.#replaying = false
    // What is behind the last whole line was never acknowledged.
    if (!readonly) ftruncateSync(storage.#descriptor, contents.end)
    return storage
  }

  async #replay({ writes, next }: Line): Promise<void> {
    const base = this.statistics().tid
    const records = writes.map(([oid, data]) => ({ oid, data: Buffer.from(data, 'base64') }))
    // It may refer to what stands in a later line, if it was copied from another storage.
    await super.commit({ base, reads: [], writes: records, restored: { time: new Date(0) } })
    this.#noteUsed(records)
    if (next > this.#nextOid) this.allocateOids(next - this.#nextOid)
  }

  override allocateOids(count: number): number {
    const first = super.allocateOids(count)
    this.#nextOid = first + count
    return first
  }

  #noteUsed(writes: readonly RecordWrite[]): void {
    for (const { oid } of writes) this.#nextOid = Math.max(this.#nextOid, oid + 1)
  }

  protected override keep(writes: readonly RecordWrite[]): void {
    if (this.#replaying) return
    if (this.readonly) throw new PerdureError('PERDURE_READONLY', `${this.location} was opened readonly.`)
    if (this.#failure !== undefined) throw this.#failure
    this.#noteUsed(writes)
    const line: Line = {
      writes: writes.map(({ oid, data }) => [oid, Buffer.from(data).toString('base64')]),
      next: this.#nextOid,
    }
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#end + done)
      }
      fdatasyncSync(this.#descriptor)
    } catch (cause) {
      const message = `${this.location} takes no more commits until it has been opened again: ${(cause as Error).message}`
      this.#failure = new PerdureError('PERDURE_POISONED', message, { cause })
      throw this.#failure
    }
    this.#end += bytes.length
  }

  override async pack(): Promise<never> {
    this.statistics() // Throws if the storage has been closed.
    throw new PerdureError('PERDURE_UNSUPPORTED', 'A database of JSON lines cannot be packed.')
  }

  override close(): Promise<void> {
    this.#closing ??= super.close().finally(() => this.#letGo())
    return this.#closing
  }

  async #letGo(): Promise<void> {
    closeSync(this.#descriptor)
    await this.#place?.leave()
  }
}

/** A file, taken apart. */
interface Contents {
  readonly title: Title
  readonly lines: readonly Line[]
  /** Where the last whole line ends, in bytes. */
  readonly end: number
}

function readContents(path: string, create: boolean, serializer: string): Contents {
  const text = readText(path, create, serializer)
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const lines = whole.split('\n').slice(0, -1)
  const [title, ...transactions] = lines.map((line, i) => parse(path, line, i))
  if ((title as Title | undefined)?.format !== FORMAT) {
    throw new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is no database of JSON lines.`, { details: { path } })
  }
  return { title: title as Title, lines: transactions as Line[], end: Buffer.byteLength(whole) }
}

function readText(path: string, create: boolean, serializer: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new PerdureError('PERDURE_IO', `${path} cannot be read: ${message}`, { cause })
    if (!create) throw new PerdureError('PERDURE_NOT_FOUND', `There is no database at ${path}.`, { cause })
  }
  const text = `${JSON.stringify({ format: FORMAT, serializer } satisfies Title)}\n`
  writeFileSync(path, text, { flag: 'wx', flush: true })
  return text
}

function parse(path: string, line: string, index: number): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new PerdureError('PERDURE_CORRUPTION', `${path} is damaged: line ${index + 1} is no JSON.`, { cause })
  }
}

export const jsonLines: StorageKind = {
  name: 'jsonl',
  summary: 'One line of JSON for each transaction; for small data, and to be read by people.',
  options: [],
  recognizes: (head) => Buffer.from(head).toString('latin1').startsWith(`{"format":"${FORMAT}"`),
  open: (path, options) => JsonLinesStorage.open(path, options),
}
