import { rmSync } from 'node:fs'
import { importDurus as importDurusFile } from '../../dist/src/index.js'
import { writeDurusFile } from '../durus-file.mjs'
import { secondsOf } from '../statistics.mjs'

/** Imports before the one that counts: for the compiler. */
const WARM_UPS = 1

/** Durus itself goes through a file of 100,000 objects, read for the first time, at 17,000 of them a second. */
export const importDurus = {
  title: 'Import of a Durus file, its pickles read and mapped: objects',
  unit: 'objects/s',
  peers: ['perdure'],
  needs: () => undefined,

  async measure({ path, objects }) {
    const source = `${path}.durus`
    const count = writeDurusFile(source, objects)
    let figure = 0
    for (let pass = 0; pass <= WARM_UPS; pass++) {
      const target = `${path}-imported`
      figure = count / (await secondsOf(() => importDurusFile(source, target)))
      for (const suffix of ['', '.index']) rmSync(target + suffix, { force: true })
    }
    rmSync(source)
    return figure
  },
}
