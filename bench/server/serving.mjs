import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const SERVER = fileURLToPath(new URL('./server-process.mjs', import.meta.url))

/** A server of one database in a process of its own, which ends with this one. */
export class Serving {
  #child

  constructor(child, url) {
    this.#child = child
    this.url = url
  }

  /** @param durability `fsync` or `os` */
  static async start(path, durability = 'fsync') {
    const child = fork(SERVER, [JSON.stringify({ path, durability })], { execArgv: ['--expose-gc'] })
    const { url } = await answerOf(child)
    // It does not keep this process from ending.
    child.unref()
    child.channel.unref()
    return new Serving(child, url)
  }

  /** Memory the server holds after a collection, in bytes: `{ rss, heapUsed, external }`. */
  async memory() {
    this.#child.channel.ref()
    this.#child.send('memory')
    const memory = await answerOf(this.#child)
    this.#child.channel.unref()
    return memory
  }

  async stop() {
    this.#child.ref()
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }
}

/** @throws Error if the process ends instead */
export async function answerOf(child) {
  const ended = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message),
      once(child, 'exit', { signal: ended.signal }).then(([code, signal]) => {
        throw new Error(`A process of the benchmark ended with ${signal ?? `code ${code}`} (see above).`)
      }),
    ])
  } finally {
    ended.abort()
  }
}
