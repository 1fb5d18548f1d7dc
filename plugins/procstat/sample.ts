import { noFigures, type Process } from './process.js';

/** A process for tests; what is not given is nothing. */
export function sample(values: Partial<Process> & { readonly pid: number }): Process {
  return {
    ppid: 1,
    uid: 0,
    startNs: values.pid * 1e9,
    startTime: values.pid * 1000,
    comm: `comm-${values.pid}`,
    executable: `exe-${values.pid}`,
    cgroupId: 0,
    cgroupV1: false,
    threads: 1,
    ...noFigures(),
    ...values,
  };
}
