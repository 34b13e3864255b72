import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const CALLS =
  'openat,pwrite64,pwritev,write,writev,fdatasync,fsync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat'

/** Whether strace is installed and may be used. */
export function hasStrace(): boolean {
  return (
    process.platform === 'linux' &&
    spawnSync('strace', ['-f', '--seccomp-bpf', '-e', 'trace=openat', 'true']).status === 0
  )
}

/**
 * Runs a Node program and lists what it and its threads did to the files of a directory, in the order it began.
 *
 * @param output path of a file for the raw trace
 */
export function traceProgram(args: readonly string[], directory: string, output: string): string[] {
  const options = ['-f', '--seccomp-bpf', '-y', '-s', '0', '-e', `trace=${CALLS}`, '-o', output]
  const { status, stderr } = spawnSync('strace', [...options, process.execPath, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (status !== 0) throw new Error(`The traced program ended with ${status}: ${stderr}`)
  return wholeCalls(readFileSync(output, 'utf8')).flatMap((call) => operationOf(call, directory) ?? [])
}

/** Puts calls together that were interrupted by those of another thread; each has the place of its beginning. */
function wholeCalls(trace: string): string[] {
  const calls: string[] = []
  const unfinished = new Map<string, number>()
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const begun = unfinished.get(thread)
    if (resumed !== null && begun !== undefined) {
      calls[begun] += resumed[1] ?? ''
      unfinished.delete(thread)
    } else if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, calls.push(rest.slice(0, -'<unfinished ...>'.length)) - 1)
    } else {
      calls.push(rest)
    }
  }
  return calls
}

/** A call as an operation of the seam, in the words of `describeOperation`; undefined if it is none. */
function operationOf(call: string, directory: string): string | undefined {
  if (!call.includes(directory) || / = -1 /.test(call)) return undefined
  const [, name = '', args = ''] = /^(\w+)\((.*)\)\s+= /.exec(call) ?? []
  const paths = [...args.matchAll(/[<"]([^<>"]+)[>"]/g)].map(([, path = '']) => path)
  const files = paths.filter((path) => path.startsWith(`${directory}/`)).map((path) => path.slice(directory.length + 1))
  const [file = ''] = files
  const numbers = args.trim().split(', ').slice(-2)
  switch (name) {
    case 'openat':
      return args.includes('O_EXCL') ? `create ${file}` : undefined
    case 'pwrite64':
      return `write ${file} ${numbers[1]}+${numbers[0]}`
    case 'pwritev':
      return `write ${file} ${numbers[1]}+${/= (\d+)$/.exec(call)?.[1]}`
    case 'fdatasync':
      return `sync ${file}`
    case 'fsync':
      return file === '' ? 'sync-directory' : `fsync ${file}`
    case 'ftruncate':
      return `truncate ${file} ${numbers[1]}`
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return `rename ${files.join(' ')}`
    case 'link':
    case 'linkat':
      return `link ${files.join(' ')}`
    case 'unlink':
    case 'unlinkat':
      return `unlink ${file}`
    default:
      return `${name} ${file}`
  }
}
