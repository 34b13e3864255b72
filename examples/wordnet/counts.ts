import type { Connection } from 'perdure'
import { FILE_ENDINGS, FILE_OF_LETTER } from './format.js'
import { Synset, Word, type WordNet } from './model.js'
import { readLines } from './source.js'

/** What the files and the database must agree on. */
export interface Counts {
  synsets: number
  words: number
  /** Pairs of a word and a synset it stands for. */
  senses: number
  /** Relations between synsets, counted once for each direction WordNet has them in. */
  pointers: number
}

/** Counts in WordNet's files by patterns, on purpose without the parser, whose work it checks. */
export function countSource(limit: number): Counts {
  const data = FILE_ENDINGS.map((file) =>
    readLines('data', file)
      .slice(0, limit)
      .map((line) => ({ file, line })),
  )
  const lines = data.flat()
  const keys = new Set(lines.map(({ file, line }) => `${file}:${line.slice(0, 8)}`))
  let pointers = 0
  for (const { line } of lines) {
    for (const [, offset, letter] of line.matchAll(/ \S{1,2} (\d{8}) ([nvasr]) [\da-f]{4}(?= )/g)) {
      if (keys.has(`${FILE_OF_LETTER[letter ?? '']}:${offset}`)) pointers++
    }
  }
  const words = new Set<string>()
  let senses = 0
  for (const file of FILE_ENDINGS) {
    for (const line of readLines('index', file)) {
      const found = (line.match(/ \d{8}(?= )/g) ?? []).filter((offset) => keys.has(`${file}:${offset.trim()}`))
      if (found.length > 0) words.add(line.slice(0, line.indexOf(' ')))
      senses += found.length
    }
  }
  return { synsets: keys.size, words: words.size, senses, pointers }
}

/** Counts by walking over every object that can be reached from the root. */
export async function countDatabase(connection: Connection<WordNet>): Promise<Counts & { objects: number }> {
  const counts = { synsets: 0, words: 0, senses: 0, pointers: 0, objects: 0 }
  for await (const object of connection.crawl()) {
    counts.objects++
    if (object instanceof Synset) {
      counts.synsets++
      for (const related of Object.values(object.relations)) counts.pointers += related.length
    } else if (object instanceof Word) {
      counts.words++
      counts.senses += object.senses.length
    }
  }
  return counts
}
