import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type { Isolation } from '../../src/core/connection-options.js'
import { open } from '../../src/open.js'
import { runSeed } from '../../src/testing/random.js'
import { Servers } from '../support/servers.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { checkHistory } from './checker.js'
import { expectContention, kindsOf } from './contention.js'
import type { History, Transaction } from './history.js'
import { type AppendList, createLists, listClasses, listCount } from './lists.js'
import type { FromProcess, ProcessTask, ToProcess } from './process-messages.js'
import { readAll } from './workload.js'

const CLIENT_PROCESS = fileURLToPath(new URL('./client-process.js', import.meta.url))
const TRANSACTIONS = 1500
const PROCESSES = 3
const CLIENTS = 2

const seed = runSeed()

describe(`isolation among processes (PERDURE_SEED=${seed})`, () => {
  let servers: Servers
  let directory: TemporaryDirectory

  beforeEach(() => {
    servers = new Servers()
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    await servers.kill()
    directory.remove()
  })

  for (const durability of ['fsync', undefined] as const) {
    const behind = durability === undefined ? 'MemoryStorage' : 'FileStorage'

    async function record(isolation: Isolation): Promise<History> {
      const path = durability && directory.join('a.perdure')
      const { url } = await servers.serve({ path, ...(durability && { durability }) })
      return recordHistory(url, isolation)
    }

    it(`is strictly serializable with a ${behind} behind the server`, async () => {
      const history = await record('serializable')
      const verdict = checkHistory(history)
      expect(verdict.anomalies).to.deep.equal([])
      expectContention(history, verdict)
    })

    it(`lets at most write skew pass with snapshot isolation and a ${behind}`, async () => {
      const kinds = kindsOf(checkHistory(await record('snapshot')))
      expect(kinds.filter((kind) => kind !== 'G2')).to.deep.equal([])
    })
  }

  async function recordHistory(url: string, isolation: Isolation): Promise<History> {
    await using database = await open<Record<string, AppendList>>(url, { classes: listClasses })
    await createLists(database, listCount(TRANSACTIONS))
    let tickets = 0
    const options = { seed, transactions: TRANSACTIONS, isolation }
    const histories = await Promise.all(
      Array.from({ length: PROCESSES }, (_, i) => {
        const clients = Array.from({ length: CLIENTS }, (_, j) => i * CLIENTS + j)
        return runProcess({ url, clients, options }, () => tickets++)
      }),
    )
    const clock = { tick: () => Number(process.hrtime.bigint()), ticket: () => tickets++ }
    return [...histories.flat(), await readAll(database, clock, listCount(TRANSACTIONS))]
  }
})

function runProcess(task: ProcessTask, nextTicket: () => number): Promise<readonly Transaction[]> {
  const child = fork(CLIENT_PROCESS)
  const tell = (message: ToProcess) => child.send(message)
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`A process of clients has ended with ${code}.`)))
    child.on('message', (message: FromProcess) => {
      if (message === 'ticket') {
        tell({ ticket: nextTicket() })
      } else {
        resolve(message.history)
        child.disconnect()
      }
    })
    tell({ task })
  })
}
