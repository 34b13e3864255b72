/** The figures of one suite as a table. */
export function formatSuite(suite, rows) {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const lines = rows.map(({ name, median, values, synced }) => {
    const range = `${formatNumber(Math.min(...values))} - ${formatNumber(Math.max(...values))}`
    return `  ${name.padEnd(width)}  ${formatNumber(median).padStart(10)} ${suite.unit.padEnd(9)}  (${range})${synced ? `  ${synced}` : ''}`
  })
  const title = suite.objects === undefined ? suite.title : `${suite.title}; ${formatCount(rows[0].objects)} objects`
  return `\n${title}\n${lines.join('\n')}`
}

/** The targets, each with what was reached. */
export function formatTargets(judged) {
  if (judged.length === 0) return ''
  const lines = judged.map(({ of, to, least, most, value, pass }) => {
    const what = to === undefined ? of : `${of} : ${to}`
    const wanted = least === undefined ? `<= ${most}` : `>= ${least}`
    return `  ${pass ? 'pass' : 'MISS'}  ${formatNumber(value).padStart(8)}  ${wanted.padEnd(7)}  ${what}`
  })
  return `\nTargets\n${lines.join('\n')}`
}

function formatCount(count) {
  return count.toLocaleString('en')
}

function formatNumber(value) {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
