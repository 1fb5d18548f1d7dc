/** Builds the real programs that the agent is tested with and compared to; once, into the cache. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached, cachePath } from '../cache.js';
import { command } from '../command.js';
import { ROOT } from '../vm/initramfs.js';
import { goCommand } from './go.js';

const MANIFEST = join(ROOT, 'test/e2e/collector-builder.yaml');
const BUILDER = 'go.opentelemetry.io/collector/cmd/builder@v0.159.0';
const NODE_EXPORTER = 'github.com/prometheus/node_exporter@v1.12.1';
const PPROF = 'github.com/google/pprof@v0.0.0-20261016150608-1facf8f91b50';
const JAEGER = 'github.com/jaegertracing/jaeger@v1.76.0';

/** The OpenTelemetry Collector of collector-builder.yaml. The first build takes minutes. */
export async function collectorBinary(): Promise<string> {
  const manifest = readFileSync(MANIFEST, 'utf8');
  const key = createHash('sha256').update(BUILDER).update(manifest).digest('hex').slice(0, 16);
  return cached(cachePath('collector', key), async (partial) => {
    const go = await goCommand();
    await inTemporary(async (dir) => {
      const builder = goInstall(go, BUILDER, 'builder', dir);
      const out = join(dir, 'out');
      const config = join(dir, 'builder.yaml');
      writeFileSync(config, manifest.replace(/^dist:\n/m, `dist:\n  output_path: ${out}\n`));
      command(builder, ['--config', config], { cwd: dir, env: environment(go) });
      const name = /^ {2}name: (\S+)/m.exec(manifest)?.[1] ?? '';
      cpSync(join(out, name), partial);
    });
  });
}

/** prometheus-node-exporter, the peer of the bench. */
export function nodeExporterBinary(): Promise<string> {
  return cached(cachePath('node_exporter', NODE_EXPORTER.split('@')[1] ?? ''), async (partial) => {
    const go = await goCommand();
    await inTemporary((dir) => cpSync(goInstall(go, NODE_EXPORTER, 'node_exporter', dir), partial));
  });
}

/** Google's pprof, which reads the profiles. */
export function pprofBinary(): Promise<string> {
  return cached(cachePath('pprof', PPROF.split('@')[1] ?? ''), async (partial) => {
    const go = await goCommand();
    await inTemporary((dir) => cpSync(goInstall(go, PPROF, 'pprof', dir), partial));
  });
}

/**
 * Jaeger, without its user interface. Its module replaces another, so that `go install` refuses it:
 * it is built in a copy of the source. The first build takes minutes.
 */
export function jaegerBinary(): Promise<string> {
  return cached(cachePath('jaeger', JAEGER.split('@')[1] ?? ''), async (partial) => {
    const go = await goCommand();
    say(`building ${JAEGER}, minutes the first time …`);
    await inTemporary((dir) => {
      const env = environment(go);
      const known = command(go, ['mod', 'download', '-json', JAEGER], { cwd: dir, env });
      const { Dir: module } = JSON.parse(known) as { readonly Dir: string };
      const source = join(dir, 'source');
      cpSync(module, source, { recursive: true });
      // The module cache is read-only, and so is its copy, which then nobody but root could delete.
      command('chmod', ['-R', 'u+w', source]);
      const out = join(dir, 'jaeger');
      command('nice', [go, 'build', '-o', out, './cmd/jaeger'], { cwd: source, env });
      cpSync(out, partial);
    });
    say('Jaeger is built');
  });
}

function goInstall(go: string, module: string, name: string, dir: string): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  command(go, ['install', module], { cwd: dir, env: { ...environment(go), GOBIN: bin } });
  return join(bin, name);
}

/** A fetched Go stays as it is, and the builder must find it by name. */
const environment = (go: string): NodeJS.ProcessEnv => ({
  ...process.env,
  ...(go === 'go' ? {} : { PATH: `${join(go, '..')}:${process.env.PATH}`, GOTOOLCHAIN: 'local' }),
});

const say = (text: string): void => {
  process.stderr.write(`real parts: ${text}\n`);
};

async function inTemporary(work: (dir: string) => void | Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-build-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
