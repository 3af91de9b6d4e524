import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { api, unwrap } from './client';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Rule = Schemas['DetectionRule'];
export type KeptRule = Schemas['KeptDetectionRule'];
export type KeptList = Schemas['KeptDetectionList'];
export type RuleVersion = Schemas['DetectionRuleVersion'];
export type Severity = Schemas['DetectionSeverity'];
export type RuleAction = Schemas['DetectionAction'];
export type Source = Schemas['DetectionSource'];
export type Scope = Schemas['DetectionScope'];
export type Alert = Schemas['Alert'];

/** The worst first, as people call them. */
export const severities: { value: Severity; label: string }[] = [
  { value: 'critical', label: 'Critical' },
  { value: 'high', label: 'High' },
  { value: 'medium', label: 'Medium' },
  { value: 'low', label: 'Low' },
  { value: 'info', label: 'Info' },
];

export const ruleActions: { value: RuleAction; label: string }[] = [
  { value: 'alert', label: 'Alert' },
  { value: 'require_justification', label: 'Ask why' },
  { value: 'freeze', label: 'Freeze' },
  { value: 'terminate', label: 'Terminate' },
];

export const sources: { value: Source; label: string }[] = [
  { value: 'typed', label: 'Typed lines' },
  { value: 'clipboard', label: 'Clipboard' },
  { value: 'title', label: 'Window titles' },
  { value: 'screen', label: 'Text on the screen' },
];

export const labelOf = (list: { value: string; label: string }[], value: string): string =>
  list.find((x) => x.value === value)?.label ?? value;

export const detectionKeys = { rules: ['rules'] } as const;
export const alertKeys = {
  all: ['alerts'],
  list: ['alerts', 'list'],
  standing: ['alerts', 'standing'],
} as const;

export const rulesQuery = queryOptions({
  queryKey: [...detectionKeys.rules, 'list'],
  queryFn: async ({ signal }) => unwrap(await api.GET('/detection/rules', { signal })),
});

export const ruleQuery = (rule: string) =>
  queryOptions({
    queryKey: [...detectionKeys.rules, 'one', rule],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/detection/rules/{rule}', { params: { path: { rule } }, signal })),
    refetchOnWindowFocus: false, // somebody is writing
  });

export const ruleVersionsQuery = (rule: string) =>
  queryOptions({
    queryKey: [...detectionKeys.rules, 'versions', rule],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/detection/rules/{rule}/versions', { params: { path: { rule } }, signal }))
        .versions,
  });

/** What is wrong with a rule that is being written, and whether it fits a line. */
export const ruleCheckQuery = (rule: Rule, sample: string, source: Source) =>
  queryOptions({
    queryKey: [...detectionKeys.rules, 'check', rule, sample, source],
    queryFn: async ({ signal }) =>
      unwrap(await api.POST('/detection/check', { body: { rule, sample, source }, signal })),
    staleTime: Infinity,
    gcTime: 60_000,
  });

function useRuleMutation<In, Out>(act: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => client.invalidateQueries({ queryKey: detectionKeys.rules }),
  });
}

export const useCreateRule = () =>
  useRuleMutation(async (body: Rule) => unwrap(await api.POST('/detection/rules', { body })));

export const useUpdateRule = () =>
  useRuleMutation(async (body: Schemas['DetectionRuleChange']) =>
    unwrap(await api.PUT('/detection/rules/{rule}', { params: { path: { rule: body.rule.id } }, body })),
  );

export const useDeleteRule = () =>
  useRuleMutation(async ({ id, revision }: { id: string; revision: number }) =>
    unwrap(
      await api.DELETE('/detection/rules/{rule}', { params: { path: { rule: id }, query: { revision } } }),
    ),
  );

export const useSetList = () =>
  useRuleMutation(async ({ name, ...body }: { name: string } & Schemas['DetectionListChange']) =>
    unwrap(await api.PUT('/detection/lists/{list}', { params: { path: { list: name } }, body })),
  );

export const useDeleteList = () =>
  useRuleMutation(async ({ name, revision }: { name: string; revision: number }) =>
    unwrap(
      await api.DELETE('/detection/lists/{list}', { params: { path: { list: name }, query: { revision } } }),
    ),
  );

/** How far a rule is with being tried on recordings. */
export interface DryRun {
  state: 'idle' | 'running' | 'done' | 'cancelled';
  tried: number;
  /** The recordings with hits, newest first. */
  found: Schemas['DryRunRecording'][];
  skipped: Schemas['DryRunResult']['skipped'];
  error: unknown;
}

const idle: DryRun = { state: 'idle', tried: 0, found: [], skipped: [], error: null };

/** Recordings that are tried with one request. */
const dryRunPage = 100;

/** Tries a rule on recordings, a page at a time, so that it can be watched and cancelled. */
export function useDryRun() {
  const [run, setRun] = useState<DryRun>(idle);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  async function start(rule: Rule, most: number, since: Date | null) {
    abort.current?.abort();
    const mine = new AbortController();
    abort.current = mine;
    let sum: DryRun = { ...idle, state: 'running' };
    setRun(sum);
    let before: string | undefined;
    try {
      do {
        const page = unwrap(
          await api.POST('/detection/dry-run', {
            body: {
              rule,
              limit: Math.min(dryRunPage, most - sum.tried),
              ...(since ? { since: since.toISOString() } : {}),
              ...(before ? { before } : {}),
            },
            signal: mine.signal,
          }),
        );
        sum = {
          ...sum,
          tried: sum.tried + page.tried,
          found: [...sum.found, ...page.recordings],
          skipped: [...sum.skipped, ...page.skipped],
        };
        before = page.next;
        if (abort.current === mine) setRun(sum);
      } while (before && sum.tried < most);
      if (abort.current === mine) setRun({ ...sum, state: 'done' });
    } catch (error) {
      if (abort.current !== mine) return;
      setRun(mine.signal.aborted ? { ...sum, state: 'cancelled' } : { ...sum, state: 'cancelled', error });
    }
  }

  return {
    run,
    start: (rule: Rule, most: number, since: Date | null) => void start(rule, most, since),
    cancel: () => abort.current?.abort(),
  };
}

/** What a list of alerts holds. */
export type AlertFilter = Omit<
  NonNullable<paths['/alerts']['get']['parameters']['query']>,
  'before' | 'limit'
>;

export const alertsQuery = (filter: AlertFilter) =>
  infiniteQueryOptions({
    queryKey: [...alertKeys.list, filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/alerts', {
          params: { query: { ...filter, limit: 50, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: (before) => before,
    refetchInterval: 10_000, // counts; new ones come by the stream
  });

export const alertQuery = (alert: string) =>
  queryOptions({
    queryKey: [...alertKeys.all, 'one', alert],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/alerts/{alert}', { params: { path: { alert } }, signal })),
    staleTime: 0,
    gcTime: 0,
  });

export function useAcknowledge() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: { alerts: string[]; note: string }) =>
      unwrap(await api.POST('/alerts/acknowledge', { body })),
    onSettled: () => client.invalidateQueries({ queryKey: alertKeys.list }),
  });
}

/** Where the moment of an alert is to be seen: live while its session runs, in the recording afterwards; null: nowhere. */
export function momentOf(alert: Alert, can: (permission: string) => boolean, me: string): string | null {
  if (alert.running && alert.user.id === me) return `/sessions/${alert.session}`;
  if (alert.running && can('view_live')) return `/sessions/${alert.session}?role=view`;
  return can('replay') ? recordedMomentOf(alert) : null;
}

export const recordedMomentOf = (alert: Alert): string =>
  `/recordings/${alert.session}?t=${alert.first_ms / 1000}`;
