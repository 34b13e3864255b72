import { type BTree, Persistent, type Root } from 'perdure'
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

/** What the root object holds: all words by lemma, from which every other object is reached. */
export interface Entries {
  words: BTree<string, Word>
}

export type WordNet = Root<Entries>
