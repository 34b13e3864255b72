import { rmSync } from 'node:fs'
import { convert as convertDatabase } from '../../dist/src/index.js'
import { secondsOf } from '../statistics.mjs'

/** Conversions before the one that counts: for the compiler. */
const WARM_UPS = 1

export const convert = suite('Convert from msgpack to CBOR, compared with the original at the end: objects', {
  serializer: 'cbor',
})

export const convertOnly = suite('Convert from msgpack to CBOR without comparing: objects', {
  serializer: 'cbor',
  verify: false,
})

function suite(title, options) {
  return {
    title,
    unit: 'objects/s',
    peers: ['perdure'],
    needs: ({ objects }) => ({ objects }),

    async measure({ path }) {
      let figure = 0
      for (let pass = 0; pass <= WARM_UPS; pass++) {
        const target = `${path}-converted`
        let objects = 0
        const seconds = await secondsOf(async () => {
          objects = (await convertDatabase(path, target, options)).objects
        })
        figure = objects / seconds
        for (const suffix of ['', '.index']) rmSync(target + suffix, { force: true })
      }
      return figure
    },
  }
}
