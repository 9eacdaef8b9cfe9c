// Modes, line endings and leftovers that make a reader refuse or misread a file.
import { runParts } from './names.ts'
import type { Inspected, Pitfall } from './pitfall.ts'

const crontab = /^\/(?:etc\/(?:crontab|cron\.d\/[^/]+)|var\/spool\/cron\/(?:crontabs\/)?[^/]+)$/
const sudoers = /^\/etc\/sudoers(?:\.d\/[^/]+)?$/
const anywhere = /^/
const placeholder = /\$\{\{[^\S\n]*(?:(?:secrets|vars)\.[A-Za-z_][\w-]*|host\.name)[^\S\n]*\}\}/

export const contentPitfalls: readonly Pitfall[] = [
  {
    code: 'no-final-newline',
    at: crontab,
    holds: endsWithoutNewline,
    message: 'has no newline at its end: cron ignores the file',
    remedy: 'End its last line.',
  },
  {
    code: 'no-final-newline',
    at: /^\/etc\/(?:fstab|hosts|exports|environment)$/,
    holds: endsWithoutNewline,
    message: 'has no newline at its end: what another program appends joins the last line',
    remedy: 'End its last line.',
  },
  {
    code: 'shebang-crlf',
    at: anywhere,
    holds: ({ text }) => (/^(?:\ufeff)?#![^\n]*\r\n/.test(text ?? '') ? 1 : false),
    message: 'has Windows line endings: the kernel looks for an interpreter whose name ends with a carriage return',
    remedy: 'Convert it with dos2unix, or say `* text=auto eol=lf` in .gitattributes.',
  },
  {
    code: 'crlf',
    at: new RegExp(`${crontab.source}|${sudoers.source}|^/etc/(?:profile\\.d/|default/|environment$|fstab$|hosts$)`),
    holds: ({ text }) => !text?.startsWith('#!') && lineOf(text, /\r\n/),
    message: 'has Windows line endings: its reader takes the carriage return for part of the value',
    remedy: 'Convert it with dos2unix, or say `* text=auto eol=lf` in .gitattributes.',
  },
  {
    code: 'byte-order-mark',
    at: /^\/etc\/|^\/(?:usr\/(?:local\/)?)?s?bin\/|\.sh$/,
    holds: ({ text }) => (text?.startsWith('\ufeff') === true ? 1 : false),
    message: 'begins with a byte order mark, which its reader takes for text',
    remedy: 'Save it as UTF-8 without one.',
  },
  {
    code: 'not-executable',
    at: runParts,
    holds: isNotExecutable,
    message: 'is not executable: run-parts skips it',
    remedy: (file) => `Make it executable: chmod +x ${file}, or mode "0755" in service.yaml.`,
  },
  {
    code: 'not-executable',
    at: /^\/(?:(?:usr\/(?:local\/)?)?s?bin|opt\/(?:[^/]+\/)?bin|etc\/(?:init\.d|NetworkManager\/dispatcher\.d|grub\.d))\/[^/]+$/,
    holds: (file) => isNotExecutable(file) && file.text?.startsWith('#!') === true,
    message: 'is a program without permission to execute it',
    remedy: (file) => `Make it executable: chmod +x ${file}, or mode "0755" in service.yaml.`,
  },
  {
    code: 'not-executable',
    at: /^\/etc\/(?:rc\.local|letsencrypt\/renewal-hooks\/[^/]+\/[^/]+|initramfs-tools\/(?:hooks|scripts\/[^/]+)\/[^/]+)$/,
    holds: (file) => isNotExecutable(file) && file.text?.startsWith('#!') === true,
    message: 'is not executable: its reader skips it',
    remedy: 'Make it executable: chmod +x FILE, or mode "0755" in service.yaml.',
  },
  {
    code: 'crontab-mode',
    at: /^\/var\/spool\/cron\/crontabs\/[^/]+$/,
    holds: ({ kind, mode }) => kind === 'file' && mode !== 0o600,
    message: "is a user's crontab, which cron ignores with any mode but 0600",
    remedy: 'Give it mode "0600" and its user as owner in service.yaml, or use /etc/cron.d.',
  },
  {
    code: 'sudoers-mode',
    at: sudoers,
    holds: ({ kind, mode }) => kind === 'file' && (mode & ~0o440) !== 0,
    message: 'is for sudo, whose visudo -c refuses any mode but 0440',
    remedy: 'Give it mode "0440" in service.yaml.',
  },
  {
    code: 'cron-owner',
    at: /^\/etc\/(?:crontab|cron\.d\/[^/]+)$/,
    holds: ({ kind, mode, settings }) => kind === 'file' && (settings.owner !== 'root' || (mode & 0o022) !== 0),
    message: 'can be written by others than root: cron ignores the file',
    remedy: 'Leave it to root with mode "0644".',
  },
  {
    code: 'ssh-mode',
    at: /\/\.ssh\/[^/]+$/,
    holds: ({ kind, mode }) => kind === 'file' && (mode & 0o022) !== 0,
    message: 'can be written by others than its owner: sshd refuses it',
    remedy: 'Give it mode "0600" in service.yaml.',
  },
  {
    code: 'connection-mode',
    at: /^\/etc\/NetworkManager\/system-connections\/[^/]+$/,
    holds: ({ kind, mode }) => kind === 'file' && (mode & 0o077) !== 0,
    message: 'can be read by others than root: NetworkManager ignores it',
    remedy: 'Give it mode "0600" in service.yaml.',
  },
  {
    code: 'placeholder-not-filled-in',
    // Files of a forge's pipelines have names of that form that the forge fills in.
    at: /^(?!.*\/workflows?\/)/,
    holds: ({ text, settings }) => !settings.template && lineOf(text, placeholder),
    message: 'has a placeholder of a template, and is deployed with it as it stands: it is not a template',
    remedy: 'Give it `template: true` under `files` in service.yaml.',
  },
  {
    code: 'timer-without-start',
    at: /^\/etc\/systemd\/(?:system|user)\/[^/]+\.timer$/,
    holds: hasNoFirstStart,
    message:
      'counts from the last run of its service alone: until something else starts that, the timer stays active and never elapses',
    remedy: 'Add OnCalendar=, OnActiveSec= or OnBootSec= for the first run.',
  },
  {
    code: 'placeholder-deployed',
    at: /\/\.(?:git)?keep$/,
    holds: () => true,
    message: 'is deployed as a file of that name',
    remedy: 'For an empty directory, name it under `directories` in service.yaml.',
  },
  {
    code: 'leftover-deployed',
    at: /(?:~|\/\.DS_Store|\/Thumbs\.db|\.(?:sw[op]|orig|rej|dpkg-(?:dist|new|old)|rpm(?:save|new)))$/,
    holds: () => true,
    message: 'is a leftover of an editor, a merge or a package manager, and is deployed',
    remedy: 'Remove it, and name such files in .gitignore.',
  },
]

function endsWithoutNewline({ text }: Inspected): boolean {
  return text !== undefined && text !== '' && !text.endsWith('\n')
}

/** The line of the setting that only repeats. Only calendars, boot, start-up and the timer itself give a first time. */
function hasNoFirstStart({ text }: Inspected): number | false {
  if (/^[ \t]*(?:OnCalendar|OnActiveSec|OnBootSec|OnStartupSec)[ \t]*=[ \t]*\S/m.test(text ?? '')) return false
  return lineOf(text, /^[ \t]*OnUnit(?:Active|Inactive)Sec[ \t]*=[ \t]*\S/m)
}

function isNotExecutable({ kind, mode }: Inspected): boolean {
  return kind === 'file' && (mode & 0o111) === 0
}

function lineOf(text: string | undefined, pattern: RegExp): number | false {
  const found = text === undefined ? null : pattern.exec(text)
  return found === null ? false : (text ?? '').slice(0, found.index).split('\n').length
}
