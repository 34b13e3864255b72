import { parentPort, workerData } from 'node:worker_threads'
import { readHeadHere } from './read-head.js'

/*
 * The entry of the thread that looks at a file for a worker thread: see read-head.ts.
 */

parentPort?.postMessage(readHeadHere(workerData as string))
