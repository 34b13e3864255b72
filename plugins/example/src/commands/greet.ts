import { Args, Command } from '@oclif/core'
import { open } from 'perdure'

export default class Greet extends Command {
  static override summary = 'Say how many objects a database file holds.'
  static override examples = ['<%= config.bin %> <%= command.id %> bank.perdure']
  static override args = { file: Args.string({ required: true, description: 'Path of a database file.' }) }

  async run(): Promise<void> {
    const { args } = await this.parse(Greet)
    await using db = await open(args.file, { readonly: true })
    let objects = 0
    await db.view(async (_root, connection) => {
      for await (const _object of connection.crawl()) objects++
    })
    this.log(`Hello! ${args.file} holds ${objects} objects.`)
  }
}
