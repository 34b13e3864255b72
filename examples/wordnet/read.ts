import { isDeepStrictEqual } from 'node:util'
import { type Connection, open } from 'perdure'
import { countDatabase, countSource } from './counts.js'
import { type Entries, Synset, Word, type WordNet } from './model.js'
import { type Options, UsageError } from './options.js'
import { hypernymPath, type Step, shortestPath } from './paths.js'

/** The second process: knows nothing but the file, and finds in it what the first one stored. */
export async function read({ file, limit, word, other }: Options): Promise<void> {
  const openingAtMs = performance.now()
  await using db = await open<Entries>(file, { classes: [Synset, Word] })
  await using connection = await db.connect({ readonly: true })
  console.log(`Reading ${file} in process ${process.pid}, open after ${elapsed(openingAtMs)}`)

  const start = timed(`look up "${word}"`, () => lookUp(connection, word))
  for (const synset of start.senses) console.log(`    ${synset.partOfSpeech}: ${title(synset)}: ${synset.gloss}`)
  const upwards = timed('hypernyms of its first sense', () => hypernymPath(start.senses[0] as Synset))
  console.log(formatPath(upwards))
  const goal = lookUp(connection, other)
  const between = timed(`shortest path to "${other}"`, () => shortestPath(start.senses, goal.senses))
  console.log(between === undefined ? '    there is none' : formatPath(between))

  await verify(connection, limit)
}

async function verify(connection: Connection<WordNet>, limit: number): Promise<void> {
  const crawlingAtMs = performance.now()
  const { objects, ...stored } = await countDatabase(connection)
  const seconds = (performance.now() - crawlingAtMs) / 1000
  const rate = Math.round(objects / seconds)
  console.log(`  walk over all ${format(objects)} objects: ${seconds.toFixed(1)} s (${format(rate)}/s)`)
  const expected = countSource(limit)
  const shown = Object.entries(stored).map(([what, count]) => `${format(count)} ${what}`)
  if (!isDeepStrictEqual(stored, expected)) {
    throw new Error(`Stored: ${JSON.stringify(stored)}. In WordNet's files: ${JSON.stringify(expected)}.`)
  }
  console.log(`  verified against WordNet's files: ${shown.join(', ')}`)
}

function lookUp(connection: Connection<WordNet>, lemma: string): Word {
  const word = connection.root.get('words')?.get(lemma)
  if (word === undefined) throw new UsageError(`The database has no word ${JSON.stringify(lemma)}.`)
  return word
}

function formatPath(path: readonly Step[]): string {
  return path
    .map(({ relation, synset }) => `    ${relation === undefined ? '' : `-${relation}-> `}${title(synset)}`)
    .join('\n')
}

function title(synset: Synset): string {
  return synset.words.join(', ')
}

function timed<T>(label: string, work: () => T): T {
  const startedAtMs = performance.now()
  const result = work()
  console.log(`  ${label}: ${elapsed(startedAtMs)}`)
  return result
}

function elapsed(sinceMs: number): string {
  return `${(performance.now() - sinceMs).toFixed(1)} ms`
}

function format(count: number): string {
  return count.toLocaleString('en')
}
