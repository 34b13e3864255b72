import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-codes.js'
import { withoutSettings } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { Markdown } from '../support/markdown.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const TEXT = readFileSync(join(PACKAGE, 'docs/command-line.md'), 'utf8')

describe('docs/command-line.md', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('has commands that print what it says', async () => {
    mkdirSync(directory.join('bin'))
    mkdirSync(directory.join('work'))
    symlinkSync(join(PACKAGE, 'bin/perdure.js'), directory.join('bin/perdure'))
    const blocks = new Markdown(TEXT).blocks.filter(({ language }) => language === 'sh')
    // The settings are those of somebody who has not set anything.
    const code = blocks.map((block) =>
      block.section === 'Settings' ? `unset PERDURE_SOCKET\n${block.code}` : block.code,
    )
    // Whatever happens, no server is to stay.
    const script = `set -e\ntrap 'perdure db stop || true' ERR\n${code.join('\n')}\n`
    writeFileSync(directory.join('script.sh'), script.replace(/^# -> (.*)$/gm, "echo '# -> $1'"))
    const env = {
      ...withoutSettings(process.env),
      PATH: `${directory.join('bin')}:${process.env['PATH']}`,
      HOME: directory.path,
      XDG_RUNTIME_DIR: directory.path,
      PERDURE_SOCKET: directory.join('socket'),
    }
    const output = await new Promise<string>((resolve, reject) => {
      execFile('bash', [directory.join('script.sh')], { cwd: directory.join('work'), env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new Error(`${stdout}\n${stderr}`))
      })
    })
    const lines = output.split('\n')
    const expected = lines.flatMap((line, i) => (line.startsWith('# -> ') ? [[lines[i - 1], line.slice(5)]] : []))
    expect(expected).to.have.lengthOf.above(4)
    for (const [printed, said] of expected) expect(printed).to.equal(said)
  })

  it('lists the exit codes there are', () => {
    const listed = [...TEXT.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
    expect(listed).to.deep.equal([0, ...Object.values(EXIT)])
  })

  it('is told of in the list of commands of the manifest', () => {
    const { commands } = JSON.parse(readFileSync(join(PACKAGE, 'oclif.manifest.json'), 'utf8')) as { commands: object }
    const unknown = [...TEXT.matchAll(/^perdure ([a-z]+(?: [a-z]+)?)/gm)]
      .map(([, words = '']) => words.split(' '))
      .filter(([first = '', second = '']) => !(first in commands) && !(`${first}:${second}` in commands))
    expect(unknown).to.deep.equal([])
  })
})
