import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { answerOf } from './serving.mjs'

const IDLE = fileURLToPath(new URL('./idle-process.mjs', import.meta.url))

/** Lets another process open `count` connections that do nothing. Returns a function that closes them. */
export async function connectIdle(url, count) {
  const child = fork(IDLE, [JSON.stringify({ port: Number(new URL(url).port), count })])
  await answerOf(child)
  return async () => {
    const exit = once(child, 'exit')
    child.disconnect()
    await exit
  }
}
