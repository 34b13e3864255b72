import { parseArgs } from 'node:util'

export const PEERS = ['perdure', 'perdure-server', 'raw-file', 'lmdb', 'better-sqlite3', 'classic-level']

export const usage = (suites) => `Usage: npm run bench -- [options]

  --suite NAMES      only these, separated by commas: ${suites.join(', ')};
                     a name stands for all that begin with it and a hyphen, too: server
  --only PEERS       only these, separated by commas: ${PEERS.join(', ')}
  --objects N        accounts in the database (100000; index: 1000000)
  --rounds N         measurements of each figure, of which the median counts (3)
  --quick            a tenth of the objects, one round: to see that it runs
  --directory PATH   where the databases are made, and removed; on the kind of disk to be measured (bench/results)
  --json             print the results as JSON instead of tables
  --help             show this`

/** What the user asked for cannot be done; the message says why. */
export class UsageError extends Error {}

/**
 * @param suites names of all suites
 * @throws UsageError
 */
export function parseOptions(args, suites) {
  const { values } = parse(args)
  const quick = values.quick === true
  const objects = positiveInteger('objects', values.objects)
  return {
    help: values.help === true,
    json: values.json === true,
    quick,
    suites: suitesIn(values.suite, suites) ?? suites,
    peers: namesIn('only', values.only, PEERS),
    objects: objects ?? (quick ? 10_000 : 100_000),
    /** Suites that have a number of their own keep to it. */
    usualObjects: objects === undefined,
    rounds: positiveInteger('rounds', values.rounds) ?? (quick ? 1 : 3),
    directory: values.directory,
  }
}

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        suite: { type: 'string' },
        only: { type: 'string' },
        objects: { type: 'string' },
        rounds: { type: 'string' },
        quick: { type: 'boolean' },
        directory: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError(error.message)
  }
}

function namesIn(option, text, known) {
  if (text === undefined) return undefined
  const names = text.split(',')
  for (const name of names) {
    if (!known.includes(name))
      throw new UsageError(`--${option} takes ${known.join(', ')}; it does not know ${JSON.stringify(name)}.`)
  }
  return names
}

/** The suites that a text names, and those of the groups that it names. */
function suitesIn(text, suites) {
  const groups = new Set(suites.filter((name) => name.includes('-')).map((name) => name.split('-')[0]))
  const named = namesIn('suite', text, [...suites, ...groups])
  return named && suites.filter((name) => named.includes(name) || named.includes(name.split('-')[0]))
}

function positiveInteger(option, text) {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--${option} is a whole number from 1 on, not ${JSON.stringify(text)}.`)
}
