import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { SETTING_NAMES, variableName } from '../../src/cli/settings.js'
import { PACKAGE } from '../support/documented-programs.js'
import { Markdown } from '../support/markdown.js'

const SOURCE = join(PACKAGE, 'src')
const CODE = /\bPERDURE_[A-Z_]+\b/g

/** The members of the union type ErrorCode. */
function declaredCodes(): string[] {
  const source = readFileSync(join(SOURCE, 'core', 'errors.ts'), 'utf8')
  const union = /export type ErrorCode =((?:\s*\| '\w+')+)/.exec(source)?.[1] ?? ''
  return union.match(CODE) ?? []
}

function sources(): string[] {
  const names = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return names.map((name) => readFileSync(join(SOURCE, name), 'utf8'))
}

/** The codes in what is executed: neither in comments nor in the union type, where they stand alone after a bar. */
function usedCodes(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|^\s*\| 'PERDURE_\w+'$/gm, '')
  return [...code.matchAll(/'(PERDURE_[A-Z_]+)'/g)].map((match) => match[1] as string)
}

/** Names that look like codes and are none. */
function environmentVariables(source: string): string[] {
  return [...source.matchAll(/\benv(?:\.|\[')(PERDURE_\w+)/g)].map((match) => match[1] as string)
}

describe('The error codes', () => {
  const declared = declaredCodes()

  it('are all explained in docs/errors.md, in alphabetical order, and no others', () => {
    const { headings } = new Markdown(readFileSync(join(PACKAGE, 'docs', 'errors.md'), 'utf8'))
    const explained = headings.filter((heading) => heading.startsWith('## ')).map((heading) => heading.slice(3))
    expect(explained).to.have.members(declared)
    expect(explained).to.deep.equal([...explained].sort())
  })

  it('are explained with what to do and which details there are', () => {
    const text = readFileSync(join(PACKAGE, 'docs', 'errors.md'), 'utf8')
    for (const section of text.split(/^## /m).slice(1)) {
      expect(section).to.include('_What to do:_')
      expect(section).to.include('_Details:_')
    }
  })

  it('are all used in the source', () => {
    expect(declared).to.not.be.empty
    expect(new Set(sources().flatMap(usedCodes))).to.include.all.keys(declared)
  })

  it('are the only ones that the source and its comments mention', () => {
    const all = sources()
    const mentioned = new Set(all.flatMap((source) => source.match(CODE) ?? []))
    for (const variable of all.flatMap(environmentVariables)) mentioned.delete(variable)
    for (const variable of [...SETTING_NAMES.map(variableName), 'PERDURE_CONFIG']) mentioned.delete(variable)
    expect([...mentioned].filter((code) => !declared.includes(code))).to.deep.equal([])
  })
})
