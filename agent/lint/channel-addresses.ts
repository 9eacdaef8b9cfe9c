// Addresses of alert channels that everyone who reads the repository could use: with a user and password in them. Pure.
import { splitAddress } from '../../shared/address.ts'
import type { Fleet } from '../../shared/repository/fleet.ts'
import type { LintWarning } from './warning.ts'

export function channelAddressWarnings({ alerts }: Pick<Fleet, 'alerts'>): readonly LintWarning[] {
  return alerts.flatMap(({ to, url }, index) => {
    const { url: plain, credentials } = splitAddress(url)
    if (credentials === undefined || /\$\{\{/.test(url)) return []
    return [
      {
        code: 'channel-password',
        message: `the ${to} channel ${plain} is given with a user and password, for all who read the repository.`,
        where: { file: 'plumb.yaml', key: `alerts.${index}.url` },
        remedy: `Write the address into secrets/NAME in the data directory of the server, mode 0600, and here: url: $\{{ secrets.NAME }}`,
      },
    ]
  })
}
