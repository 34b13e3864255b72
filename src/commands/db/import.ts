import { createReadStream, existsSync, statSync } from 'node:fs'
import { Args } from '@oclif/core'
import { count } from '../../cli/count.js'
import { fileError } from '../../cli/file-error.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { linesOf } from '../../cli/lines-of.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { stringFlag } from '../../cli/setting-flags.js'
import { filePath } from '../../cli/target.js'
import { PerdureError } from '../../index.js'
import { importLines } from '../../json-lines.js'

export default class DbImport extends PerdureCommand {
  static override summary = 'Make a new database of what `db export` has written.'
  static override description = 'Objects keep their oids. The serializer may be another one than before.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.jsonl --file new.perdure',
    '<%= config.bin %> db export perdure://127.0.0.1:2972 | <%= config.bin %> <%= command.id %> - --file copy.perdure',
  ]
  static override enableJsonFlag = true
  static override args = {
    source: Args.string({
      required: true,
      description: 'File with the lines of JSON; - for standard input.',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    file: stringFlag('file', 'f'),
    serializer: stringFlag('serializer'),
    storage: stringFlag('storage'),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbImport)
    const { file, serializer, storage } = flags
    if (file === undefined) throw new PerdureError('PERDURE_ARGUMENT', 'Into which new file? Give --file.')
    if (existsSync(filePath(file))) {
      throw new PerdureError('PERDURE_ARGUMENT', `${file} is there already; a database is imported into a new file.`)
    }
    const fromFile = args.source !== '-'
    if (fromFile && !existsSync(args.source)) {
      throw new PerdureError('PERDURE_NOT_FOUND', `There is no file ${args.source}.`, {
        details: { path: args.source },
      })
    }
    const input = fromFile ? createReadStream(args.source) : process.stdin
    const mode = fromFile ? statSync(args.source).mode : undefined
    // Whoever reads the lines hears of it; that may be later.
    input.on('error', () => {})
    const signal = interruptSignal()
    // Nothing else would end the wait for what is to come through a pipe.
    signal.addEventListener('abort', () => input.destroy(signal.reason))
    const options = { serializer, storage, mode, signal }
    const { objects, hash } = await importLines(file, linesOf(input), options).catch((error) => {
      throw fileError(error, args.source, `${args.source} cannot be read`)
    })
    this.log(`${file}: ${count(objects, 'object')}`)
    this.log(`Content hash: ${hash}`)
    return { file, objects, hash }
  }
}
