import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { PACKAGE } from './documented-programs.js'

/** Files that Durus 4 has written. What is in them is said in expected.json beside them. */
export const DURUS_FIXTURES = ['shelf', 'shelf-packed', 'shelf-torn-tail', 'dfs20', 'sqlite'] as const

export type DurusFixture = (typeof DURUS_FIXTURES)[number]

export function durusFixture(name: DurusFixture): string {
  return join(PACKAGE, 'test', 'fixtures', 'durus', `${name}.durus`)
}

/** Notes what a file and its folder are like, and returns what checks that nothing about them has changed. */
export function expectUntouched(path: string): () => void {
  const before = look(path)
  return () => expect(look(path)).to.deep.equal(before)
}

function look(path: string) {
  const { mtimeMs, ctimeMs, size, mode } = statSync(path)
  return {
    bytes: readFileSync(path).toString('latin1'),
    beside: readdirSync(dirname(path)),
    mtimeMs,
    ctimeMs,
    size,
    mode,
  }
}
