/** Files that are no databases, and that can be made into one. */
export interface ForeignFormat {
  /** What such a file is, with its article: `a Durus file (SHELF-1)`. */
  readonly description: string
  /**
   * Whether a file is of this format.
   *
   * @param head the file's first bytes, 4096 if it has as many
   */
  recognizes(head: Uint8Array): boolean
  /** What to do with it, in a sentence. */
  advice(path: string): string
}

const formats = new Map<string, ForeignFormat>()

/**
 * Makes a format known, so that whoever tries to open such a file is told what to do with it. One with the same
 * description is replaced.
 */
export function registerForeignFormat(format: ForeignFormat): void {
  formats.set(format.description, format)
}

/** The format of a file that begins with these bytes; undefined if it is none that is known. */
export function findForeignFormat(head: Uint8Array): ForeignFormat | undefined {
  return [...formats.values()].find((format) => format.recognizes(head))
}
