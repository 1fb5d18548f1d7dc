import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { liveProc, parseCgroups, parseMemory, parseStat, readProcessOf } from './proc.js';

const STAT =
  '4711 (a) R (b\n) S 17 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 987654 1 2 3 1000 2000 3000 0';

describe('what /proc says', () => {
  it('of a process, whatever its name holds', () => {
    assert.deepEqual(parseStat(STAT), {
      pid: 4711,
      comm: 'a) R (b\n',
      ppid: 17,
      zombie: false,
      kernelThread: false,
      startTicks: 987_654,
      cpuTicks: 300,
      layout: '1000 3000',
    });
    assert.equal(parseStat(STAT.replace(') S ', ') Z '))?.zombie, true);
    assert.equal(parseStat(STAT.replace('4194304', '2129984'))?.kernelThread, true);
  });

  it('is nothing where it is cut short or garbage', () => {
    for (const text of ['', '1', '1 (x', '1 (x) S', 'x (y) S 1 2', ')(', '\0\0']) {
      assert.equal(parseStat(text), undefined, text);
    }
    assert.equal(parseMemory(''), undefined);
    assert.equal(parseMemory('Name:\tx\nTgid:\t1\n'), undefined);
  });

  it('of its memory, and of no name that looks like it', () => {
    const text =
      'Name:\tx\\nRssAnon: 9\nTgid:\t5\nVmData:\t 40 kB\nVmLib:\t 12 kB\nRssAnon:\t 30 kB\n';
    const kilobytes = (count: number) => count * 1024;
    assert.deepEqual(parseMemory(text), {
      rssAnon: kilobytes(30),
      data: kilobytes(40),
      libraries: kilobytes(12),
    });
  });

  it('of its cgroups, each path once', () => {
    const text = '12:cpu,memory:/a:b\n1:name=systemd:/a:b\n0::/gone (deleted)\nrubbish\n';
    assert.deepEqual(parseCgroups(text), ['/a:b', '/gone']);
  });

  it('of this process is what it knows of itself', () => {
    const stat = parseStat(readFileSync('/proc/self/stat', 'utf8'));
    assert.equal(stat?.pid, process.pid);
    assert.equal(stat?.ppid, process.ppid);
    assert.ok(liveProc.pids().includes(process.pid));
    assert.equal(readProcessOf(liveProc, process.pid), process.pid);
    const memory = parseMemory(readFileSync('/proc/self/status', 'utf8'));
    assert.ok((memory?.rssAnon ?? 0) > 1 << 20 && (memory?.libraries ?? 0) > 0);
  });
});
