import { register } from 'node:module'

/*
 * To be imported before a program: lets it run as if the package libsql were not installed.
 */
const hooks = `
export function resolve(specifier, context, next) {
  if (specifier !== 'libsql') return next(specifier, context)
  throw Object.assign(new Error("Cannot find package 'libsql'"), { code: 'ERR_MODULE_NOT_FOUND' })
}
`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
