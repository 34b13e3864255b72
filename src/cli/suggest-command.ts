import type { Hook } from '@oclif/core'
import { near } from '../options.js'

/**
 * Says which command was probably meant, where nobody can be asked. On a terminal the plugin @oclif/plugin-not-found
 * asks; it also ends the process, with 127.
 */
const suggestCommand: Hook.CommandNotFound = async ({ id, config }) => {
  if (process.stdin.isTTY) return
  const meant = near(
    id.replaceAll(':', ' '),
    config.commandIDs.map((each) => each.replaceAll(':', ' ')),
  )
  if (meant !== undefined) process.stderr.write(`Did you mean ${config.bin} ${meant}?\n`)
}

export default suggestCommand
