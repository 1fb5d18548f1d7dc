/**
 * What a plugin says of itself, as data, and the types that follow from it.
 *
 * From one `metadata.ts` derive: the typed point writer (a wrong metric name or attribute is a
 * compile error), the configuration schema and its JSON schema, the README tables between markers,
 * and the conformance tests. Names follow OpenTelemetry: an existing semantic convention where one
 * fits, else `memwatcher.*`; units are UCUM.
 */
import type * as z from 'zod';

export interface AttributeSpec {
  /** Arrays are for events and spans only: a metric's series is told by scalars. */
  readonly type: 'string' | 'int' | 'double' | 'boolean' | 'string[]' | 'int[]';
  readonly description: string;
  /** All values that can occur, where they are few and known. */
  readonly values?: readonly string[];
  /** Absent where it is unknown or does not apply. */
  readonly optional?: true;
  readonly example?: string | number | boolean | readonly string[] | readonly number[];
}

export type MetricKind = 'counter' | 'updowncounter' | 'gauge' | 'histogram';

export interface MetricSpec {
  readonly kind: MetricKind;
  /** UCUM: `By`, `{page}`, `s`. */
  readonly unit: string;
  readonly description: string;
  /** Keys of the plugin's `attributes`. */
  readonly attributes: readonly string[];
  /** `int` unless said otherwise: integers are sent as integers. */
  readonly valueType?: 'int' | 'double';
  /** Off by default where costly or of high cardinality; `plugins.<name>.metrics` switches it. */
  readonly enabled?: false;
}

export type Severity = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

export interface EventSpec {
  readonly description: string;
  readonly severity: Severity;
  readonly attributes: readonly string[];
}

export interface SpanSpec {
  readonly description: string;
  readonly attributes: readonly string[];
}

export interface Metadata {
  /** Also the folder, the YAML key, the BPF object and the subcommand. */
  readonly name: string;
  readonly title: string;
  /**
   * BPF objects besides its own, each with a profile of its own: `kernel` of the plugin `x` is
   * x-kernel.bpf.o and config/kernel/x-kernel.yaml. Loaded by `loader.load({ object: 'kernel' })`.
   */
  readonly objects?: readonly string[];
  /** One paragraph for people. */
  readonly description: string;
  /** `false`: the agent runs it only where the configuration switches it on. */
  readonly enabled?: false;
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  readonly metrics: Readonly<Record<string, MetricSpec>>;
  readonly events: Readonly<Record<string, EventSpec>>;
  readonly spans: Readonly<Record<string, SpanSpec>>;
  /**
   * The plugin's own keys under `plugins.<name>` in the YAML, each with `.describe()` and a
   * default. The core adds `enabled`, `strategy` and `metrics`, which every plugin has.
   */
  readonly config: z.ZodObject;
}

/** What a plugin's BPF object and its profile are called; its own if `object` is not given. */
export const objectName = (plugin: string, object?: string): string =>
  object === undefined ? plugin : `${plugin}-${object}`;

/** Of all objects of a plugin, its own first. */
export const objectNames = ({ name, objects = [] }: Metadata): string[] => [
  name,
  ...objects.map((object) => objectName(name, object)),
];

/** Keeps the literal types, and checks the shape and that every attribute used is declared. */
export function defineMetadata<const M extends Metadata>(metadata: CheckedAttributes<M>): M {
  return metadata as M;
}

type CheckedAttributes<M extends Metadata> = M & {
  readonly metrics: {
    readonly [N in keyof M['metrics']]: {
      readonly attributes: readonly (keyof M['attributes'] & string)[];
    };
  };
  readonly events: {
    readonly [N in keyof M['events']]: {
      readonly attributes: readonly (keyof M['attributes'] & string)[];
    };
  };
  readonly spans: {
    readonly [N in keyof M['spans']]: {
      readonly attributes: readonly (keyof M['attributes'] & string)[];
    };
  };
};

/** The plugin's configuration after defaults. */
export type ConfigOf<M extends Metadata> = z.output<M['config']>;

export type ScalarMetric<M extends Metadata> = {
  [N in keyof M['metrics'] & string]: M['metrics'][N]['kind'] extends 'histogram' ? never : N;
}[keyof M['metrics'] & string];

export type HistogramMetric<M extends Metadata> = {
  [N in keyof M['metrics'] & string]: M['metrics'][N]['kind'] extends 'histogram' ? N : never;
}[keyof M['metrics'] & string];

type ValueOf<A extends AttributeSpec> = A['values'] extends readonly string[]
  ? A['values'][number]
  : A['type'] extends 'string'
    ? string
    : A['type'] extends 'boolean'
      ? boolean
      : A['type'] extends 'string[]'
        ? readonly string[]
        : A['type'] extends 'int[]'
          ? readonly number[]
          : number;

/** The attribute object that goes with the keys `K` of the metadata `M`. */
export type AttributesFor<M extends Metadata, K extends string> = {
  readonly [A in K as M['attributes'][A]['optional'] extends true ? never : A]: ValueOf<
    M['attributes'][A]
  >;
} & {
  readonly [A in K as M['attributes'][A]['optional'] extends true ? A : never]?:
    | ValueOf<M['attributes'][A]>
    | undefined;
};

export type MetricAttributes<M extends Metadata, N extends keyof M['metrics']> = AttributesFor<
  M,
  M['metrics'][N]['attributes'][number]
>;

export type EventAttributes<M extends Metadata, N extends keyof M['events']> = AttributesFor<
  M,
  M['events'][N]['attributes'][number]
>;

export type SpanAttributes<M extends Metadata, N extends keyof M['spans']> = AttributesFor<
  M,
  M['spans'][N]['attributes'][number]
>;
