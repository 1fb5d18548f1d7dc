/** One walk alone, for tests on the running kernel. */
import { createBpfHost } from '../../../core/bpf/libbpf.js';
import { findInstallation } from '../../../core/install.js';
import type { Kernel, KernelProfile, StrategyReport } from '../../../core/kernel/kernel.js';
import { createBpfLoader } from '../../../core/kernel/loader.js';
import { silentLogger } from '../../../core/logger.js';
import { tryWalks, type WalkedMap, type WalkName } from './walk.js';

/** The profile with this walk as the only choice; as it is without one. */
export function withWalk(profile: KernelProfile, walk: WalkName | undefined): KernelProfile {
  if (walk === undefined) return profile;
  const parts = (profile.parts ?? []).map((part) =>
    part.name === 'walk'
      ? { ...part, choices: part.choices.filter(({ name }) => name === walk) }
      : part,
  );
  return { ...profile, parts };
}

/** Why this kernel does not walk so; undefined if it does. */
export function walkMissing(
  kernel: Kernel,
  profile: KernelProfile,
  walk: WalkName,
  maps: readonly WalkedMap[],
): string | undefined {
  let report: StrategyReport | undefined;
  const loader = createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: withWalk(profile, walk),
    objectFile: findInstallation(import.meta.url).bpfObject(profile.plugin),
    strategy: 'auto',
    logger: silentLogger,
    onReport: (told) => {
      report = told;
    },
  });
  const loaded = loader.load({ verify: (trial) => tryWalks(trial, maps) });
  void loaded.close();
  if (loaded.parts.get('walk') === walk) return undefined;
  const { verdicts = [] } = report?.parts.find(({ part }) => part === 'walk') ?? {};
  return verdicts.flatMap(({ reasons }) => reasons).join('; ') || `no walk by ${walk}`;
}
