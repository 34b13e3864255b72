import type { Readable } from 'node:stream'

/** The lines of a text, without their ends. A text that ends within a line ends with that. Fails as the stream does. */
export async function* linesOf(input: Readable): AsyncGenerator<string, void> {
  input.setEncoding('utf8')
  let begun = ''
  for await (const chunk of input) {
    const lines = (chunk as string).split('\n')
    const last = lines.pop() as string
    for (const line of lines) {
      yield begun + line
      begun = ''
    }
    begun += last
  }
  if (begun !== '') yield begun
}
