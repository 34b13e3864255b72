import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CodeBlock } from './markdown.js'

const run = promisify(execFile)

/** The folder of the package: this file is at dist/test/support. */
export const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url))

/** What a reader types together: the blocks of one section, or one file of a section that has several. */
export interface Program {
  readonly section: string
  /** Name of the module, without extension. */
  readonly name: string
  readonly code: string
  /** Only other modules run it: the block began with a comment that named its file. */
  readonly isPart: boolean
  /** What it says it prints: the comments that begin with `->`, in the order of the lines. */
  readonly output: readonly string[]
}

const PROGRAM = new Set(['ts', 'js'])

/**
 * Puts the code blocks of a document together: those of one section are one program, except that a block whose
 * first line is a comment with a file's name (`// worker.ts`) is that file.
 */
export function programsOf(blocks: readonly CodeBlock[]): Program[] {
  const codes = new Map<string, { section: string; isPart: boolean; lines: string[] }>()
  for (const { language, section, code } of blocks) {
    if (!PROGRAM.has(language)) continue
    const file = /^\/\/ ([\w-]+)\.ts\n/.exec(code)?.[1]
    const name = file ?? section.toLowerCase().replace(/\W+/g, '-')
    const known = codes.get(name) ?? { section, isPart: file !== undefined, lines: [] }
    known.lines.push(code)
    codes.set(name, known)
  }
  return [...codes].map(([name, { section, isPart, lines }]) => {
    const code = lines.join('\n')
    const output = [...code.matchAll(/\/\/ -> (.*)$/gm)].map((match) => match[1] as string)
    return { section, name, code, isPart, output }
  })
}

/** Writes the programs into a folder where `perdure` is installed, and compiles them with its compiler, strictly. */
export async function compile(programs: readonly Program[], folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  await symlink(PACKAGE, join(modules, 'perdure'), 'dir')
  await symlink(join(PACKAGE, 'node_modules', '@types'), join(modules, '@types'), 'dir')
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable', 'esnext.decorators', 'esnext.collection'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: true,
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  for (const { name, code } of programs) await writeFile(join(folder, `${name}.ts`), `${code}\nexport {}\n`)
  try {
    await run(process.execPath, [join(PACKAGE, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder])
  } catch (error) {
    throw new Error(`The documented code does not compile:\n${(error as { stdout: string }).stdout}`)
  }
}

/** Runs a compiled program in a process of its own and returns what it printed, by lines. */
export async function runProgram({ name }: Program, folder: string): Promise<string[]> {
  const { stdout } = await run(process.execPath, [join(folder, `${name}.js`)], { cwd: folder, timeout: 20_000 })
  return stdout === '' ? [] : stdout.trimEnd().split('\n')
}
