/**
 * Which container and pod a cgroup belongs to, told from its path alone: no runtime is asked.
 * Pure; what the running kernel says of a process is read in `cgroup-paths.ts`.
 */

export interface ContainerIdentity {
  /** 64 hex digits, or the name where the runtime knows its containers by name; absent outside containers. */
  readonly containerId: string | undefined;
  /** As Kubernetes writes it, with dashes; a static pod's is 32 hex digits. */
  readonly podUid: string | undefined;
}

/**
 * The container's own part of the path, as the runtimes name it:
 *
 *   ID                  docker, containerd and podman pods with the cgroupfs driver
 *   docker-ID.scope     docker, systemd driver
 *   cri-containerd-ID   containerd (nerdctl-ID likewise)
 *   crio-ID, libpod-ID  cri-o, podman; with or without `.scope`
 *   libpod-payload-ID   podman split cgroups
 */
const CONTAINER = /^(?:([\w.@-]+)-)?([0-9a-f]{64})(?:\.scope)?$/;

/**
 * Runtimes that have no such id, by the whole path up to the container's own part:
 *
 *   lxc.payload.NAME, lxc.payload/NAME     LXC, LXD and Incus since LXC 4.0 and 3.1
 *   lxc/NAME                               LXC before; `lxc/NAME-1` is another container
 *   machine.slice/systemd-nspawn@NAME.service, machine.slice/machine-NAME.scope
 *                                          systemd-nspawn; virtual machines are machine-qemu-…
 *   garden/UUID                            Cloud Foundry
 *   ecs/TASK/TASK-NUMBER                   AWS Fargate
 */
const NAMED = [
  /(?:^|\/)lxc\.payload[./]([^/]+)$/,
  /(?:^|\/)lxc\/([^/]+)$/,
  /(?:^|\/)machine\.slice\/systemd-nspawn@([^/]+)\.service$/,
  /(?:^|\/)machine\.slice\/machine-(?!qemu|libpod)([^/]+)\.scope$/,
  /(?:^|\/)garden\/([0-9a-f]{8}(?:-[0-9a-f]{4}){4,6}[0-9a-f]*)$/,
  /(?:^|\/)ecs\/[0-9a-f]{32}\/([0-9a-f]{32}-\d+)$/,
];

/** crio-conmon-ID, libpod-conmon-ID: the monitor of a container runs beside it, not in it. */
const MONITOR = /(?:^|-)conmon$/;

const POD =
  /^(?:[\w.-]+-)?pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;

/** Kubernetes puts every pod under one of these; `kubelet-kubepods.slice` is kind's. */
const PODS_ROOT = /^(?:[\w.]+-)*kubepods(?:[-.]|$)/;

const NOWHERE: ContainerIdentity = { containerId: undefined, podUid: undefined };

/**
 * The innermost container of the path, and the innermost pod. Parts below a container's own (an
 * init system in it, `container` of podman and crun) do not matter.
 */
export function containerOf(path: string): ContainerIdentity {
  let containerId: string | undefined;
  let podUid: string | undefined;
  let inPods = false;
  // `kubepods-…slice:cri-containerd:ID` is how containerd writes systemd paths that it never made.
  for (const part of path.split(/[/:]/)) {
    inPods ||= PODS_ROOT.test(part);
    const pod = inPods ? POD.exec(part) : null;
    if (pod) podUid = pod[1]?.replaceAll('_', '-');
    const container = CONTAINER.exec(part);
    if (container && !MONITOR.test(container[1] ?? '')) containerId = container[2];
  }
  const below = containerId === undefined ? 0 : path.lastIndexOf(containerId) + containerId.length;
  containerId = nameOf(path.slice(below)) ?? containerId;
  return containerId === undefined && podUid === undefined ? NOWHERE : { containerId, podUid };
}

/** The innermost, where runtimes know containers by name. */
function nameOf(path: string): string | undefined {
  if (!HAS_NAMES.test(path)) return undefined;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const part = path.slice(0, end);
    for (const form of NAMED) {
      const name = form.exec(part)?.[1];
      if (name !== undefined) return name;
    }
  }
  return undefined;
}

/** Nearly no path has any of them. */
const HAS_NAMES = /(?:^|\/)(?:lxc|machine\.slice|garden|ecs)[./]/;

/** One line of /proc/PID/cgroup. */
export interface CgroupLine {
  /** The whole line, as `process.linux.cgroup` wants it. */
  readonly line: string;
  readonly path: string;
}

/**
 * The line of /proc/PID/cgroup that says where the process is: `controller`'s own hierarchy (v1),
 * or without one the unified hierarchy (v2). undefined if there is no such line.
 */
export function cgroupLine(text: string, controller?: string): CgroupLine | undefined {
  for (const raw of text.split('\n')) {
    const [hierarchy, controllers, ...rest] = raw.split(':');
    if (hierarchy === undefined || controllers === undefined) continue;
    const found =
      controller === undefined
        ? hierarchy === '0' && controllers === ''
        : controllers.split(',').includes(controller);
    if (!found) continue;
    const line = raw.replace(/ \(deleted\)$/, '');
    return { line, path: rest.join(':').replace(/ \(deleted\)$/, '') };
  }
  return undefined;
}
