// What stands where a secret could and is none: names of values, references, types, code, prose. A row for each kind, so that a false hit
// becomes a row and a line of the corpus (test/agent/writing/corpus).

/** As written: in quotes, or up to the next space. */
export type Assigned = { readonly key: string; readonly value: string; readonly isQuoted: boolean }

/** True of a value that is no secret, or is too plain to be one. */
export function isOrdinary({ key, value, isQuoted }: Assigned): boolean {
  if (isHash(value)) return false
  return (
    value.length < 3 ||
    ordinaryKey.test(key) ||
    value.toLowerCase() === key.toLowerCase() ||
    [...references, ...words].some((pattern) => pattern.test(value)) ||
    (!isQuoted && unquoted.some((pattern) => pattern.test(value)))
  )
}

/** Settings that end as a secret's name does: where requests are passed on, tags of sudoers, Kerberos servers, constants of sudo. */
const ordinaryKey =
  /^(?:(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass|ProxyPass|NOPASSWD|(?:Load|Import)Credential(?:Encrypted)?|SetCredentialEncrypted|.*kpasswd|.*(?:by|com|tres|sur|over|under|multi|first|bad|good)_?pass|.*public_?(?:key|token))$/i

/** What leads to a value. Also in quotes. */
const references: readonly RegExp[] = [
  // Shell, compose, templates, systemd's specifiers; <angle brackets> of manuals, tags of HTML.
  /^(?:\$+[A-Za-z_{(0-9@*#?!]|`|\{\{|%[({A-Za-z]|<.*>$|<[A-Za-z/!%]|@[A-Z_]+@$|#\{|\[%|!(?:vault|secret|reference|ref|sub|env)\b)/i,
  /^[*&][A-Za-z_][\w-]*$/,
  /^:[a-z_]+$/,
  /^\{[A-Za-z_][\w.]*\}$/,
  /^__[A-Z_]+__$/,
  // Icinga: $mysql_password$
  /^\$[a-z_]+\$$/,
  /^_?(?:vault|env|file|cmd|exec|ssm|op|ref\+[a-z]+|arn:aws|awssm|gcpsm|azurekv|keyring)s?:/i,
  // Encrypted: SOPS, jasypt, Spring, a SealedSecret of Kubernetes.
  /^(?:ENC[[(]|\{cipher\}|Ag[A-D][A-Za-z0-9+/]{200})/,
  // Where something is, without a user's name in it.
  /^(?:[a-z][a-z0-9+.-]*:\/\/(?![^/]*@)|unix:)/,
  // A path.
  /^(?:~|\.{1,2})?\/(?:[A-Za-z0-9_.@%${}-]+\/)*[A-Za-z0-9_.@%${}*-]*[a-z]{3}[A-Za-z0-9_.@%${}*-]*\/?$/,
  /^(?:~|\.{1,2})?\/(?=.*[a-z]{3})(?:[A-Za-z0-9_.@-]+\/)*[A-Za-z0-9_.@-]+\/?$/,
  /\.(?:pem|key|crt|cert|file|txt|so|conf|env|gpg|asc|sock)$/i,
  // Of regular expressions: \w, (?:, (YES|NO).
  /\\[sSwWdDbS](?:[+*?)]|$)|\(\?[:=!P]|^\(\w+(?:\|\w+)+\)/,
  // What stands between two texts in a program.
  /^[,;)\]}]/,
]

const words: readonly RegExp[] = [
  // Of sudoers.
  /^ALL$/,
  /^(?:yes|no|true|false|on|off|null|nil|none|never|always|required|requisite|optional|sufficient|include|omit|same-origin|prompt|ask|interactive|default|disabled?|enabled?|auto|basic|bearer|md5|plain|scram-sha-256|files|compat|db|sss|nis|ldap|dns|winbind|extrausers|mymachines|systemd|public|password|passwd|secret|token|pass|user|username|changeme|change[_-]?(?:me|it|this)|changeit|replace[_-]?me|placeholder|redacted|masked|hidden|whatever|example|foobared|todo|tbd|fixme|x+|\*+|\.+|-+|_+|your[_-].*|my[_-]?(?:password|secret|token))$/i,
  /^[0-9]{1,5}(?:ms|[smhd])?$/,
  // A port of /etc/services.
  /^[0-9]{1,5}\/(?:tcp|udp|sctp|dccp)$/,
  // A constant that is named after what it holds: MAIN_TLS_PRIVATEKEY.
  /^(?=.*(?:PASS|SECRET|TOKEN|KEY|CREDENTIAL))[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/,
  // Text for people: "Enter your password".
  /^(?:enter|please|invalid|missing|wrong|expired|incorrect|type|choose) /i,
]

/** Code and prose, which do not stand in quotes. */
const unquoted: readonly RegExp[] = [
  // A call, an index, a member: os.environ["X"], cfg.influxdbPassword, self.token.
  /^[A-Za-z_][\w.:>-]*[([]/,
  /^(?:self|this|cfg|config|conf|settings|options|opts|args|argv|params|env|os|process|req|request|ctx|data|props|state|user|module|var|local|each)(?:\.|->|::)\w/,
  /^&?[A-Za-z_$][\w$-]*(?:(?:\.|->|::|:)[A-Za-z_$][\w$-]*)*(?:\.|->|::|:|-)[\w$-]*(?:[pP]ass|[sS]ecret|[tT]oken|[cC]redential|Integer|String)[\w$-]*[,;)]*$/,
  /^(?:await|new|function|lambda|return|typeof|if|else|undefined|import|require|const|let|def|not|and|or|in|is)$/,
  // A type in a program, a schema, a specification.
  /^(?:str|string|text|bytes?|u?int(?:eger)?(?:8|16|32|64)?|bool(?:ean)?|char|varchar|blob|object|any|array|list|map|dict|uuid|secretstr)[,;?|]*$/i,
  // The default of a parameter: `def login(user, password=None):`
  /^(?:None|nil|null|undefined|true|false|True|False)[)\]},;:]+$/,
  // The next word of a sentence.
  /^(?:the|a|an|is|are|was|were|be|it|its|must|may|can|cannot|could|should|will|would|has|have|to|for|of|at|by|as|from|with|and|or|not|if|when|this|that|these|which|your|their|our|used|using|see|use|uses|set|enter|invalid|missing|expired|incorrect|wrong|authentication|manager|managers|policy|reset|based|auth|hash|hashes|file|field|only|needed|mismatch|storage|management|try)[.,;:]*$/i,
]

const hashPattern = /\$(?:2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}|(?:apr1|1|5|6|y|7|sha1|argon2(?:id|i|d))\$[^\s:"']{8,})/
const scramPattern = /SCRAM-SHA-256\$[0-9]+:[^\s"']{20,}/

function isHash(value: string): boolean {
  return hashPattern.test(value) || scramPattern.test(value)
}

/** Offsets into the line; compose files have every dollar twice. */
export function passwordHashIn(line: string): { readonly from: number; readonly to: number } | undefined {
  const match =
    /\$\$(?:2[abxy]?\$\$[0-9]{2}\$\$[./A-Za-z0-9]{53}|(?:apr1|1|5|6|y)\$\$[^\s:"']{8,})/.exec(line) ??
    hashPattern.exec(line) ??
    scramPattern.exec(line) ??
    /\{S?SHA\}[A-Za-z0-9+/=]{20,}/.exec(line)
  return match === null ? undefined : { from: match.index, to: match.index + match[0].length }
}
