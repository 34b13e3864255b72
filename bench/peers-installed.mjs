import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** Installs the peers if that has not been done. @returns false if they cannot be */
export function installPeers() {
  if (existsSync(`${HERE}node_modules/.package-lock.json`)) return true
  console.error('The other stores are not installed. Running npm install --prefix bench; this can take some minutes.')
  const { status } = spawnSync('npm', ['install', '--prefix', HERE], {
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  return status === 0
}
