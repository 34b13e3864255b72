import { existsSync } from 'node:fs'
import { Args, Flags } from '@oclif/core'
import { importMapping } from '../../cli/durus-mapping.js'
import { renderImport } from '../../cli/durus-report.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { Progress } from '../../cli/progress.js'
import { stringFlag } from '../../cli/setting-flags.js'
import { importDurus, PerdureError } from '../../index.js'

export default class DbImportDurus extends PerdureCommand {
  static override summary = 'Make a new database of a file that Durus (Python) has written.'
  static override description =
    'The file is only read, and no code in it is run. What cannot be mapped one to one is reported. See docs/durus.md.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.durus bank.perdure',
    '<%= config.bin %> <%= command.id %> bank.durus bank.perdure --map ./classes.js --serializer cbor',
    '<%= config.bin %> <%= command.id %> bank.durus served.perdure --raw',
  ]
  static override enableJsonFlag = true
  static override args = {
    source: Args.string({ required: true, description: 'File of Durus, of any of its formats.', ignoreStdin: true }),
    target: Args.string({ required: true, description: 'Path of the new database.', ignoreStdin: true }),
  }
  static override flags = {
    map: Flags.string({ summary: 'Module that says what becomes of which class.' }),
    raw: Flags.boolean({
      summary: 'Keep the pickles, to serve them to Durus clients; --serializer means nothing then.',
      exclusive: ['map'],
    }),
    serializer: stringFlag('serializer'),
    storage: stringFlag('storage'),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbImportDurus)
    const { source, target } = args
    const { map, raw, serializer, storage } = flags
    if (existsSync(target)) {
      throw new PerdureError('PERDURE_ARGUMENT', `${target} is there already; a database is imported into a new file.`)
    }
    const progress = new Progress(this.jsonEnabled())
    try {
      const report = await importDurus(source, target, {
        storage,
        raw,
        ...(raw ? {} : { serializer }),
        ...(map !== undefined && { mapping: await importMapping(map) }),
        signal: interruptSignal(),
        onProgress: ({ phase, objects, objectsTotal }) => progress.update(phase, objects, objectsTotal),
      })
      progress.end()
      this.log(renderImport(target, report))
      return { target, ...report }
    } finally {
      progress.end()
    }
  }
}
