import type { Change, ChangeSummary, DurusImportReport } from '../index.js'
import { count } from './count.js'
import { formatBytes } from './progress.js'
import { renderTable } from './table.js'

/** Of each kind of change so many are shown. */
const SHOWN = 3

/** The report of an import as people read it. */
export function renderImport(target: string, report: DurusImportReport): string {
  const { format, objects, bytes, unreachable, tornBytes, classes, changes } = report
  const lines = [`${target}: ${count(objects, 'object')}, ${formatBytes(bytes)}, from a ${format} file.`]
  if (tornBytes > 0)
    lines.push(`The file ends with ${formatBytes(tornBytes)} of a transaction that was never completed.`)
  if (unreachable > 0) lines.push(`Left out: ${count(unreachable, 'object')} that cannot be reached from the root.`)
  const rows = classes.map(({ pythonName, className, objects: number }) => [pythonName, className, number])
  lines.push('', renderTable(['in Python', 'here', 'objects'], rows))
  if (changes.length > 0)
    lines.push('', 'Not mapped one to one (docs/durus.md tells of each kind):', ...changes.flatMap(renderChange))
  return lines.join('\n')
}

function renderChange({ kind, count: number, examples }: ChangeSummary): string[] {
  const shown = examples.slice(0, SHOWN).map(renderExample)
  return [`${kind}: ${number}`, ...shown, ...(number > shown.length ? ['  ...'] : [])]
}

function renderExample({ oid, className, path, found, stored }: Change): string {
  return `  ${className || 'object'} ${oid}${path === '' ? '' : `, ${path}`}: ${found} -> ${stored}`
}
