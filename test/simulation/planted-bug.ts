import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Engine } from './engine.js'

const COMPILED = fileURLToPath(new URL('../../src/', import.meta.url))

/** A change of the compiled code that puts a bug into it. */
export interface PlantedBug {
  /** Relative to src, with the suffix `.js`. */
  readonly file: string
  /** Must occur exactly once. */
  readonly find: string | RegExp
  readonly replace: string
}

/** Copies the compiled code into an empty directory, plants bugs in the copy, and loads it. */
export async function engineWithBugs(directory: string, bugs: readonly PlantedBug[]): Promise<Engine> {
  cpSync(COMPILED, directory, { recursive: true, filter: (path) => !/\.(ts|map)$/.test(path) })
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  for (const bug of bugs) plant(directory, bug)
  const load = (file: string): Promise<Engine> => import(pathToFileURL(join(directory, file)).href)
  const { createJournal } = await load('journal/journal.js')
  const { fileError } = await load('journal/journal-file.js')
  const { CoordinatorLoop } = await load('workers/coordinator-loop.js')
  const { FileSnapshot } = await load('storages/file-snapshot.js')
  const { JournalFollower } = await load('journal/follower.js')
  const { JournalView } = await load('journal/shared-journal.js')
  const { packJournal } = await load('workers/pack.js')
  const { packTasks } = await load('workers/pack-tasks.js')
  return {
    createJournal,
    fileError,
    CoordinatorLoop,
    FileSnapshot,
    JournalFollower,
    JournalView,
    packJournal,
    packTasks,
  }
}

function plant(directory: string, { file, find, replace }: PlantedBug): void {
  const path = join(directory, file)
  const source = readFileSync(path, 'utf8')
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`${String(find)} occurs ${parts.length - 1} times in ${file}.`)
  writeFileSync(path, parts.join(replace))
}
