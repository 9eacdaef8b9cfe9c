// Files in /etc that neither a package owns nor a person typed, with the program that made them.

/** Who made it; undefined: perhaps a person. */
export function generated(path: string): string | undefined {
  return makers.find(({ pattern }) => pattern.test(path))?.why
}

const makers: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /^\/etc\/alternatives\//, why: 'update-alternatives' },
  { pattern: /^\/etc\/rc[0-6S]\.d\//, why: 'update-rc.d' },
  { pattern: /^\/etc\/ssl\/certs\/|^\/etc\/ca-certificates\.conf$/, why: 'update-ca-certificates' },
  { pattern: /^\/etc\/apparmor\.d\/(?:local|cache)\//, why: 'packages with a profile' },
  { pattern: /^\/etc\/pam\.d\/common-/, why: 'pam-auth-update' },
  {
    pattern: /^\/etc\/(?:shells|nsswitch\.conf|environment|networks|profile)$/,
    why: 'the installation of base packages',
  },
  {
    pattern: /^\/etc\/(?:resolv\.conf|localtime|timezone|locale\.conf|locale\.gen|default\/locale)$/,
    why: 'the installer',
  },
  {
    pattern: /^\/etc\/(?:udev\/hwdb\.bin|ld\.so\.cache|aliases\.db|mtab|\.updated)$/,
    why: 'a tool that reads other files',
  },
  { pattern: /^\/etc\/(?:dpkg\/origins\/default|os-release|vtrgb|rmt)$/, why: 'the distribution' },
  { pattern: /^\/etc\/apt\/(?:trusted\.gpg\.d\/|apt\.conf\.d\/01autoremove-)/, why: 'apt and key packages' },
  {
    pattern: /^\/etc\/(?:xml|sgml|python3[^/]*|perl\/.*\.d|fonts\/conf\.d|gtk-[^/]*|emacs)\//,
    why: 'catalogues of packages',
  },
  { pattern: /^\/etc\/console-setup\/cached/, why: 'console-setup' },
  { pattern: /^\/etc\/systemd\/system\/.*\.(?:wants|requires|upholds)\//, why: 'systemctl enable' },
]
