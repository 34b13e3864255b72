import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FromServers, ServeRequest, ToServers } from './server-messages.js'

/** A server in another process. */
export interface RunningServer {
  readonly url: string
  /** Ends it in good order. */
  stop(): Promise<void>
}

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never

/** A process that runs servers, since a thread that waits for a server cannot be one. */
export class Servers {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (message: FromServers) => void>()
  #lastId = 0

  constructor() {
    this.#process = fork(fileURLToPath(new URL('./server-process.js', import.meta.url)))
    this.#process.on('message', (message: FromServers) => {
      this.#waiting.get(message.id)?.(message)
      this.#waiting.delete(message.id)
    })
  }

  get pid(): number {
    return this.#process.pid as number
  }

  async serve(request: Omit<ServeRequest, 'type' | 'id'> = {}): Promise<RunningServer> {
    const { server, url } = await this.#ask({ type: 'serve', ...request })
    return {
      url: url as string,
      stop: async () => {
        await this.#ask({ type: 'stop', server: server as number })
      },
    }
  }

  /** Ends the process at once, with all its servers. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  async #ask(message: Unnumbered<ToServers>): Promise<FromServers> {
    const id = ++this.#lastId
    const answer = new Promise<FromServers>((resolve) => this.#waiting.set(id, resolve))
    this.#process.send({ ...message, id })
    const reply = await answer
    if (reply.error !== undefined) throw new Error(`The server process: ${reply.error}`)
    return reply
  }
}
