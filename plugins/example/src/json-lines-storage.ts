import { type FileHandle, open as openFile, readFile } from 'node:fs/promises'
import { type Capability, type CommitRequest, type CommitResult, PerdureError } from 'perdure'
import { MemoryStorage, type StorageKind, type StorageOpenOptions } from 'perdure/storages'

/** What the first line of a file says, so that it is recognised. */
const FORMAT = 'perdure-json-lines'

interface Title {
  readonly format: typeof FORMAT
  readonly serializer: string
}

/** One line for each transaction, after the first line: pairs of oid and record, the record in base64. */
interface Line {
  readonly writes: readonly (readonly [number, string])[]
}

/**
 * A database that people can read and `diff`: a MemoryStorage that keeps each transaction as a line of JSON, and
 * reads them all when it is opened. Made to be copied, and for small data: one process at a time, no packing.
 *
 * Commits go one by one, so that each can be checked, then written, and only then become visible.
 */
export class JsonLinesStorage extends MemoryStorage {
  override readonly kind = 'jsonl'
  override readonly location: string
  override readonly readonly: boolean
  override readonly capabilities: ReadonlySet<Capability>
  readonly #file: FileHandle
  #end: number
  #queue: Promise<unknown> = Promise.resolve()
  #failure: PerdureError | undefined

  private constructor(path: string, contents: Contents, file: FileHandle, readonly: boolean) {
    super({ serializer: contents.title.serializer })
    this.location = path
    this.readonly = readonly
    this.capabilities = new Set<Capability>(['persistent', 'durable'])
    this.#file = file
    this.#end = contents.end
  }

  /** @throws PerdureError `PERDURE_NOT_FOUND`, `PERDURE_CORRUPTION`, `PERDURE_SERIALIZER`, `PERDURE_IO` */
  static async open(path: string, options: StorageOpenOptions = {}): Promise<JsonLinesStorage> {
    const { serializer, readonly = false, createIfMissing = !readonly } = options
    const contents = await readContents(path, createIfMissing, serializer ?? 'v8')
    if (serializer !== undefined && serializer !== contents.title.serializer) {
      throw new PerdureError('PERDURE_SERIALIZER', `${path} was created with "${contents.title.serializer}".`)
    }
    const file = await openFile(path, readonly ? 'r' : 'r+')
    const storage = new JsonLinesStorage(path, contents, file, readonly)
    for (const { writes } of contents.lines) await storage.#replay(writes)
    // What is behind the last whole line was never acknowledged.
    if (!readonly) await file.truncate(contents.end)
    return storage
  }

  async #replay(writes: Line['writes']): Promise<void> {
    const base = this.statistics().tid
    await super.commit({
      base,
      reads: [],
      writes: writes.map(([oid, data]) => ({ oid, data: Buffer.from(data, 'base64') })),
    })
  }

  override commit(request: CommitRequest): Promise<CommitResult> {
    const writes = request.writes.map(({ oid, data }) => ({ oid, data: Uint8Array.from(data) }))
    const copy = { ...request, reads: [...request.reads], writes }
    const result = this.#queue.then(() => this.#commit(copy))
    this.#queue = result.catch(() => undefined)
    return result
  }

  async #commit(request: CommitRequest): Promise<CommitResult> {
    if (this.readonly && request.writes.length > 0) {
      throw new PerdureError('PERDURE_READONLY', `${this.location} was opened readonly.`)
    }
    if (this.#failure !== undefined) throw this.#failure
    const touched = [...request.reads, ...request.writes.map(({ oid }) => oid)]
    const check = await super.commit({ base: request.base, reads: touched, writes: [] })
    if (check.conflicts !== undefined || request.writes.length === 0) return check
    await this.#append({ writes: request.writes.map(({ oid, data }) => [oid, Buffer.from(data).toString('base64')]) })
    return super.commit(request)
  }

  async #append(line: Line): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    try {
      await this.#file.write(bytes, 0, bytes.length, this.#end)
      await this.#file.datasync()
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

  override async close(): Promise<void> {
    await this.#queue
    await super.close()
    await this.#file.close().catch(() => undefined)
  }
}

/** A file, taken apart. */
interface Contents {
  readonly title: Title
  readonly lines: readonly Line[]
  /** Where the last whole line ends, in bytes. */
  readonly end: number
}

async function readContents(path: string, create: boolean, serializer: string): Promise<Contents> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT')
      throw new PerdureError('PERDURE_IO', `${path} cannot be read: ${cause.message}`, { cause })
    if (!create) throw new PerdureError('PERDURE_NOT_FOUND', `There is no database at ${path}.`, { cause })
    return createText(path, serializer)
  })
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const [title, ...lines] = whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => parse(path, line, i))
  return { title: title as Title, lines: lines as Line[], end: Buffer.byteLength(whole) }
}

async function createText(path: string, serializer: string): Promise<string> {
  const text = `${JSON.stringify({ format: FORMAT, serializer } satisfies Title)}\n`
  await using file = await openFile(path, 'wx')
  await file.writeFile(text)
  await file.sync()
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
  async open(path, options) {
    if (path !== undefined) return JsonLinesStorage.open(path, options)
    throw new PerdureError('PERDURE_UNSUPPORTED', 'A database of JSON lines needs a path.')
  },
}
