import { Args, Flags } from '@oclif/core'
import { count } from '../../cli/count.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { formatBytes, Progress } from '../../cli/progress.js'
import { openTargetStorage, targetFlags } from '../../cli/target.js'
import { type ConvertOptions, type ConvertResult, convert } from '../../index.js'

/** What is being done, in a word, before the bar. */
const TITLES = { copy: 'copying', verify: 'verifying' } as const

export default class DbConvert extends PerdureCommand {
  static override summary = 'Make a new database of another one, with another serializer or kind of storage.'
  static override description =
    `Objects keep their oids. The old database is only read; others may work with it meanwhile.
The new one appears when it is whole and has been compared with the old one. See docs/conversion.md.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure bank.cbor.perdure --serializer cbor',
    '<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 copy.perdure --history',
  ]
  static override enableJsonFlag = true
  static override args = {
    source: Args.string({
      required: true,
      description: 'Path of a database, or address of a server.',
      ignoreStdin: true,
    }),
    destination: Args.string({ required: true, description: 'Path of the new database.', ignoreStdin: true }),
  }
  static override flags = {
    user: targetFlags.user,
    'password-file': targetFlags['password-file'],
    'tls-ca': targetFlags['tls-ca'],
    'tls-cert': targetFlags['tls-cert'],
    'tls-key': targetFlags['tls-key'],
    'timeout-ms': targetFlags['timeout-ms'],
    serializer: Flags.string({ summary: 'Serializer of the new database. Default: that of the old one.' }),
    storage: Flags.string({ summary: 'Kind of storage of the new database. Default: that of the old one, or file.' }),
    history: Flags.boolean({ summary: 'Copy the past transactions as well.' }),
    verify: Flags.boolean({ summary: 'Read the new database again, and compare.', default: true, allowNo: true }),
  }

  async run(): Promise<ConvertResult> {
    const { args, flags } = await this.parse(DbConvert)
    const { serializer, storage, history, verify } = flags
    const progress = new Progress(this.jsonEnabled())
    const options: ConvertOptions = {
      serializer,
      storage,
      history,
      verify,
      signal: interruptSignal(),
      onProgress: ({ phase, objects, objectsTotal }) => progress.update(TITLES[phase], objects, objectsTotal),
    }
    const source = await openTargetStorage(flags, args.source)
    const result = await convert(source, args.destination, options).finally(() => source.close())
    progress.end()
    const past = history ? `, ${count(result.transactions, 'transaction')}` : ''
    this.log(`${result.path}: ${count(result.objects, 'object')}, ${formatBytes(result.bytes)}${past}`)
    if (result.hash !== undefined) this.log(`Content hash: ${result.hash}`)
    return result
  }
}
