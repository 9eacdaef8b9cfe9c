// What `plumb adopt` would need here beside its target, for the commands that other verbs print: a remote that takes a push, and an author.
import { isAbsolute } from 'node:path'
import { PlumbError } from '../../shared/problem.ts'
import { identityOf } from '../adopt/author.ts'
import { gitIn } from '../adopt/git.ts'
import { operatorFrom } from '../host/operator.ts'
import { type Configuration, followsMirror } from './configuration.ts'

export type AdoptNeeds = {
  /** Behind a space. */
  readonly options: string
  /** A line each. */
  readonly notes: readonly string[]
}

export async function adoptNeeds(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<AdoptNeeds> {
  const remote = followsMirror(configuration)
    ? {
        options: ' --remote URL',
        notes: [
          "  URL is the repository that people push to: this host follows the server's copy, which takes no push. Without --remote, adopt writes a patch",
        ],
      }
    : { options: '', notes: [] }
  const isKnown = await isAuthorKnown(configuration, environment)
  return isKnown
    ? remote
    : {
        ...remote,
        notes: [
          ...remote.notes,
          "  git does not know who you are here: adopt asks, or add --author 'NAME <MAIL>' to it",
        ],
      }
}

/** As adopt finds one: a repository that is a directory of this machine may have an identity. Without git adopt says so itself. */
async function isAuthorKnown({ repository }: Configuration, environment: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const operator = await operatorFrom(environment)
    for (const directory of ['/', ...(isAbsolute(repository) ? [repository] : [])])
      if ((await identityOf(gitIn(directory, operator))) !== undefined) return true
    return false
  } catch (error) {
    if (error instanceof PlumbError) return true
    throw error
  }
}
