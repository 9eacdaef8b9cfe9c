// The docker configuration with which a login is used.
import { expect, test } from 'vitest'
import { configurationWith } from '../../../agent/host/registry-login.ts'

const login = { host: 'registry.example.org:5000', username: 'deploy', password: 'sword:fish', secret: 'token' }
const auth = Buffer.from('deploy:sword:fish').toString('base64')

test('a login is the only thing in it on a host where root has set up nothing', () => {
  expect(JSON.parse(configurationWith('{}', [login]))).toEqual({ auths: { 'registry.example.org:5000': { auth } } })
  expect(configurationWith('not JSON', [login])).toBe(configurationWith('{}', [login]))
})

test("Docker Hub's login has the address docker looks for", () => {
  expect(JSON.parse(configurationWith('{}', [{ ...login, host: 'docker.io' }]))).toEqual({
    auths: { 'https://index.docker.io/v1/': { auth } },
  })
})

test('what root has set up holds besides, and no helper is asked for the login of the service', () => {
  const own = { auths: { other: { auth: 'x' } }, proxies: { default: {} }, credsStore: 'pass', currentContext: 'far' }
  expect(JSON.parse(configurationWith(JSON.stringify(own), [login]))).toEqual({
    ...own,
    auths: { other: { auth: 'x' }, 'registry.example.org:5000': { auth } },
    credHelpers: { 'registry.example.org:5000': '' },
  })
})
