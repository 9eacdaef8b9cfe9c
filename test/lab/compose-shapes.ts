// Compose projects in the shapes that most have, written for tests: reverse proxy, site, database, monitoring, build, files, include.
import type { TestFiles } from '../support/git.ts'

export const password = `p$w{"#; & é`

const idle = 'image: localhost/box:1\n    init: true\n    command: sleep 100000'

const proxy: TestFiles = {
  'compose.yaml': `services:
  proxy:
    ${idle}
    container_name: proxy
    restart: unless-stopped
    ports: ["80:80", "443:443"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro", "./acme:/acme", "./dynamic:/etc/dynamic:ro"]
    networks: [edge]
networks: { edge: { name: edge } }
`,
  'dynamic/tls.yml': 'tls: {}\n',
  'service.yaml': 'compose: { allowMounts: [/var/run/docker.sock] }\n',
}

const site: TestFiles = {
  'compose.yaml': `services:
  web:
    ${idle}
    labels: { traefik.enable: "true", traefik.http.routers.site.rule: "Host(\`example.org\`)" }
    networks: [edge, default]
networks: { edge: { external: true } }
`,
  'service.yaml': 'after: [proxy]\n',
}

const database: TestFiles = {
  'compose.yaml': `services:
  db:
    ${idle}
    environment:
      POSTGRES_USER: \${POSTGRES_USER:-app}
      POSTGRES_PASSWORD: \${POSTGRES_PASSWORD:?must be set}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: { test: [CMD, "true"], interval: 1s }
  app:
    ${idle}
    env_file: .env
    depends_on: { db: { condition: service_healthy } }
volumes: { data: {} }
`,
  '.env': `POSTGRES_USER=app\nPOSTGRES_PASSWORD='\${{ secrets.database }}'\n`,
  'service.yaml': 'files: { .env: { template: true } }\n',
}

export const monitoring: TestFiles = {
  'compose.yaml': `services:
  prometheus:
    ${idle}
    user: "65534"
    volumes: ["./prometheus:/etc/prometheus:ro", "metrics:/prometheus"]
  grafana:
    ${idle}
    volumes: ["./grafana/datasources.yml:/etc/grafana/datasources.yml:ro", "grafana:/var/lib/grafana"]
  node:
    ${idle}
    pid: host
    volumes: ["/:/host:ro"]
volumes: { metrics: {}, grafana: {} }
`,
  'prometheus/prometheus.yml': 'global: { scrape_interval: 15s }\n',
  'grafana/datasources.yml': 'datasources: []\n',
  'service.yaml': 'compose: { allow: [pid-host], allowMounts: [/] }\n',
}

export const built: TestFiles = {
  'compose.yaml': `services:
  app:
    build: { context: ./app }
    init: true
    command: sleep 100000
`,
  'app/Dockerfile': 'FROM localhost/box:1\nCOPY version /app/version\n',
  'app/version': 'one',
}

export const layered: TestFiles = {
  'compose.yaml': `services:
  app:
    ${idle}
    environment: { STAGE: development, LEVEL: debug }
`,
  'compose.production.yaml': `services:
  app:
    environment: { STAGE: production }
  worker:
    ${idle}
`,
  'service.yaml': 'compose: { files: [compose.yaml, compose.production.yaml] }\n',
}

const included: TestFiles = {
  'compose.yaml': `include: [cache/compose.yaml]
services:
  web:
    ${idle}
    depends_on: [cache]
`,
  'cache/compose.yaml': `services:
  cache:
    ${idle}
    volumes: ["./cache.conf:/etc/cache.conf:ro"]
`,
  'cache/cache.conf': 'maxmemory 1mb',
}

export const shapes: Readonly<Record<string, TestFiles>> = {
  proxy,
  site,
  database,
  monitoring,
  built,
  layered,
  included,
}
