import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { answerOf } from './serving.mjs'

const CLIENT = fileURLToPath(new URL('./client-process.mjs', import.meta.url))

/**
 * Lets some client processes work at the same time, each for `seconds`, after a warm-up of a third of that.
 *
 * @param work name of a function of client-work.mjs
 * @returns what each of them answers
 */
export async function workTogether({ url, count, work, seconds }) {
  const clients = Array.from({ length: count }, (_, number) =>
    fork(CLIENT, [JSON.stringify({ url, number, work, seconds })], { serialization: 'advanced' }),
  )
  // Nobody begins, or goes on from the warm-up, before all are ready.
  await Promise.all(clients.map((client) => answerOf(client)))
  for (const client of clients) client.send('warm up')
  await Promise.all(clients.map((client) => answerOf(client)))
  for (const client of clients) client.send('work')
  const answers = await Promise.all(clients.map((client) => answerOf(client)))
  await Promise.all(
    clients.map(async (client) => {
      const exit = once(client, 'exit')
      client.disconnect()
      await exit
    }),
  )
  return answers
}
