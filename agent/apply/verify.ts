// Right after the last path of a service is in place, and before anything reads it: whether each is there as the kind of thing that it is
// to be. A step can take away what an earlier one made when both lead to one place by names that nobody could tell apart before.
import { PlumbError } from '../../shared/problem.ts'
import type { FileReader } from '../host/files.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { pathInId, pathOf } from '../resources/paths.ts'

/** Throws PlumbError, so that all of the service is undone. */
export async function verifyPaths(
  { record, leftDiffering, handedOver }: ServicePlan,
  files: FileReader,
): Promise<void> {
  const others = handedOver.flatMap((one) => (one.kind === 'resource' ? [one.id] : []))
  const left = new Set([...leftDiffering, ...others])
  await files.pass(async () => {
    for (const [id, { attributes }] of record?.resources ?? []) {
      const wanted = attributes['type']
      if (wanted === undefined || left.has(id) || pathInId(id) === undefined) continue
      const found = files.stat(pathOf(id))?.type ?? 'missing'
      if (found !== wanted) throw undone(pathOf(id), found, wanted)
    }
  })
}

function undone(path: string, found: string, wanted: string): PlumbError {
  const what = found === 'missing' ? 'is missing' : `is a ${found}, should be a ${wanted},`
  return new PlumbError({
    code: 'apply-failed',
    message: `it ${what} right after the apply put everything in place: another path of this service leads there, or another program changed it.`,
    where: { file: path },
    remedy: 'Look for a link on the way to it: namei -l shows them.',
  })
}
