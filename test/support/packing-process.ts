import { FileStorage } from '../../src/storages/file.js'
import { plant, relink } from './relinking.js'

/*
 * A process that commits to the database named by its first argument, and packs it again and again, until it is killed.
 * A line tells of each acknowledged number of object 1, and another one of each phase of a pack.
 */
const [path, seed] = process.argv.slice(2)
const storage = await FileStorage.open(path, { durability: 'os' })
if (storage.statistics().tid === 0) {
  storage.allocateOids(1)
  await plant(storage, [1])
}
const say = (line: string | number) => void process.stdout.write(`${line}\n`)
const work = relink(storage, 1, Number(seed), () => false, say)
for (let packs = 0; ; packs++) {
  const retain = packs % 2 === 0 ? {} : { retain: { transactions: 20 } }
  await Promise.race([
    work,
    storage.pack({ ...retain, keepOld: packs % 3 === 0, onProgress: ({ phase }) => say(phase) }),
  ])
}
