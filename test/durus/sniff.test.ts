import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { sniffDurus } from '../../src/durus/sniff.js'
import { PACKAGE } from '../support/documented-programs.js'

function head(name: string): Buffer {
  return readFileSync(join(PACKAGE, 'test', 'fixtures', name)).subarray(0, 4096)
}

describe('The kind of a Durus file', () => {
  it('is known by its first bytes', () => {
    expect(sniffDurus(head('durus/shelf.durus'))).to.equal('SHELF-1')
    expect(sniffDurus(head('durus/shelf-packed.durus'))).to.equal('SHELF-1')
    expect(sniffDurus(head('durus/dfs20.durus'))).to.equal('DFS20')
    expect(sniffDurus(head('durus/sqlite.durus'))).to.equal('sqlite')
  })

  it('is unknown where there is another file, or less than its magic', () => {
    const names = ['durus/wire-protocol-1.jsonl', 'durus/expected.json']
    for (const name of names) expect(sniffDurus(head(name))).to.equal(undefined)
    expect(sniffDurus(Buffer.alloc(0))).to.equal(undefined)
    expect(sniffDurus(Buffer.from('SHELF-1'))).to.equal(undefined)
    expect(sniffDurus(Buffer.from('SHELF-2\n'))).to.equal(undefined)
    expect(sniffDurus(Buffer.from('DFS20\x01'))).to.equal(undefined)
  })

  it('is that of SQLite only with the table of Durus', () => {
    const magic = 'SQLite format 3\0'
    const other = (schema: string) => sniffDurus(Buffer.from(`${magic}${'\0'.repeat(84)}${schema}`))
    expect(other('')).to.equal(undefined)
    expect(other('CREATE TABLE objects (id integer primary key, data blob, refs blob)')).to.equal('sqlite')
    expect(other('create table "objects"("id" INTEGER PRIMARY KEY,"data" BLOB,"refs" BLOB)')).to.equal('sqlite')
    expect(other('CREATE TABLE objects (oid integer primary key, record blob)')).to.equal(undefined)
    expect(other('CREATE TABLE objects (id integer, tid integer, data blob, refs blob)')).to.equal(undefined)
    expect(other('CREATE TABLE objects (id integer, data blob, refs blob, more blob)')).to.equal(undefined)
    expect(other('CREATE TABLE my_objects (id integer primary key, data blob, refs blob)')).to.equal(undefined)
  })
})
