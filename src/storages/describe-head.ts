import { isCheckpoint } from '../journal/checkpoint.js'
import { parseHolder } from '../journal/lock-holder.js'
import { isWatermark } from '../journal/watermark.js'

/** How many characters of a text, and how many bytes of anything else, are shown. */
const SHOWN_CHARACTERS = 40
const SHOWN_BYTES = 8

/** What other programs' files begin with. The usual cause of meeting one is a wrong path. */
const SIGNATURES: readonly (readonly [bytes: string, description: string])[] = [
  ['SQLite format 3\0', 'an SQLite database of another application'],
  ['FS21', 'a ZODB file storage'],
  ['FS30', 'a ZODB file storage'],
  ['\x1f\x8b', 'a gzip file; if it is a backup, unpack it first'],
  ['\x28\xb5\x2f\xfd', 'a Zstandard file; if it is a backup, unpack it first'],
  ['\xfd7zXZ\0', 'an xz file; if it is a backup, unpack it first'],
  ['BZh', 'a bzip2 file; if it is a backup, unpack it first'],
  ['PK\x03\x04', 'a zip file; if it is a backup, unpack it first'],
  ['\x7fELF', 'a program'],
  ['%PDF-', 'a PDF document'],
  // The magic of FileStorage is made so that this can be seen.
  ['\x89PERD\n', 'a Perdure database whose line ends were converted, as if it were text; copy it again as it is'],
  ['\xef\xbf\xbdPERD', 'a Perdure database that was decoded and encoded as if it were text; copy it again as it is'],
]

/** Says, with an article, what a file is that begins with these bytes and is no database. */
export function describeHead(head: Uint8Array): string {
  if (head.length === 0) return 'an empty file'
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length)
  return describePart(bytes) ?? describeSignature(bytes) ?? describeText(bytes) ?? describeBytes(bytes)
}

/** A file that stands beside a database. */
function describePart(bytes: Buffer): string | undefined {
  if (isCheckpoint(bytes)) return 'the index of a Perdure database (.index); the database itself is the file beside it'
  if (isWatermark(bytes))
    return 'the watermark of a Perdure database (.live); the database itself is the file beside it'
  if (parseHolder(bytes.toString()) === undefined) return undefined
  return 'the lock of a Perdure database (.lock); the database itself is the file beside it'
}

function describeSignature(bytes: Buffer): string | undefined {
  const start = bytes.toString('latin1', 0, 16)
  return SIGNATURES.find(([signature]) => start.startsWith(signature))?.[1]
}

function describeText(bytes: Buffer): string | undefined {
  const text = decode(bytes)
  if (text === undefined || /[^\P{Cc}\t\n\r]/u.test(text)) return undefined
  const characters = [...(text.split(/[\r\n]/).find((line) => line.trim() !== '') ?? '')]
  if (characters.length === 0) return 'white space'
  const shown = characters.slice(0, SHOWN_CHARACTERS).join('')
  return `text beginning with ${JSON.stringify(shown)}`
}

/** As UTF-8; undefined if it is none. The last character may be cut off. */
function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
  } catch {
    return undefined
  }
}

function describeBytes(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return 'a file that begins with zeros only'
  const shown = Array.from(bytes.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, '0'))
  return `a file of another kind, beginning with the bytes ${shown.join(' ')}`
}
