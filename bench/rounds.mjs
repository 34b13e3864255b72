import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './statistics.mjs'
import { syncedBy } from './stores.mjs'

const CHILD = fileURLToPath(new URL('./measure.mjs', import.meta.url))
const TIME_LIMIT_MS = 10 * 60_000

/**
 * Measures one suite: each contestant once a round, one after the other, so that a slow minute of the machine
 * hits all of them alike.
 *
 * @param settings `objects`, `usualObjects`, `rounds`, `quick`, `directory` for the databases, `peers` to which to keep, `say`
 * @returns one row for each contestant, with the median of the rounds
 */
export async function measureSuite(name, suite, settings) {
  const contestants = contestantsOf(suite, settings)
  for (const contestant of contestants) await prepare(name, suite, contestant, settings)
  for (let round = 0; round < settings.rounds; round++) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      settings.say(`${name}: round ${round + 1} of ${settings.rounds}: ${contestant.name}`)
      const path = contestant.path ?? join(settings.directory, `${contestant.peer.replace(/\W/g, '')}-${name}-${round}`)
      contestant.values.push(await runTask({ action: 'measure', suite: name, ...contestant, path }))
    }
  }
  return Promise.all(contestants.map((contestant) => rowOf(suite, contestant)))
}

function contestantsOf(suite, { objects, usualObjects, quick, peers }) {
  const usual = (usualObjects && suite.objects?.({ quick })) || objects
  return suite.peers
    .filter((peer) => peers === undefined || peers.includes(peer) || suite.unit === 'ns')
    .flatMap((peer) => {
      const sizes = suite.sizes?.({ peer, quick, objects: usual }) ?? [usual]
      return sizes.flatMap((size) => {
        const name = suite.sizes === undefined ? peer : `${peer} ${size.toLocaleString('en')}`
        const task = { peer, objects: usual, size, quick }
        if (suite.variants === undefined) return [{ ...task, name, values: [] }]
        return suite.variants.map((variant) => ({ ...task, name: variant, variant, values: [] }))
      })
    })
}

/** Makes the database that a contestant works on, unless an earlier suite that shares it has done so. */
async function prepare(name, suite, contestant, { directory, say }) {
  const database = suite.needs(contestant)
  if (database === undefined) return
  const owner = database.owner ?? (database.shared ? 'shared' : name)
  contestant.path = join(directory, `${contestant.peer}-${owner}-${database.objects}`)
  if (existsSync(contestant.path)) return
  say(`${name}: storing ${database.objects.toLocaleString('en')} objects in ${contestant.peer}`)
  await runTask({ action: 'prepare', peer: contestant.peer, path: contestant.path, database })
}

async function rowOf(suite, { name, peer, size, values }) {
  const synced = suite.durability === undefined ? undefined : await syncedBy(peer, suite.durability)
  return { name, objects: size, unit: suite.unit, median: median(values), values, synced }
}

/** @throws Error if the process ends without a figure, or takes too long */
async function runTask(task) {
  const child = fork(CHILD, [JSON.stringify(task)], { execArgv: ['--expose-gc'], timeout: TIME_LIMIT_MS })
  let result
  child.once('message', (message) => {
    result = message
  })
  const [code, signal] = await once(child, 'close')
  if (code === 0 && result !== undefined) return result
  throw new Error(
    `${task.action} ${task.suite ?? ''} with ${task.peer} ended with ${signal ?? `code ${code}`} (see above).`,
  )
}
