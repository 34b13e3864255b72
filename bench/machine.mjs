import { statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'

/** Types of file systems by the number that statfs gives. */
const FILE_SYSTEMS = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
}

/** What the figures depend on; nothing that names the machine. */
export function describeMachine(directory) {
  const type = statfsSync(directory).type
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fileSystem: FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`,
  }
}
