import { deflateRawSync, gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { encodeFileHeader } from '../../src/journal/format.js'
import { describeSelf } from '../../src/journal/lock-holder.js'
import { describeHead } from '../../src/storages/describe-head.js'

const JOURNAL = encodeFileHeader({
  uuid: new Uint8Array(16).fill(7),
  created: 1,
  serializer: 'msgpack',
  databaseId: new Uint8Array(16),
  baseTid: 0,
  historyFrom: 0,
})

describe('describeHead', () => {
  const cases: readonly (readonly [what: string, head: Buffer, words: string | RegExp])[] = [
    ['nothing', Buffer.alloc(0), 'an empty file'],
    ['zeros', Buffer.alloc(200), 'a file that begins with zeros only'],
    ['an SQLite database', Buffer.from('SQLite format 3\0\x10\0'), 'an SQLite database of another application'],
    ['a gzip file', gzipSync('x'), /^a gzip file/],
    ['a zip file', Buffer.concat([Buffer.from('PK\x03\x04'), deflateRawSync('x')]), /^a zip file/],
    ['a ZODB file', Buffer.from('FS21\0\0\0\0'), 'a ZODB file storage'],
    ['a program', Buffer.from('\x7fELF\x02\x01\x01'), 'a program'],
    ['other bytes', Buffer.from([1, 2, 0xff]), /beginning with the bytes 01 02 ff$/],
    ['many other bytes', Buffer.alloc(100, 0x80), /beginning with the bytes 80 80 80 80 80 80 80 80$/],
    ['text', Buffer.from('# Shopping list\n- eggs'), 'text beginning with "# Shopping list"'],
    ['text behind empty lines', Buffer.from('\r\n \r\nHello\r\n'), 'text beginning with "Hello"'],
    ['a long line', Buffer.from('é'.repeat(2048)), `text beginning with "${'é'.repeat(40)}"`],
    ['text whose last character is cut off', Buffer.from('Füße').subarray(0, 4), 'text beginning with "Fü"'],
    ['white space', Buffer.from('\n\t \n'), 'white space'],
    [
      'a terminal’s commands',
      Buffer.from('\x1b]0;title\x07'),
      /^a file of another kind, beginning with the bytes 1b 5d/,
    ],
    ['a lock', Buffer.from(JSON.stringify(describeSelf())), /^the lock of a Perdure database/],
    [
      'a database as text of Unix',
      Buffer.from(JOURNAL.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
      /line ends/,
    ],
    ['a database as UTF-8', Buffer.from(JOURNAL.toString('utf8')), /decoded and encoded/],
  ]

  for (const [what, head, words] of cases) {
    it(`knows ${what}`, () => {
      const description = describeHead(head)
      if (typeof words === 'string') expect(description).to.equal(words)
      else expect(description).to.match(words)
    })
  }
})
