import { Args, Flags } from '@oclif/core'
import { diagnose } from '../../cli/diagnose.js'
import { parseNumber } from '../../cli/parse.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { openTarget, targetFlags } from '../../cli/target.js'

export default class DbRefs extends PerdureCommand {
  static override summary = 'List the objects that refer to an object.'
  static override examples = ['<%= config.bin %> <%= command.id %> 17 --file bank.perdure']
  static override enableJsonFlag = true
  static override args = { oid: Args.string({ required: true, description: 'Oid of the object.', ignoreStdin: true }) }
  static override flags = {
    ...targetFlags,
    limit: Flags.integer({ summary: 'List at most so many.', default: 1000, min: 1 }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbRefs)
    const oid = parseNumber('An oid', args.oid)
    await using db = await openTarget(flags, undefined, { readonly: true })
    const referrers: { oid: number; className: string }[] = []
    await diagnose(db, this.jsonEnabled(), async (options) => {
      for await (const { oid: from, className } of db.referrers(oid, options)) {
        referrers.push({ oid: from, className })
        if (referrers.length === flags.limit) break
      }
    })
    this.log(
      renderTable(
        ['oid', 'class'],
        referrers.map(({ oid: from, className }) => [from, className]),
      ),
    )
    return { oid, referrers }
  }
}
