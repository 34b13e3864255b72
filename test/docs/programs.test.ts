import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { compile, PACKAGE, programsOf, runProgram } from '../support/documented-programs.js'
import { Markdown } from '../support/markdown.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const DOCUMENTS = [
  'README.md',
  'docs/guide.md',
  'docs/collections.md',
  'docs/diagnostics.md',
  'docs/durus.md',
  'docs/conversion.md',
  'docs/history.md',
  'docs/pack.md',
  'docs/errors.md',
  'docs/server.md',
]

for (const document of DOCUMENTS) {
  describe(`The programs in ${document}`, () => {
    const programs = programsOf(new Markdown(readFileSync(join(PACKAGE, document), 'utf8')).blocks)
    let directory: TemporaryDirectory

    before(async () => {
      directory = new TemporaryDirectory()
      await compile(programs, directory.path)
    })

    after(() => directory.remove())

    for (const program of programs.filter(({ isPart }) => !isPart)) {
      it(`do what they say: ${program.section}`, async () => {
        expect(await runProgram(program, directory.path)).to.deep.equal(program.output)
      })
    }
  })
}
