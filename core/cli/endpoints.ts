import type { AgentConfig } from '../config/schema.js';
import { type Environment, resolveExporters } from '../telemetry/settings.js';

/** Where the agent sends and can be scraped, for people; credentials are left out. */
export function endpoints({ exporters }: AgentConfig, env: Environment): string[] {
  const { prometheus, signals } = resolveExporters(exporters, env);
  const scrape = prometheus ? [`scrape http://${prometheus.host}:${prometheus.port}/metrics`] : [];
  const pushed = Map.groupBy(signals, ({ exporter, url }) => `${exporter} to ${url.origin}`);
  const otlp = [...pushed].map(
    ([target, of]) => `OTLP ${target} (${of.map(({ signal }) => signal).join(', ')})`,
  );
  return [...scrape, ...(otlp.length > 0 ? otlp : ['OTLP off: no endpoint'])];
}
