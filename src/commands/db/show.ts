import { Args, Flags } from '@oclif/core'
import { parseNumber, parsePoint } from '../../cli/parse.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { render, toPlain, wantsColors } from '../../cli/render.js'
import { openTarget, targetFlags } from '../../cli/target.js'
import { PerdureError } from '../../index.js'

export default class DbShow extends PerdureCommand {
  static override summary = 'Show one object, as it is or as it was.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 17 --file bank.perdure',
    '<%= config.bin %> <%= command.id %> 17 --at 2026-11-01T12:00:00Z --file bank.perdure',
  ]
  static override enableJsonFlag = true
  static override args = { oid: Args.string({ required: true, description: 'Oid of the object.', ignoreStdin: true }) }
  static override flags = { ...targetFlags, at: Flags.string({ summary: 'As of a transaction or a time.' }) }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbShow)
    const oid = parseNumber('An oid', args.oid)
    await using db = await openTarget(flags, undefined, { readonly: true })
    await using connection = flags.at === undefined ? await db.connect() : await db.at(parsePoint(flags.at))
    const object = connection.get(oid)
    if (object === undefined) {
      throw new PerdureError(
        'PERDURE_OBJECT_MISSING',
        `There is no object ${oid} as of transaction ${connection.tid}.`,
        {
          details: { oid },
        },
      )
    }
    this.log(render(object, wantsColors()))
    return { tid: connection.tid, object: toPlain(object, 1) }
  }
}
