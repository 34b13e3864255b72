import { EXPORT_FORMAT } from './conversion/export-format.js'
import { sniffDurus } from './durus/sniff.js'
import type { DurusFormat } from './durus/source.js'
import { type ForeignFormat, registerForeignFormat } from './storages/foreign-format.js'

/** How the first line of an export begins. */
const EXPORT_START = `{"format":"${EXPORT_FORMAT}"`

/* Makes the formats known from which this package can make a database. */

for (const format of ['SHELF-1', 'DFS20', 'sqlite'] as const) registerForeignFormat(durus(format))

registerForeignFormat({
  description: 'an export, in lines of JSON',
  recognizes: (head) => Buffer.from(head.subarray(0, EXPORT_START.length)).toString() === EXPORT_START,
  advice: (path) => `Make a database of it with \`perdure db import ${quoted(path)} --file NEW\`.`,
})

function durus(format: DurusFormat): ForeignFormat {
  return {
    description: format === 'sqlite' ? 'an SQLite database of Durus' : `a Durus file (${format})`,
    recognizes: (head) => sniffDurus(head) === format,
    advice: (path) => `Make a database of it with \`perdure db import-durus ${quoted(path)} NEW\`.`,
  }
}

/** As a shell wants it. */
function quoted(path: string): string {
  return /^[\w./@%+:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
