import { createWriteStream, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Flags } from '@oclif/core'
import { fileError } from '../../cli/file-error.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { databaseArg, openTargetStorage, targetFlags } from '../../cli/target.js'
import { exportLines } from '../../json-lines.js'

export default class DbExport extends PerdureCommand {
  static override summary = 'Write all objects as lines of JSON, from which `db import` makes the same database.'
  static override description = 'The history is not exported. The format is told in docs/export.md.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure > bank.jsonl',
    '<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 --output bank.jsonl',
  ]
  static override args = { database: databaseArg }
  static override flags = {
    ...targetFlags,
    format: Flags.option({ summary: 'How to write them.', options: ['jsonl'] as const, default: 'jsonl' })(),
    output: Flags.string({ char: 'o', summary: 'A new file to write to. Default: standard output.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbExport)
    const storage = await openTargetStorage(flags, args.database)
    try {
      await write(Readable.from(exportLines(storage, interruptSignal())), flags.output)
    } finally {
      await storage.close()
    }
  }
}

async function write(lines: Readable, output: string | undefined): Promise<void> {
  if (output === undefined) {
    await pipeline(lines, process.stdout, { end: false }).catch(unlessEnough)
    return
  }
  // Others may not be meant to read what the database holds.
  const file = createWriteStream(output, { flags: 'wx', mode: 0o600 })
  let isOurs = false
  file.once('open', () => {
    isOurs = true
  })
  try {
    await pipeline(lines, file)
  } catch (error) {
    if (isOurs) rmSync(output, { force: true })
    throw fileError(error, output, `${output} cannot be written`)
  }
}

/** Whoever reads the lines may have seen enough, as `head` does. */
function unlessEnough(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
