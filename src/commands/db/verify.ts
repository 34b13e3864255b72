import { count } from '../../cli/count.js'
import { EXIT } from '../../cli/exit-codes.js'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { formatBytes, Progress } from '../../cli/progress.js'
import { databaseArg, openTarget, targetFlags } from '../../cli/target.js'

export default class DbVerify extends PerdureCommand {
  static override summary = 'Check every object of a database: checksums, states, references, history.'
  static override description = `Reads all and changes nothing; others may work with the database meanwhile. Ends with
${EXIT.damaged} if anything is wrong.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure',
    '<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 --json',
  ]
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = targetFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbVerify)
    await using db = await openTarget(flags, args.database, { readonly: true })
    const progress = new Progress(this.jsonEnabled())
    const report = await db.verify({
      signal: interruptSignal(),
      onProgress: ({ bytes, bytesTotal }) => progress.update('verifying', bytes, bytesTotal),
    })
    progress.end()
    const { objects, bytes, classes, problems, problemCount } = report
    this.log(
      `${count(objects, 'object')}, ${formatBytes(bytes)}, ${problemCount === 0 ? 'sound' : count(problemCount, 'problem')}`,
    )
    for (const { oid, offset, message } of problems) {
      const where = oid === undefined ? (offset === undefined ? '' : `byte ${offset}: `) : `object ${oid}: `
      this.log(`  ${where}${message}`)
    }
    if (problemCount > problems.length) this.log(`  and ${problemCount - problems.length} more`)
    if (problemCount > 0) process.exitCode = EXIT.damaged
    return { objects, bytes, problemCount, problems, classes: Object.fromEntries(classes) }
  }
}
