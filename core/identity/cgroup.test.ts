import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cgroupLine, containerOf } from './cgroup.js';

const A = 'a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90';
const B = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
const UID = '6f4e2b1a-93d7-4c58-8e21-5b0c9d7f1a34';
const UID_ = UID.replaceAll('-', '_');
const STATIC = 'd4f8a1c07be9432f9c5d0a6e1b7f2c38';

type Row = readonly [what: string, path: string, container?: string | undefined, pod?: string];

const TABLE: readonly Row[] = [
  ['root', '/'],
  ['docker, cgroupfs', `/docker/${A}`, A],
  ['docker, systemd', `/system.slice/docker-${A}.scope`, A],
  ['docker, own parent', `/custom/parent/${A}`, A],
  ['systemd inside docker', `/system.slice/docker-${A}.scope/system.slice/cron.service`, A],
  ['docker in docker', `/docker/${A}/docker/${B}`, B],
  ['docker in docker, systemd', `/system.slice/docker-${A}.scope/docker/${B}`, B],
  ['docker, v1 with its init group', `/docker/${A}/init.scope`, A],
  ['containerd, plain', `/default/${A}`, A],
  ['nerdctl', `/system.slice/nerdctl-${A}.scope`, A],
  [
    'kubernetes burstable, containerd, systemd',
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/cri-containerd-${A}.scope`,
    A,
    UID,
  ],
  [
    'kubernetes besteffort, cri-o, systemd',
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${A}.scope`,
    A,
    UID,
  ],
  [
    'cri-o, the container sub-group',
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${A}.scope/container`,
    A,
    UID,
  ],
  [
    'cri-o, its monitor',
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-conmon-${A}.scope`,
    undefined,
    UID,
  ],
  [
    'kubernetes guaranteed, systemd',
    `/kubepods.slice/kubepods-pod${UID_}.slice/docker-${A}.scope`,
    A,
    UID,
  ],
  ['kubernetes burstable, cgroupfs', `/kubepods/burstable/pod${UID}/${A}`, A, UID],
  ['kubernetes besteffort, cgroupfs', `/kubepods/besteffort/pod${UID}/${A}`, A, UID],
  ['kubernetes guaranteed, cgroupfs', `/kubepods/pod${UID}/${A}`, A, UID],
  ['kubernetes, cri-o cgroupfs', `/kubepods/burstable/pod${UID}/crio-${A}`, A, UID],
  ['kubernetes, the pod itself', `/kubepods/burstable/pod${UID}`, undefined, UID],
  ['kubernetes, a static pod', `/kubepods/burstable/pod${STATIC}/${A}`, A, STATIC],
  [
    'containerd, systemd path never made',
    `/system.slice/containerd.service/kubepods-burstable-pod${UID_}.slice:cri-containerd:${A}`,
    A,
    UID,
  ],
  [
    'kind: kubernetes in docker',
    `/docker/${B}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UID_}.slice/cri-containerd-${A}.scope`,
    A,
    UID,
  ],
  ['kubelet cgroup root', `/kubelet/kubepods/pod${UID}/${A}`, A, UID],
  ['podman, systemd', `/machine.slice/libpod-${A}.scope`, A],
  ['podman, container sub-group', `/machine.slice/libpod-${A}.scope/container`, A],
  ['podman, cgroupfs', `/libpod_parent/libpod-${A}`, A],
  ['podman, cgroupfs, deeper', `/libpod_parent/libpod-${A}/supervisor`, A],
  ['podman, split', `/system.slice/web.service/libpod-payload-${A}`, A],
  ['podman, its monitor', `/machine.slice/libpod-conmon-${A}.scope`],
  ['podman, monitor by cgroupfs', '/libpod_parent/conmon'],
  ['podman in docker, its monitor', `/docker/${B}/libpod_parent/libpod-conmon-${A}`, B],
  ['podman, a pod', `/machine.slice/machine-libpod_pod_${B}.slice/libpod-${A}.scope`, A],
  ['podman, a pod alone', `/machine.slice/machine-libpod_pod_${B}.slice`],
  [
    'podman, rootless',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${A}.scope/container`,
    A,
  ],
  ['ecs', `/ecs/4b7c0de8a9f24f54b3c6b9d1e6a5f708/${A}`, A],
  ['lxc', '/lxc.payload.web-1/system.slice/nginx.service', 'web-1'],
  ['lxc, older', '/lxc/web/init.scope', 'web'],
  ['lxc 3.1', '/lxc.payload/web', 'web'],
  ['incus, of a project', '/lxc.payload.shop_web/user.slice', 'shop_web'],
  ['lxc in lxc', '/lxc.payload.outer/lxc.payload.inner/init.scope', 'inner'],
  ['docker in lxc', `/lxc.payload.web/docker/${A}`, A],
  ['lxc in docker', `/docker/${A}/lxc.payload.web/init.scope`, 'web'],
  ['lxc, its monitor', '/lxc.monitor.web'],
  ['lxc, where they begin', '/lxc'],
  ['lxc in another hierarchy of names', '/system.slice/lxc.service'],
  ['systemd-nspawn', '/machine.slice/systemd-nspawn@web.service/payload/system.slice', 'web'],
  ['systemd-nspawn, registered', '/machine.slice/machine-web.scope/payload', 'web'],
  ['a virtual machine', '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt'],
  ['garden', '/garden/2a14b4d5-3b8b-4e4f-7c2d-91a2', '2a14b4d5-3b8b-4e4f-7c2d-91a2'],
  [
    'fargate',
    '/ecs/4b7c0de8a9f24f54b3c6b9d1e6a5f708/4b7c0de8a9f24f54b3c6b9d1e6a5f708-2495160603',
    '4b7c0de8a9f24f54b3c6b9d1e6a5f708-2495160603',
  ],
  ['a systemd service', '/system.slice/nginx.service'],
  ['a systemd session', '/user.slice/user-1000.slice/session-3.scope'],
  ['a systemd run unit', '/system.slice/run-rd41d8cd98f00b204e9800998ecf8427e.scope'],
  ['a user service', '/user.slice/user-1000.slice/user@1000.service/app.slice/podman.service'],
  ['63 digits', `/docker/${A.slice(1)}`],
  ['65 digits', `/docker/0${A}`],
  ['not hexadecimal', `/docker/${'g'.repeat(64)}`],
  ['upper case', `/docker/${A.toUpperCase()}`],
  ['a pod uid outside of kubernetes', `/pod${UID}/x`],
  ['a short pod uid', '/kubepods/burstable/pod1234'],
  ['a service named after pods', `/system.slice/mykubepodsx.service/pod${UID}`],
  ['garbage', '/../..//\u0000:::[31m'],
  ['nothing', ''],
  ['very long', `/${'x'.repeat(100_000)}`],
];

describe('containerOf', () => {
  for (const [what, path, containerId, podUid] of TABLE) {
    it(what, () => assert.deepEqual(containerOf(path), { containerId, podUid }));
  }

  it('sees a container below the namespace that the reader lives in', () => {
    assert.equal(containerOf(`/../libpod-${A}`).containerId, A);
  });
});

const V2 = '0::/system.slice/cron.service\n';
const HYBRID = `12:memory:/libpod_parent/libpod-${A}
11:cpu,cpuacct:/x
1:name=systemd:/a:b
0::/
`;

describe('cgroupLine', () => {
  it('takes the unified hierarchy', () => {
    assert.deepEqual(cgroupLine(V2), {
      line: '0::/system.slice/cron.service',
      path: '/system.slice/cron.service',
    });
    assert.equal(cgroupLine(HYBRID)?.path, '/');
  });
  it('takes the hierarchy of a controller', () => {
    assert.equal(cgroupLine(HYBRID, 'memory')?.line, `12:memory:/libpod_parent/libpod-${A}`);
    assert.equal(cgroupLine(HYBRID, 'cpuacct')?.path, '/x');
  });
  it('keeps colons of a path', () => {
    assert.equal(cgroupLine(HYBRID, 'name=systemd')?.path, '/a:b');
  });
  it('has no line for what is absent', () => {
    assert.equal(cgroupLine(V2, 'memory'), undefined);
    assert.equal(cgroupLine('', 'memory'), undefined);
    assert.equal(cgroupLine('garbage\n:\n'), undefined);
  });
  it('drops the mark of a removed cgroup', () => {
    assert.equal(cgroupLine('0::/gone (deleted)\n')?.path, '/gone');
  });
});
