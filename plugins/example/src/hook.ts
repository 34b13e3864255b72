import type { Registration } from 'perdure'

/** Tells `perdure` which module registers what this plugin brings. Called for the hook `perdure:register`. */
export default async function register(): Promise<Registration> {
  return { modules: [new URL('./register.js', import.meta.url).href] }
}
