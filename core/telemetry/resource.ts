import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { arch, hostname, release } from 'node:os';
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { Environment } from './settings.js';

export interface ResourceOptions {
  /** `resource` of the YAML. */
  readonly config: Readonly<Record<string, string>>;
  readonly env: Environment;
  /** Of mem-watcher. */
  readonly version: string;
  /** Reads a file, undefined if it cannot; for tests. */
  readonly read?: (path: string) => string | undefined;
}

/** Semantic conventions' words for the processors that Node names otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm: 'arm32', ia32: 'x86' };

/** OpenTelemetry's name space for `service.instance.id`. */
const INSTANCE_NAMESPACE = '4d63009a8d0f11eeaad74c796ed8e320';

/**
 * The host and the agent, which every point, event and span has in common. What is watched is on
 * the data itself, so the agent's own pid and container are left out on purpose: a backend would
 * take them for those of the watched.
 *
 * Laid over one another, the last wins: what is detected, OTEL_RESOURCE_ATTRIBUTES,
 * OTEL_SERVICE_NAME, the YAML. An attribute set to nothing is left out.
 */
export function detectResource(options: ResourceOptions): Resource {
  const { config, env, version, read = readText } = options;
  const serviceName = env.OTEL_SERVICE_NAME?.trim();
  const attributes: Record<string, string | undefined> = {
    ...detectHost(read),
    'service.name': 'mem-watcher',
    'service.version': version,
    ...parseKeyPairsIntoRecord(env.OTEL_RESOURCE_ATTRIBUTES),
    ...(serviceName && { 'service.name': serviceName }),
    ...config,
  };
  attributes['service.instance.id'] ??= instanceId(attributes);
  const present = Object.entries(attributes).filter(([, value]) => value);
  return resourceFromAttributes(Object.fromEntries(present));
}

function detectHost(read: (path: string) => string | undefined) {
  // In a container that shares the host's pids, pid 1's root is the host's, ours is the image's.
  const first = (...paths: string[]) =>
    paths
      .flatMap((path) => [`/proc/1/root${path}`, path])
      .reduce(
        (found: string | undefined, path) => found ?? (read(path)?.trim() || undefined),
        undefined,
      );
  const osRelease = first('/etc/os-release', '/usr/lib/os-release');
  return {
    'host.name': inHostsUts() ? hostname() : (first('/etc/hostname') ?? hostname()),
    'host.id': first('/etc/machine-id', '/var/lib/dbus/machine-id'),
    'host.arch': ARCHITECTURES[arch()] ?? arch(),
    'os.type': 'linux',
    'os.description': /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease ?? '')?.[1],
    'os.version': release(),
  };
}

/** The same on every start on this host, and not the machine's id itself. */
function instanceId(attributes: Readonly<Record<string, string | undefined>>): string {
  const machine = attributes['host.id'];
  if (!machine) return randomUUID();
  const hash = createHash('sha1')
    .update(Buffer.from(INSTANCE_NAMESPACE, 'hex'))
    .update(`${attributes['service.name']}/${machine}`)
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex', 0, 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Whether we see the host's own name, or a container's. */
function inHostsUts(): boolean {
  try {
    return readlinkSync('/proc/1/ns/uts') === readlinkSync('/proc/self/ns/uts');
  } catch {
    return true;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
