// What a trigger does, as plans and failed steps say it. Pure.
import type { TriggerAction } from '../../shared/resource.ts'

/** `run nft -f /etc/nftables.conf`, `restart caddy.service`, `reload or restart srv-data.mount`. */
export function actionText(action: TriggerAction): string {
  if (action.kind === 'run') return `run ${action.command}`
  const { kind, unit } = action
  if (kind !== 'reload-or-restart') return `${kind} ${unit}`
  return unit.endsWith('.automount') ? `restart ${unit} unless it has mounted something` : `reload or restart ${unit}`
}
