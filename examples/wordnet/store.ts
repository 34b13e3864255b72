import { BTree, type Database } from 'perdure'
import { Synset, Word, type WordNet } from './model.js'
import type { SynsetEntry, SynsetKey } from './parse.js'
import type { Progress } from './progress.js'
import type { Source } from './source.js'

/** How many words, or synsets, one transaction stores: enough for few syncs, few enough to hold in memory. */
const BATCH = 10_000

/**
 * Stores WordNet in two passes. An object is stored along with all it refers to, so if the synsets had their
 * relations at once, the first commit would have to store every one of them.
 */
export async function storeSource(db: Database<WordNet>, source: Source, progress: Progress): Promise<void> {
  const connection = await db.connect()
  const stored = new Map<SynsetKey, Synset>()
  const words = new BTree<string, Word>()
  connection.root.set('words', words)

  const synsetOf = (key: SynsetKey): Synset => {
    let synset = stored.get(key)
    if (synset === undefined) {
      synset = newSynset(source.synsets.get(key) as SynsetEntry)
      stored.set(key, synset)
    }
    return synset
  }

  progress.begin('words and their synsets', source.words.size)
  for (const batch of batches(source.words.values())) {
    for (const { lemma, senses } of batch) {
      words.set(lemma, Object.assign(new Word(), { lemma, senses: senses.map(synsetOf) }))
    }
    await connection.commit({ note: 'words' })
    progress.advance(batch.length)
  }
  progress.end()

  progress.begin('relations between synsets', source.synsets.size)
  for (const batch of batches(source.synsets.values())) {
    for (const entry of batch) relate(entry, stored)
    await connection.commit({ note: 'relations' })
    progress.advance(batch.length)
  }
  progress.end()
  await connection.close()
}

function newSynset({ offset, partOfSpeech, lexicographerFile, words, gloss }: SynsetEntry): Synset {
  return Object.assign(new Synset(), { offset, partOfSpeech, lexicographerFile, words, gloss })
}

function relate(entry: SynsetEntry, synsets: ReadonlyMap<SynsetKey, Synset>): void {
  const relations: Synset['relations'] = {}
  for (const { relation, target } of entry.pointers) {
    const synset = synsets.get(target)
    if (synset === undefined) continue
    relations[relation] ??= []
    relations[relation].push(synset)
  }
  const synset = synsets.get(entry.key)
  if (synset !== undefined) synset.relations = relations
}

function* batches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length === BATCH) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
