import { once } from 'node:events'
import { begin } from './client-work.mjs'

// One client among several: ready, warm up, work, each when told; see clients.mjs.
const { url, number, work, seconds } = JSON.parse(process.argv[2])
const client = await begin[work](url, number)
process.send('ready')
await once(process, 'message')
await client.work(seconds / 3)
process.send('warm')
await once(process, 'message')
process.send(await client.work(seconds))
await once(process, 'disconnect')
await client.close()
