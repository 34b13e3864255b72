import { runSeed } from '../../../src/testing/random.js'
import { fuzzDecoders, fuzzSessions } from './campaign.js'

/*
 * Feeds the server with hostile bytes: `npm run fuzz -- 200000` for so many inputs. PERDURE_SEED repeats a run.
 */

const count = Number(process.argv[2] ?? 200_000)
const seed = runSeed()
console.log(`${count} inputs, PERDURE_SEED=${seed}`)
const frames = fuzzDecoders(Math.floor(count / 2), seed)
console.log(`frames: ${frames.accepted} accepted, ${frames.refused} refused`)
const conversations = await fuzzSessions(Math.ceil(count / 2), seed)
console.log(`conversations: ${conversations.accepted} accepted, ${conversations.refused} refused`)
