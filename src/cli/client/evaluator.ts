import { type Runtime, Session } from 'node:inspector'

/** Where results are handed over: the protocol only describes them, but it can call a function on them. */
const RESULT = Symbol.for('perdure.client.result')

/**
 * Runs code in the global scope as a prompt does: top-level await is allowed, declarations stay for the next piece
 * of code and may be repeated, and the value of the last expression is the result. V8 has a mode for that
 * (`replMode` of https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-evaluate).
 */
export class Evaluator {
  readonly #session = new Session()

  constructor() {
    this.#session.connect()
  }

  /** @throws whatever the code throws, or a SyntaxError */
  async run(code: string): Promise<unknown> {
    const answer = await new Promise<Runtime.EvaluateReturnType>((resolve, reject) => {
      const request = { expression: code, replMode: true, awaitPromise: true, userGesture: false }
      this.#session.post('Runtime.evaluate', request, (error, result) => (error === null ? resolve(result) : reject(error)))
    })
    const { result, exceptionDetails } = answer
    if (exceptionDetails !== undefined) throw await this.#valueOf(exceptionDetails.exception ?? result)
    return this.#valueOf(result)
  }

  async #valueOf(described: Runtime.RemoteObject): Promise<unknown> {
    const functionDeclaration = 'function (key, value) { globalThis[key] = value }'
    const given = described.objectId === undefined ? primitive(described) : { objectId: described.objectId }
    await new Promise<void>((resolve, reject) => {
      const call = { functionDeclaration, arguments: [{ value: KEY }, given], executionContextId: 1 }
      this.#session.post('Runtime.callFunctionOn', call, (error) => (error === null ? resolve() : reject(error)))
    })
    return take()
  }

  close(): void {
    this.#session.disconnect()
  }
}
