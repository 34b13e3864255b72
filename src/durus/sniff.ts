import type { DurusFormat } from './source.js'

const SHELF_MAGIC = 'SHELF-1\n'
const DFS20_MAGIC = 'DFS20\0'
const SQLITE_MAGIC = 'SQLite format 3\0'

/** The one table of Durus's SqliteStorage; SQLite keeps the text of the statement that made it, on the first page. */
const OBJECTS_TABLE =
  /CREATE\s+TABLE\s+["'`[]?objects["'`\]]?\s*\(\s*["'`[]?id\b[^,]*,\s*["'`[]?data\b[^,]*,\s*["'`[]?refs\b[^,]*\)/i

/**
 * Which kind of Durus file begins with these bytes; undefined if none does. It looks at the magic alone, and of an
 * SQLite file at the table: whether the rest makes sense is not known before it is opened.
 *
 * @param head the file's first bytes, 4096 if it has as many
 */
export function sniffDurus(head: Uint8Array): DurusFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1')
  if (text.startsWith(SHELF_MAGIC)) return 'SHELF-1'
  if (text.startsWith(DFS20_MAGIC)) return 'DFS20'
  return text.startsWith(SQLITE_MAGIC) && OBJECTS_TABLE.test(text) ? 'sqlite' : undefined
}
