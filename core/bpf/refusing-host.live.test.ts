/** The fault layer on the running kernel: it refuses what it was told, in the kernel's own way. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MemWatcherError } from '../errors.js';
import { parseFeature } from './feature.js';
import type { BpfObject } from './host.js';
import { bpfHostFor } from './host-for.js';
import { createBpfHost } from './libbpf.js';
import { refusingHost } from './refusing-host.js';

const skip = process.getuid?.() === 0 ? false : 'needs root to load BPF';
const file = fileURLToPath(new URL('../../bpf/procstat.bpf.o', import.meta.url));

function without(id: string, use: (object: BpfObject) => void): void {
  const feature = parseFeature(id);
  assert.ok(feature);
  const object = refusingHost(createBpfHost(), [feature]).open(file);
  try {
    object.selectPrograms(['collect']);
    object.omitMaps(['by_pid', 'by_task']);
    use(object);
  } finally {
    object.close();
  }
}

function refusal(call: () => void): MemWatcherError {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof MemWatcherError, `${error}`);
    return error;
  }
  assert.fail('nothing was refused');
}

describe('a host that refuses', { skip }, () => {
  test('a program type: at load, by name, with the way to allow it', () => {
    without('program:iter/task', (object) => {
      const { code, message, hint, program, refused } = refusal(() => object.load());
      assert.equal(code, 'BPF_LOAD_FAILED');
      assert.match(message, /program collect .* BPF programs of type iter\/task: EPERM/);
      assert.equal(program, 'collect');
      assert.equal(refused, 'BPF programs of type iter/task (EPERM)');
      assert.match(hint ?? '', /lockdown/);
    });
  });

  test('a map type: at load', () => {
    without('map:percpu_array', (object) => {
      const { message, refused } = refusal(() => object.load());
      assert.match(message, /refused map \w+ \(procstat\.bpf\.o\)/);
      assert.equal(refused, 'BPF maps of type percpu_array (EPERM)');
    });
  });

  test('a map type that the load omits costs nothing', () => {
    without('map:task_storage', (object) => assert.doesNotThrow(() => object.load()));
  });

  test('a helper: by the verifier, which names it', () => {
    without('helper:bpf_seq_write', (object) => {
      const { message, program, refused, detail } = refusal(() => object.load());
      assert.match(message, /program collect .*: it does not allow the BPF helper bpf_seq_write/);
      assert.equal(program, 'collect');
      assert.equal(refused, 'the BPF helper bpf_seq_write (EINVAL)');
      assert.match(detail ?? '', /bpf_seq_write#/);
    });
  });

  test('a way to attach: when it is attached', () => {
    without('attach:iter/task', (object) => {
      object.load();
      assert.equal(refusal(() => object.attach('collect')).code, 'BPF_ATTACH_FAILED');
    });
  });
});

test('MEM_WATCHER_REFUSE names features, and what is none is said', () => {
  const wrong = refusal(() => bpfHostFor({ MEM_WATCHER_REFUSE: 'program:raw_tp iter' }));
  assert.equal(wrong.code, 'CONFIG_INVALID');
  assert.match(wrong.message, /MEM_WATCHER_REFUSE: iter names no feature/);
  assert.equal(bpfHostFor({}), createBpfHost());
});
