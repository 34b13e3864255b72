import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect } from 'chai'
import { PACKAGE } from '../support/documented-programs.js'
import { Markdown } from '../support/markdown.js'

const DOCUMENTS = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md']
for (const name of readdirSync(join(PACKAGE, 'docs'))) if (name.endsWith('.md')) DOCUMENTS.push(`docs/${name}`)

const { scripts } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))

for (const document of DOCUMENTS) {
  describe(document, () => {
    const text = readFileSync(join(PACKAGE, document), 'utf8')

    it('links to files and headings that exist', () => {
      const broken = new Markdown(text).links.filter((link) => !link.includes('://') && !leads(document, link))
      expect(broken).to.deep.equal([])
    })

    it('names npm scripts that exist', () => {
      const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] as string)
      expect(named.filter((name) => scripts[name] === undefined)).to.deep.equal([])
    })
  })
}

/** Whether a link in a document leads to a file of the package, and to a heading in it if it names one. */
function leads(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? join(PACKAGE, from) : join(PACKAGE, dirname(from), path)
  if (!existsSync(target) || relative(PACKAGE, target).startsWith('..')) return false
  return anchor === undefined || new Markdown(readFileSync(target, 'utf8')).anchors.includes(anchor)
}
