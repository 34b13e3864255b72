import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { PACKAGE } from '../support/documented-programs.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** What each folder of src may import besides itself. CONTRIBUTING.md says the same in words. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  cli: [],
  collections: ['core'],
  commands: ['cli'],
  serializers: ['core'],
  journal: ['core'],
  server: ['core'],
  testing: ['core'],
  workers: ['core', 'journal', 'serializers'],
  storages: ['core', 'journal', 'server', 'workers'],
  conversion: ['core', 'journal', 'serializers', 'storages', 'workers'],
  durus: ['core', 'journal', 'serializers', 'collections', 'storages', 'workers', 'conversion'],
}

const FOLDERS = Object.keys(ALLOWED)

describe('The linter', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
    copyFileSync(join(PACKAGE, 'biome.json'), directory.join('biome.json'))
  })

  afterEach(() => directory.remove())

  it('refuses every import that goes against the layers, and no other', async () => {
    const wrong: string[] = []
    for (const from of FOLDERS) {
      for (const to of FOLDERS) {
        for (const place of ['', 'nested/']) {
          const name = `src/${from}/${place}import-${to}.ts`
          const up = place === '' ? '' : '../'
          const path = from === to ? `${up || './'}x.js` : `${up}../${to}/x.js`
          write(name, `import { x } from '${path}'\nexport const y = x\n`)
          if (from !== to && !ALLOWED[from]?.includes(to)) wrong.push(name)
        }
      }
      for (const outside of ['test', 'examples', 'bench']) {
        const name = `src/${from}/import-${outside}.ts`
        write(name, `export type { x } from '../../${outside}/x.js'\n`)
        wrong.push(name)
      }
      write(`src/${from}/import-node.ts`, `import fs from 'node:fs'\nexport const y = fs\n`)
    }
    write('src/open.ts', `import { x } from './core/x.js'\nexport const y = x\n`)
    write('src/options.ts', `export { x } from '../test/x.js'\n`)
    wrong.push('src/options.ts')
    expect(await reported('style/noRestrictedImports')).to.have.members(wrong)
  })

  it('refuses modules that import each other', async () => {
    write('src/core/one.ts', `import { two } from './two.js'\nexport const one = () => two\n`)
    write('src/core/two.ts', `import { one } from './one.js'\nexport const two = () => one\n`)
    write('src/core/three.ts', `import { one } from './one.js'\nexport const three = one\n`)
    expect(await reported('suspicious/noImportCycles')).to.have.members(['src/core/one.ts', 'src/core/two.ts'])
  })

  it('knows every folder of src', () => {
    const folders = readdirSync(join(PACKAGE, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(FOLDERS).to.include.members(folders.map(({ name }) => name))
  })

  function write(name: string, text: string): void {
    mkdirSync(dirname(directory.join(name)), { recursive: true })
    writeFileSync(directory.join(name), text)
  }

  /** The files in which the linter finds a violation of the rule. */
  async function reported(rule: string): Promise<string[]> {
    const biome = join(PACKAGE, 'node_modules', '@biomejs', 'biome', 'bin', 'biome')
    const args = [biome, 'lint', '--vcs-enabled=false', '--reporter=github', '--max-diagnostics=none', `--only=${rule}`]
    const output = await new Promise<string>((resolve) => {
      // It ends with 1 when it has found something.
      execFile(process.execPath, args, { cwd: directory.path }, (_error, stdout) => resolve(stdout))
    })
    return [...output.matchAll(/^::error .*\bfile=(?:[^,]*\/)?(src\/[^,]+),/gm)].map((match) => match[1] as string)
  }
})
