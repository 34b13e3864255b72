import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeMachine } from './machine.mjs'
import { PEERS, parseOptions, UsageError, usage } from './options.mjs'
import { installPeers } from './peers-installed.mjs'
import { formatSuite, formatTargets } from './report.mjs'
import { judge } from './targets.mjs'

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url))
/** What can be measured without the stores of bench/package.json. */
const OWN = ['perdure', 'perdure-server', 'raw-file']

const BUILT = fileURLToPath(new URL('../dist/bench/accounts.js', import.meta.url))

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\nTry --help.`)
  process.exitCode = 2
}

async function main(args) {
  if (!existsSync(BUILT)) throw new UsageError('Perdure has not been built. Run npm run build first.')
  const { SUITES } = await import('./suites.mjs')
  const options = parseOptions(args, Object.keys(SUITES))
  if (options.help) {
    console.log(usage(Object.keys(SUITES)))
    return 0
  }
  if (needsOthers(SUITES, options) && !installPeers()) {
    console.error('The other stores could not be installed (see above). Perdure alone: --only perdure,raw-file')
    return 1
  }
  mkdirSync(RESULTS, { recursive: true })
  const parent = options.directory ?? RESULTS
  const directory = mkdtempSync(join(parent, 'databases-'))
  try {
    return await report(SUITES, { ...options, directory })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function report(suites, options) {
  const { measureSuite } = await import('./rounds.mjs')
  const machine = describeMachine(options.directory)
  const { objects, rounds, quick, json } = options
  const results = {
    date: new Date().toISOString(),
    machine,
    settings: { objects, rounds, quick },
    suites: {},
    targets: [],
  }
  const print = json ? () => {} : (text) => console.log(text)
  print(
    `${Object.values(machine).slice(0, 4).join(', ')} cores, ${machine.fileSystem}; ${objects} objects, ${rounds} rounds`,
  )
  if (machine.fileSystem === 'tmpfs')
    print('The databases are in memory: what is synced here costs nothing. See --directory.')

  const figures = new Map()
  for (const name of options.suites) {
    const rows = await measureSuite(name, suites[name], { ...options, say: progressLine })
    progressLine('')
    for (const row of rows) figures.set(`${name}/${row.name}`, row)
    results.suites[name] = { title: suites[name].title, rows }
    if (rows.length > 0) print(formatSuite(suites[name], rows))
  }
  results.targets = judge(figures)
  print(formatTargets(results.targets))
  const file = join(RESULTS, `${results.date.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  if (json) console.log(JSON.stringify(results, null, 2))
  else print(`\nAll figures: ${file}`)
  return 0
}

function needsOthers(suites, { suites: names, peers }) {
  const others = PEERS.filter((peer) => !OWN.includes(peer) && (peers === undefined || peers.includes(peer)))
  return names.some((name) => suites[name].peers.some((peer) => others.includes(peer)))
}

/** One line that is written over; only where somebody looks at it. */
function progressLine(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
