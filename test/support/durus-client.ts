import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A Durus record. */
export interface DurusObject {
  readonly oid: number
  readonly data: string
  readonly references?: readonly number[]
}

/** What `L` and `B` answer: the record's bytes, or the letter of a status. */
export type Loaded = Buffer | 'K' | 'I'

export function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function int8(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export function durusRecord({ oid, data, references = [] }: DurusObject): Buffer {
  const bytes = Buffer.from(data, 'latin1')
  return Buffer.concat([int8(oid), int4(bytes.length), bytes, ...references.map(int8)])
}

/** A transaction as it follows the list that answers `C`. */
export function durusTransaction(objects: readonly DurusObject[]): Buffer {
  const parts = objects.flatMap((object) => {
    const record = durusRecord(object)
    return [int4(8 + record.length), int8(object.oid), record]
  })
  const bytes = Buffer.concat(parts)
  return Buffer.concat([int4(bytes.length), bytes])
}

/** A client of protocol 1 for tests, which can also send what no client should. */
export class DurusClient {
  readonly socket: Socket
  #chunks: Buffer[] = []
  #length = 0
  #wake = () => {}
  #ended = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      this.#chunks.push(bytes)
      this.#length += bytes.length
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  static async raw(port: number): Promise<DurusClient> {
    const client = new DurusClient(connect(port, '127.0.0.1'))
    await once(client.socket, 'connect')
    return client
  }

  static async connect(port: number): Promise<DurusClient> {
    const client = await DurusClient.raw(port)
    client.send('V', int4(1))
    await client.#expect(int4(1))
    return client
  }

  send(...parts: readonly (string | Buffer)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))))
  }

  async read(count: number): Promise<Buffer> {
    while (this.#length < count) {
      if (this.#ended) throw new Error(`The server has closed the connection after ${this.#length} bytes.`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const received = Buffer.concat(this.#chunks)
    this.#chunks = [received.subarray(count)]
    this.#length -= count
    return received.subarray(0, count)
  }

  /** What the server still sends until it closes the connection. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return Buffer.concat(this.#chunks)
  }

  async newOid(): Promise<number> {
    this.send('N')
    return Number((await this.read(8)).readBigUInt64BE())
  }

  async newOids(count: number): Promise<number[]> {
    this.send('M', Buffer.of(count))
    return this.#readOids(count)
  }

  async load(oid: number | bigint): Promise<Loaded> {
    this.send('L', int8(oid))
    return this.#readLoaded()
  }

  async bulkLoad(oids: readonly number[]): Promise<Loaded[]> {
    this.send('B', int4(oids.length), ...oids.map(int8))
    const loaded: Loaded[] = []
    for (const _ of oids) loaded.push(await this.#readLoaded())
    return loaded
  }

  async sync(): Promise<number[]> {
    this.send('S')
    return this.#readOids((await this.read(4)).readUInt32BE())
  }

  /** Asks to commit, and returns what has changed. The transaction has to follow. */
  async beginCommit(): Promise<number[]> {
    this.send('C')
    return this.#readOids((await this.read(4)).readUInt32BE())
  }

  async finishCommit(objects: readonly DurusObject[]): Promise<string> {
    this.send(durusTransaction(objects))
    return (await this.read(1)).toString()
  }

  giveUp(): void {
    this.send(int4(0))
  }

  /** Commits without a look at what has changed. */
  async commit(...objects: readonly DurusObject[]): Promise<string> {
    await this.beginCommit()
    return this.finishCommit(objects)
  }

  async pack(): Promise<string> {
    this.send('P')
    return (await this.read(1)).toString()
  }

  async close(): Promise<void> {
    this.send('.')
    await this.rest()
  }

  async #readOids(count: number): Promise<number[]> {
    const bytes = await this.read(8 * count)
    return Array.from({ length: count }, (_, i) => Number(bytes.readBigUInt64BE(8 * i)))
  }

  async #readLoaded(): Promise<Loaded> {
    const status = (await this.read(1)).toString()
    if (status === 'O') return this.read((await this.read(4)).readUInt32BE())
    if (status === 'K' || status === 'I') return status
    throw new Error(`The server has answered ${JSON.stringify(status)}.`)
  }

  async #expect(bytes: Buffer): Promise<void> {
    const received = await this.read(bytes.length)
    if (!received.equals(bytes)) throw new Error(`The server has answered ${received.toString('hex')}.`)
  }
}
