import { count } from '../../cli/count.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { Progress } from '../../cli/progress.js'
import { databaseArg, openTargetStorage, targetFlags } from '../../cli/target.js'
import { contentHash } from '../../index.js'

export default class DbHash extends PerdureCommand {
  static override summary = 'Print a hash of all objects of a database.'
  static override description = `It is the same for databases that hold the same objects, whatever their serializers and
storages. See docs/conversion.md.`
  static override examples = ['<%= config.bin %> <%= command.id %> bank.perdure']
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = targetFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbHash)
    const storage = await openTargetStorage(flags, args.database)
    const progress = new Progress(this.jsonEnabled())
    const { hash, objects } = await contentHash(storage, {
      signal: interruptSignal(),
      onProgress: (done) => progress.update('hashing', done.objects, done.objectsTotal),
    }).finally(() => storage.close())
    progress.end()
    this.log(`${hash}  ${count(objects, 'object')}`)
    return { hash, objects }
  }
}
