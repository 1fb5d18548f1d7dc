/**
 * `mem-watcher run` as a process of its own with the real supervisor and exporters, and with plugins
 * that hang: after its first collection in every further one, and when it is closed. With TEST_STATE,
 * which names a file, one writes its state there when it is closed.
 */
import { runCli } from '../../core/cli/cli.js';
import { processContext } from '../../core/cli/process-context.js';
import { createQuietAgent, createSupervisor, type Foundation } from '../../core/compose.js';
import { skipFileWaits } from '../../core/file-waits.js';
import { findInstallation } from '../../core/install.js';
import { StateFile } from '../../core/state-file.js';
import { Probe, ProbeSource, probeModule } from '../../core/testing/probe.js';

const forEver = () => new Promise<void>(() => setInterval(() => undefined, 60_000));

function stuck(): ProbeSource {
  const source = new ProbeSource();
  let collections = 0;
  source.collecting = () => (collections++ === 0 ? undefined : forEver());
  source.closing = forEver;
  return source;
}

const { TEST_STATE } = process.env;
const writer = new ProbeSource();
if (TEST_STATE !== undefined) {
  writer.closing = () => new StateFile(TEST_STATE).write(() => ['state']);
}

const sources = new Map([
  ['writer', writer],
  ['stuck', stuck()],
  ['hanging', stuck()],
  ['fine', new ProbeSource()],
]);

const foundation: Foundation = {
  installation: findInstallation(import.meta.url),
  plugins: [...sources.keys()].map(probeModule),
  build: ({ metadata }, bindings) =>
    new Probe(sources.get(metadata.name) ?? new ProbeSource(), bindings),
};

const context = processContext({
  version: '1.2.3',
  root: foundation.installation.root,
  plugins: foundation.plugins,
  createAgent: (config, options) => createQuietAgent(foundation, config, options),
  createSupervisor: (config, options) => createSupervisor(foundation, config, options),
  forceExit: (code) => process.exit(code),
});
const code = context.exitCode(await runCli(process.argv.slice(2), context));
skipFileWaits();
process.exit(code);
