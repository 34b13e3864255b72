/*
 * What the numbers and symbols in WordNet's files mean.
 * https://wordnet.princeton.edu/documentation/wndb5wn, wninput5wn, lexnames5wn
 */

/** What `data.` and `index.` files end with: one of each for a part of speech. */
export const FILE_ENDINGS = ['noun', 'verb', 'adj', 'adv'] as const

export type FileEnding = (typeof FILE_ENDINGS)[number]

/** The file in which a pointer's target is, by the letter in the pointer. */
export const FILE_OF_LETTER: Readonly<Record<string, FileEnding>> = {
  n: 'noun',
  v: 'verb',
  a: 'adj',
  s: 'adj',
  r: 'adv',
}

export type PartOfSpeech = 'noun' | 'verb' | 'adjective' | 'adjective satellite' | 'adverb'

/** By the letter of a synset. */
export const PARTS_OF_SPEECH: Readonly<Record<string, PartOfSpeech>> = {
  n: 'noun',
  v: 'verb',
  a: 'adjective',
  s: 'adjective satellite',
  r: 'adverb',
}

const RELATION_OF_SYMBOL = {
  '!': 'antonym',
  '@': 'hypernym',
  '@i': 'instanceHypernym',
  '~': 'hyponym',
  '~i': 'instanceHyponym',
  '#m': 'memberHolonym',
  '#s': 'substanceHolonym',
  '#p': 'partHolonym',
  '%m': 'memberMeronym',
  '%s': 'substanceMeronym',
  '%p': 'partMeronym',
  '=': 'attribute',
  '+': 'derivation',
  ';c': 'topic',
  '-c': 'topicMember',
  ';r': 'region',
  '-r': 'regionMember',
  ';u': 'usage',
  '-u': 'usageMember',
  '*': 'entailment',
  '>': 'cause',
  '^': 'alsoSee',
  $: 'verbGroup',
  '&': 'similar',
  '<': 'participle',
  '\\': 'pertainym',
} as const

export type RelationName = (typeof RELATION_OF_SYMBOL)[keyof typeof RELATION_OF_SYMBOL]

/** By the symbol of a pointer. */
export const RELATIONS: Readonly<Record<string, RelationName>> = RELATION_OF_SYMBOL

/** The files in which lexicographers wrote the synsets, by number: one for each field of meaning. */
export const LEXICOGRAPHER_FILES: readonly string[] = [
  'adj.all',
  'adj.pert',
  'adv.all',
  'noun.Tops',
  'noun.act',
  'noun.animal',
  'noun.artifact',
  'noun.attribute',
  'noun.body',
  'noun.cognition',
  'noun.communication',
  'noun.event',
  'noun.feeling',
  'noun.food',
  'noun.group',
  'noun.location',
  'noun.motive',
  'noun.object',
  'noun.person',
  'noun.phenomenon',
  'noun.plant',
  'noun.possession',
  'noun.process',
  'noun.quantity',
  'noun.relation',
  'noun.shape',
  'noun.state',
  'noun.substance',
  'noun.time',
  'verb.body',
  'verb.change',
  'verb.cognition',
  'verb.communication',
  'verb.competition',
  'verb.consumption',
  'verb.contact',
  'verb.creation',
  'verb.emotion',
  'verb.motion',
  'verb.perception',
  'verb.possession',
  'verb.social',
  'verb.stative',
  'verb.weather',
  'adj.ppl',
]
