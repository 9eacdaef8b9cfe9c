// Programs that check all their files at once (`nginx -t`, `named-checkconf`): run when every file is in place, before anything reads them.

import { type Command, endText, outputText, type Run } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'

/** Run by `sh -c` as written. Throws PlumbError with its words. */
export async function validateTree(text: string, run: Run): Promise<void> {
  const command: Command = { args: ['sh', '-c', text], deadlineSeconds: 120 }
  const result = await run(command)
  if (result.code === 0) return
  const output = outputText(result)
  throw new PlumbError({
    code: 'validation-failed',
    message:
      `The validation \`${text}\` failed: ${endText(command, result)}${output === '' ? '.' : `:\n${output}`}`.slice(
        0,
        4000,
      ),
    remedy: 'Correct the files in the repository and push; what was there is in place again.',
  })
}
