import { Args, Flags } from '@oclif/core'
import { parseNumber, parsePoint } from '../../cli/parse.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { openTarget, targetFlags } from '../../cli/target.js'
import type { TransactionInfo } from '../../index.js'

export default class DbHistory extends PerdureCommand {
  static override summary = 'List past transactions, the newest first; of one object, those that changed it.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    '<%= config.bin %> <%= command.id %> 17 --file bank.perdure --from 2026-11-01',
  ]
  static override enableJsonFlag = true
  static override args = { oid: Args.string({ description: 'Oid of an object.', ignoreStdin: true }) }
  static override flags = {
    ...targetFlags,
    from: Flags.string({ summary: 'Not older than this transaction or time.' }),
    to: Flags.string({ summary: 'Not newer than this transaction or time.' }),
    limit: Flags.integer({ char: 'n', summary: 'List at most so many.', default: 50, min: 1 }),
    'oldest-first': Flags.boolean({ summary: 'Begin with the oldest.' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbHistory)
    await using db = await openTarget(flags, undefined, { readonly: true })
    const range = {
      newestFirst: !flags['oldest-first'],
      ...(args.oid !== undefined && { oid: parseNumber('An oid', args.oid) }),
      ...(flags.from !== undefined && { from: parsePoint(flags.from) }),
      ...(flags.to !== undefined && { to: parsePoint(flags.to) }),
    }
    const transactions: TransactionInfo[] = []
    for await (const transaction of db.history(range)) {
      transactions.push(transaction)
      if (transactions.length === flags.limit) break
    }
    const rows = transactions.map(({ tid, time, user, note, bytes, oids }) => {
      return [tid, time.toISOString(), oids.length, bytes, user, note.replaceAll('\n', ' ')]
    })
    this.log(renderTable(['tid', 'time', 'objects', 'bytes', 'user', 'note'], rows))
    return { transactions: transactions.map(({ token: _token, ...shown }) => shown) }
  }
}
