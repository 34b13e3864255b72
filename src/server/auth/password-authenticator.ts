import type { Authenticator, Exchange, ExchangeStep, PeerContext } from '../authentication.js'
import { authenticationError } from './authentication-error.js'
import type { User } from './credentials.js'
import type { CredentialsFile } from './credentials-file.js'
import { BINDING_TYPE } from './scram-messages.js'
import { type KnownUser, ScramServer, scramMechanisms } from './scram-server.js'

/** Lets in the users of a credentials file, each with their role, who know their passwords. */
export class PasswordAuthenticator implements Authenticator {
  readonly #file: CredentialsFile

  constructor(file: CredentialsFile) {
    this.#file = file
  }

  mechanisms(context: PeerContext): readonly string[] {
    return scramMechanisms(bindingOf(context))
  }

  identify(): undefined {
    return undefined
  }

  begin(mechanism: string, context: PeerContext): Exchange {
    const server = new ScramServer<User>(mechanism, {
      lookUp: (name) => this.#lookUp(name),
      channelBinding: bindingOf(context),
    })
    return {
      async step(message): Promise<ExchangeStep> {
        const { data, who } = await server.step(message)
        return who === undefined ? { challenge: data } : { user: who.name, role: who.role, data }
      },
    }
  }

  /** What is wrong with the file is for the log, and not for a stranger. */
  async #lookUp(name: string): Promise<KnownUser<User>> {
    try {
      return await this.#file.lookUp(name)
    } catch (error) {
      throw authenticationError('Authentication failed: the server cannot check passwords just now.', error as Error)
    }
  }
}

function bindingOf({ channelBinding }: PeerContext): Uint8Array | undefined {
  return channelBinding?.type === BINDING_TYPE ? channelBinding.data : undefined
}
