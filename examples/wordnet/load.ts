import { statSync } from 'node:fs'
import { open } from 'perdure'
import { type Entries, Synset, Word } from './model.js'
import type { Options } from './options.js'
import { Progress } from './progress.js'
import { readSource } from './source.js'
import { storeSource } from './store.js'

/** The first process: reads WordNet's files and stores what is in them. */
export async function load({ file, serializer, limit }: Options): Promise<void> {
  const progress = new Progress(process.stdout)
  console.log(`Storing WordNet in ${file} (${serializer})`)
  const source = readSource(limit)
  await using db = await open<Entries>(file, { classes: [Synset, Word], serializer })
  await storeSource(db, source, progress)
  await db.close()
  console.log(`  file size: ${(statSync(file).size / 1e6).toFixed(1)} MB`)
}
