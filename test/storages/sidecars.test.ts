import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { ROOT_OID } from '../../src/core/oid.js'
import { fileKind } from '../../src/storages/file-kind.js'
import type { StorageKind } from '../../src/storages/registry.js'
import { sqliteKind } from '../../src/storages/sqlite-kind.js'
import { write } from '../../src/testing/suite-context.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** Kinds of storage, each with some of the files that are there while a database is open, and when it was closed. */
const CASES: readonly (readonly [kind: StorageKind, open: readonly string[], closed: readonly string[]])[] = [
  [fileKind, ['.lock', '.live'], ['.index']],
  [sqliteKind, ['.lock', '-wal', '-shm'], []],
]

describe('the kinds of storage', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    directory.remove()
  })

  const suffixes = () =>
    readdirSync(directory.path)
      .map((name) => name.slice('a.database'.length))
      .filter((suffix) => suffix !== '')

  for (const [kind, whileOpen, whenClosed] of CASES) {
    it(`${kind.name} names every file that stands beside a database, open or closed`, async () => {
      const storage = await kind.open(directory.join('a.database'), {})
      await storage.commit({ base: 0, reads: [], writes: [write(ROOT_OID, 'root')] })
      const open = suffixes()
      await storage.close()
      const closed = suffixes()
      expect(open).to.include.members([...whileOpen])
      expect(closed).to.include.members([...whenClosed])
      expect(kind.sidecars).to.include.members([...open, ...closed])
    })
  }
})
