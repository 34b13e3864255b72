import { open } from '../../src/open.js'
import { Client } from './client.js'
import type { Clock } from './clock.js'
import { type AppendList, listClasses } from './lists.js'
import type { FromProcess, ProcessTask, ToProcess } from './process-messages.js'

/** A process that runs clients of a workload on a storage that a server has. Its parent has the tickets. */
const waiting: ((ticket: number) => void)[] = []

/** The clock of the machine is the same for all processes, and does not go back. */
const clock: Clock = {
  tick: () => Number(process.hrtime.bigint()),
  ticket: () =>
    new Promise<number>((resolve) => {
      waiting.push(resolve)
      tell('ticket')
    }),
}

function tell(message: FromProcess): void {
  process.send?.(message)
}

async function run({ url, clients, options }: ProcessTask): Promise<void> {
  const database = await open<Record<string, AppendList>>(url, { classes: listClasses })
  const histories = await Promise.all(clients.map((number) => new Client(database, clock, options, number).run()))
  await database.close()
  tell({ history: histories.flat() })
}

process.on('message', (message: ToProcess) => {
  if ('task' in message) void run(message.task)
  else waiting.shift()?.(message.ticket)
})
