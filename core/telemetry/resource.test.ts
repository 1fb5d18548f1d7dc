import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { detectResource } from './resource.js';

const files = (contents: Record<string, string>) => (path: string) => contents[path];
const host = files({
  '/etc/machine-id': 'abc123\n',
  '/etc/os-release': 'PRETTY_NAME="A Linux 1"\n',
});
const attributesOf = (options: Partial<Parameters<typeof detectResource>[0]> = {}) =>
  detectResource({ config: {}, env: {}, version: '1.2.3', read: host, ...options }).attributes;

test('says what the host says of itself', () => {
  const { attributes } = detectResource({ config: {}, env: {}, version: '1' });
  const uname = (flag: string) => execFileSync('uname', [flag], { encoding: 'utf8' }).trim();
  assert.equal(attributes['host.name'], uname('-n'));
  assert.equal(attributes['os.version'], uname('-r'));
  assert.equal(attributes['os.type'], 'linux');
  const arch = { x86_64: 'amd64', aarch64: 'arm64' }[uname('-m')];
  assert.equal(attributes['host.arch'], arch);
});

test("the agent and the host, never the agent's pid or container", () => {
  const attributes = attributesOf();
  assert.equal(attributes['service.name'], 'mem-watcher');
  assert.equal(attributes['service.version'], '1.2.3');
  assert.equal(attributes['host.id'], 'abc123');
  assert.equal(attributes['os.description'], 'A Linux 1');
  const names = Object.keys(attributes);
  assert.deepEqual(
    names.filter((name) => /^(process|container|k8s)\./.test(name)),
    [],
  );
});

test("the host behind a container's root comes first", () => {
  const read = files({ '/etc/machine-id': 'image', '/proc/1/root/etc/machine-id': 'host' });
  assert.equal(attributesOf({ read })['host.id'], 'host');
});

test('variables are laid over what is detected, the YAML over both', () => {
  const env = {
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,deployment.environment.name=pro%2Cd,host.id=env',
    OTEL_SERVICE_NAME: 'b',
  };
  const attributes = attributesOf({ env, config: { 'host.id': 'yaml' } });
  assert.equal(attributes['service.name'], 'b');
  assert.equal(attributes['deployment.environment.name'], 'pro,d');
  assert.equal(attributes['host.id'], 'yaml');
});

test('an attribute set to nothing is left out', () => {
  assert.equal('os.description' in attributesOf({ config: { 'os.description': '' } }), false);
});

test('the instance is the same on every start, another on another host, and not the machine id', () => {
  const id = attributesOf()['service.instance.id'];
  assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(attributesOf()['service.instance.id'], id);
  assert.notEqual(
    attributesOf({ read: files({ '/etc/machine-id': 'x' }) })['service.instance.id'],
    id,
  );
  const unknown = () => attributesOf({ read: () => undefined })['service.instance.id'];
  assert.notEqual(unknown(), unknown());
});
