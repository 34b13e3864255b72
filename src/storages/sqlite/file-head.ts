/** With what every SQLite database begins: https://sqlite.org/fileformat2.html. */
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
const APPLICATION_ID_OFFSET = 68

/** The number by which a database is known to be one of ours: "Perd" in ASCII. */
export const APPLICATION_ID = 0x50657264

/** Whether a file that begins with these bytes is an SQLite database, whoever has made it. */
export function isSqlite(head: Uint8Array): boolean {
  return head.length >= APPLICATION_ID_OFFSET + 4 && MAGIC.equals(head.subarray(0, MAGIC.length))
}

/** Whether it is one of ours. */
export function isOurs(head: Uint8Array): boolean {
  return isSqlite(head) && viewOf(head).getInt32(APPLICATION_ID_OFFSET) === APPLICATION_ID
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
