import type { AgentConfig } from '../config/schema.js';

/** Where the agent sends and can be scraped, for people; credentials are left out. */
export function endpoints(
  { exporters }: AgentConfig,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const { prometheus, otlp } = exporters;
  const scrape = prometheus.enabled
    ? [`scrape http://${prometheus.host}:${prometheus.port}/metrics`]
    : [];
  const pushed = Object.entries(otlp).flatMap(([name, { endpoint }]) => {
    const target = endpoint ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
    return target ? [`otlp ${name} ${withoutCredentials(target)}`] : [];
  });
  return [...scrape, ...(pushed.length > 0 ? pushed : ['otlp off: no endpoint'])];
}

/** The URL without user, password and query. */
export function withoutCredentials(url: string): string {
  try {
    const { origin, pathname } = new URL(url);
    return origin + (pathname === '/' ? '' : pathname);
  } catch {
    return 'at an invalid URL';
  }
}
