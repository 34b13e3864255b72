import { type BTree, Persistent } from 'perdure'
import type { PartOfSpeech, RelationName } from './format.js'

/** A set of words with one meaning. Synsets refer to each other in many ways, in circles too. */
export class Synset extends Persistent {
  /** Where WordNet's own file has it, in bytes. */
  offset = 0
  partOfSpeech: PartOfSpeech = 'noun'
  lexicographerFile = ''
  /** As they are written: with capitals, and spaces between. */
  words: string[] = []
  gloss = ''
  relations: Partial<Record<RelationName, Synset[]>> = {}
}

/** A word in lower case, with all it can mean. */
export class Word extends Persistent {
  lemma = ''
  /** Of each part of speech, the most frequent first. */
  senses: Synset[] = []
}

/** The root object: every other one is reached from the words. */
export interface Root {
  get(key: 'words'): BTree<string, Word>
  set(key: 'words', words: BTree<string, Word>): unknown
}
