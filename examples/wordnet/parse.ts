import {
  FILE_OF_LETTER,
  type FileEnding,
  LEXICOGRAPHER_FILES,
  PARTS_OF_SPEECH,
  type PartOfSpeech,
  RELATIONS,
  type RelationName,
} from './format.js'

/** Names one synset: the file it is in and its byte offset there, as `noun:02086723`. */
export type SynsetKey = string

/** One line of a `data.` file. */
export interface SynsetEntry {
  readonly key: SynsetKey
  readonly offset: number
  readonly partOfSpeech: PartOfSpeech
  readonly lexicographerFile: string
  readonly words: readonly string[]
  readonly pointers: readonly Pointer[]
  readonly gloss: string
}

/** WordNet also says which words of the two synsets some pointers hold between; that is left out here. */
export interface Pointer {
  readonly relation: RelationName
  readonly target: SynsetKey
}

/** One line of an `index.` file. */
export interface IndexEntry {
  readonly lemma: string
  /** The most frequent sense first. */
  readonly senses: readonly SynsetKey[]
}

const HEXADECIMAL = 16

/**
 * Parses a line of `data.noun`, `data.verb`, `data.adj` or `data.adv`:
 *
 * ```
 * synset_offset lex_filenum ss_type w_cnt word lex_id [word lex_id...] p_cnt [ptr...] [frames...] | gloss
 * ```
 *
 * where each `ptr` is `pointer_symbol synset_offset pos source/target`. All numbers are decimal but `w_cnt`.
 *
 * @throws Error if a symbol in it is not one of WordNet's
 */
export function parseSynset(line: string, file: FileEnding): SynsetEntry {
  const bar = line.indexOf('|')
  const fields = new Fields(line.slice(0, bar))
  const offset = fields.next()
  const lexicographerFile = known(LEXICOGRAPHER_FILES[Number(fields.next())], 'lexicographer file', line)
  const partOfSpeech = known(PARTS_OF_SPEECH[fields.next()], 'synset type', line)
  const words = Array.from({ length: Number.parseInt(fields.next(), HEXADECIMAL) }, () => {
    const word = fields.next()
    fields.next()
    return plainText(word.replace(SYNTACTIC_MARKER, ''))
  })
  const pointers = Array.from({ length: Number(fields.next()) }, () => {
    const relation = known(RELATIONS[fields.next()], 'pointer symbol', line)
    const targetOffset = fields.next()
    const target = `${known(FILE_OF_LETTER[fields.next()], 'part of speech', line)}:${targetOffset}`
    fields.next()
    return { relation, target }
  })
  return {
    key: `${file}:${offset}`,
    offset: Number(offset),
    partOfSpeech,
    lexicographerFile,
    words,
    pointers,
    gloss: line.slice(bar + 1).trim(),
  }
}

/**
 * Parses a line of `index.noun`, `index.verb`, `index.adj` or `index.adv`:
 *
 * ```
 * lemma pos synset_cnt p_cnt [ptr_symbol...] sense_cnt tagsense_cnt synset_offset [synset_offset...]
 * ```
 */
export function parseIndexLine(line: string, file: FileEnding): IndexEntry {
  const fields = new Fields(line)
  const lemma = plainText(fields.next())
  fields.skip(1)
  const senseCount = Number(fields.next())
  fields.skip(Number(fields.next()))
  fields.skip(2)
  return { lemma, senses: Array.from({ length: senseCount }, () => `${file}:${fields.next()}`) }
}

/** Where an adjective may stand: `(p)` predicate, `(a)` before the noun, `(ip)` after the noun. */
const SYNTACTIC_MARKER = /\((?:a|p|ip)\)$/

function plainText(word: string): string {
  return word.replaceAll('_', ' ')
}

function known<T>(value: T | undefined, what: string, line: string): T {
  if (value === undefined) throw new Error(`Unknown ${what} in WordNet's line ${line.slice(0, 60)}...`)
  return value
}

/** The fields of a line, one after the other. */
class Fields {
  readonly #fields: readonly string[]
  #position = 0

  constructor(line: string) {
    this.#fields = line.trimEnd().split(' ')
  }

  next(): string {
    const field = this.#fields[this.#position++]
    if (field === undefined)
      throw new Error(`A line of WordNet ends too soon: ${this.#fields.join(' ').slice(0, 60)}...`)
    return field
  }

  skip(count: number): void {
    this.#position += count
  }
}
