import { access, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runExample } from '../support/run-example.js'

describe('the example wordnet', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'perdure-wordnet-'))
  })

  afterEach(() => rm(folder, { recursive: true }))

  it('stores all of WordNet and finds it again in another process', async function () {
    this.timeout(180_000)
    const { code, stdout, stderr } = await runExample('wordnet', ['dog', 'philosopher'], folder)
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    expect(stdout).to.contain('noun: dog, domestic dog, Canis familiaris: a member of the genus Canis')
    const [, hypernyms, path] = stdout.split(/hypernyms of its first sense.*|shortest path.*/)
    expect(hypernyms).to.match(/canine, canid[\s\S]*-hypernym-> entity\s+$/)
    expect(path).to.match(/^\s+dog\n[\s\S]*-> philosopher\n/)
    expect(stdout).to.contain('117,791 synsets, 147,478 words, 207,235 senses, 378,203 pointers')
    expect(await readdir(folder)).to.deep.equal([])
  })

  for (const serializer of ['msgpack', 'cbor', 'devalue']) {
    it(`stores a part of it with ${serializer}`, async () => {
      const args = ['--serializer', serializer, '--limit', '500', 'causal agent', 'substance']
      const { code, stdout, stderr } = await runExample('wordnet', args, folder)
      expect(stderr).to.equal('')
      expect(code).to.equal(0)
      expect(stdout).to.contain(`(${serializer})`)
      expect(stdout).to.match(/-hypernym-> physical entity\n {4}-hypernym-> entity\n/)
      expect(stdout).to.contain('2,000 synsets, 3,227 words, 3,767 senses, 2,864 pointers')
      expect(await readdir(folder)).to.deep.equal([])
    })
  }

  it('keeps the file it is given, and takes one step at a time', async () => {
    const file = join(folder, 'kept.perdure')
    const some = ['--file', file, '--limit', '100']
    const loaded = await runExample('wordnet', [...some, '--step', 'load'], folder)
    expect(loaded.code).to.equal(0)
    expect(loaded.stdout).to.not.contain('Reading')
    await access(file)
    const found = await runExample('wordnet', [...some, '--step', 'read', 'entity', 'object'], folder)
    expect(found.stdout).to.contain('verified against WordNet')
    const unknown = await runExample('wordnet', [...some, '--step', 'read', 'qwertz'], folder)
    expect(unknown.code).to.equal(2)
    expect(unknown.stderr).to.contain('The database has no word "qwertz".')
  })

  it('says what is wrong with its options', async () => {
    const wrong: [string[], string][] = [
      [['--colour'], "Unknown option '--colour'"],
      [['--serializer', 'json'], '--serializer is one of msgpack, cbor, devalue, not "json".'],
      [['--limit', '-3'], '--limit'],
      [['--limit', 'many'], '--limit is a whole number from 1 on, not "many".'],
      [['--step', 'read'], '--step needs a --file'],
      [['one', 'two', 'three'], 'at most two words, not 3'],
    ]
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await runExample('wordnet', args, folder)
      expect(stderr).to.contain(message)
      expect(stdout).to.equal('')
      expect(code).to.equal(2)
    }
  })

  it('explains itself', async () => {
    const { code, stdout } = await runExample('wordnet', ['--help'], folder)
    expect(code).to.equal(0)
    expect(stdout).to.match(/^Usage: /)
  })
})
