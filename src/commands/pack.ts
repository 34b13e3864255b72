import { Args, Flags } from '@oclif/core'
import { PerdureCommand } from '../cli/perdure-command.js'
import { runPack } from '../cli/run-pack.js'
import { filePath } from '../cli/target.js'
import { packFile } from '../index.js'

export default class Pack extends PerdureCommand {
  static override summary = 'Pack a file that nobody is using, with all processors.'
  static override description = 'A file that is served is packed with `<%= config.bin %> db pack URL`.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure',
    '<%= config.bin %> <%= command.id %> bank.perdure --retain 100t --keep-old',
  ]
  static override enableJsonFlag = true
  static override args = {
    file: Args.string({ required: true, description: 'Path of the database file.', ignoreStdin: true }),
  }
  static override flags = {
    retain: Flags.string({
      summary: 'History to keep: 7d of it, 100t for 100 transactions, or all from a tid or time on.',
    }),
    'keep-old': Flags.boolean({ summary: 'Keep the file as it was, with .prepack behind its name.' }),
    'memory-bytes': Flags.integer({ summary: 'Memory for the tables of the pack.', min: 0 }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Pack)
    const memoryBytes = flags['memory-bytes']
    const more = memoryBytes === undefined ? {} : { memoryBytes }
    const options = { retain: flags.retain, keepOld: flags['keep-old'] }
    return runPack(this, options, (given) => packFile(filePath(args.file), { ...given, ...more }))
  }
}
