import type { Storage } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/index.js'
import { DurusClient, type DurusObject } from './durus-client.js'
import { DurusServer, type DurusServerOptions } from './durus-server.js'

/** A root as Durus makes it. */
export const DURUS_ROOT: DurusObject = { oid: 0, data: '\x80\x02cdurus.persistent_dict\nPersistentDict\nq\x00.{}' }

/** The servers, storages and clients of one test, to be closed in `afterEach`. */
export class DurusStage {
  readonly #closing: (() => Promise<void>)[] = []

  /** A server of a storage, by default an empty one in memory, which is closed with it. */
  async start(options: DurusServerOptions = {}, storage?: Storage): Promise<DurusServer> {
    const served = storage ?? new MemoryStorage({ serializer: 'pickle' })
    const server = new DurusServer(served, options)
    await server.listen()
    this.#closing.push(async () => {
      await server.close()
      await served.close()
    })
    return server
  }

  async connect({ port }: DurusServer): Promise<DurusClient> {
    const client = await DurusClient.connect(port)
    this.#closing.push(async () => {
      client.socket.destroy()
    })
    return client
  }

  /** A server whose database has a root, and the client that has made it. */
  async startWithRoot(options?: DurusServerOptions, storage?: Storage) {
    const server = await this.start(options, storage)
    const client = await this.connect(server)
    const answer = await client.commit(DURUS_ROOT)
    if (answer !== 'O') throw new Error(`The root was not stored: ${answer}`)
    return { server, client, connect: () => this.connect(server) }
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
  }
}
