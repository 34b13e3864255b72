/** A fenced block of code in a markdown file. */
export interface CodeBlock {
  readonly language: string
  /** The nearest heading of the first or second level above the block. */
  readonly section: string
  readonly code: string
  /** Line of the opening fence, from 1. */
  readonly line: number
}

/** What the tests of the documentation look at in a markdown file. */
export class Markdown {
  readonly blocks: readonly CodeBlock[]
  /** Every heading, with its `#` signs. */
  readonly headings: readonly string[]
  /** Targets of links, as written. */
  readonly links: readonly string[]

  constructor(text: string) {
    const blocks: CodeBlock[] = []
    const headings: string[] = []
    const prose: string[] = []
    let section = ''
    let open: { language: string; line: number; lines: string[] } | undefined
    for (const [index, line] of text.split('\n').entries()) {
      const fence = /^```(\w*)/.exec(line)
      if (open !== undefined) {
        if (fence === null) open.lines.push(line)
        else {
          blocks.push({ language: open.language, section, code: open.lines.join('\n'), line: open.line })
          open = undefined
        }
      } else if (fence !== null) {
        open = { language: fence[1] ?? '', line: index + 1, lines: [] }
      } else {
        prose.push(line)
        if (/^#+ /.test(line)) headings.push(line)
        if (/^##? /.test(line)) section = line.replace(/^#+ /, '')
      }
    }
    this.blocks = blocks
    this.headings = headings
    this.links = [...prose.join('\n').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string)
  }

  /** The anchors that links can point to, made of the headings as GitHub makes them. */
  get anchors(): readonly string[] {
    return this.headings.map((heading) =>
      heading
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    )
  }
}
