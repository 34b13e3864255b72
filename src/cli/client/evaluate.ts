import { inspect } from 'node:util'
import { type Node, parse } from 'acorn'

const AsyncFunction = (async () => {}).constructor as new (body: string) => () => Promise<unknown>

/**
 * Runs code in the global scope; top-level `await` is allowed.
 *
 * @param name shown in stack traces
 * @returns the value of the last statement, if that is an expression
 * @throws whatever the code throws, what is no Error as one; or a SyntaxError
 */
export async function evaluate(code: string, name: string): Promise<unknown> {
  const { body } = parse(code, { ecmaVersion: 'latest', allowAwaitOutsideFunction: true })
  const last = body.at(-1)
  const source = last?.type === 'ExpressionStatement' ? returnExpression(code, last) : code
  try {
    return await new AsyncFunction(`${source}\n//# sourceURL=${name}`)()
  } catch (thrown) {
    throw thrown instanceof Error ? thrown : new Error(`Uncaught ${inspect(thrown)}`)
  }
}

function returnExpression(code: string, { start, end }: Node): string {
  const expressionEnd = code[end - 1] === ';' ? end - 1 : end
  // The line end closes a comment, if the expression ends with one.
  return `${code.slice(0, start)}return (${code.slice(start, expressionEnd)}\n)${code.slice(end)}`
}
