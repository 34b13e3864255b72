import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { load } from './load.js'
import { type Options, parseOptions, USAGE, UsageError } from './options.js'
import { read } from './read.js'

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) console.log(USAGE)
  else await run(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\nTry --help.`)
  process.exitCode = 2
}

async function run(options: Options): Promise<void> {
  switch (options.step) {
    case 'load':
      return load(options)
    case 'read':
      return read(options)
    case undefined:
      try {
        await load(options)
        process.exitCode = await readInAnotherProcess(options)
      } finally {
        if (options.temporary) await removeDatabase(options.file)
      }
  }
}

async function readInAnotherProcess({ file, limit, word, other }: Options): Promise<number> {
  const limited = Number.isFinite(limit) ? ['--limit', String(limit)] : []
  const args = [fileURLToPath(import.meta.url), '--step', 'read', '--file', file, ...limited, '--', word, other]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

/** Removes the file and what is kept beside it, whose names begin with its name. */
async function removeDatabase(file: string): Promise<void> {
  const names = (await readdir(dirname(file))).filter((name) => name.startsWith(basename(file)))
  await Promise.all(names.map((name) => rm(join(dirname(file), name), { force: true })))
}
