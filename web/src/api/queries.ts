import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { EventList, type Entry } from '../player/events';
import { api, unwrap, type Me, type RecordingEvent } from './client';
import { isUnauthorized } from './problem';
import type { paths } from './schema';

/** How often lists of running things are asked for again while the page is visible. */
const pollMs = 3000;

export const keys = {
  me: ['me'],
  targets: ['targets'],
  sessions: ['sessions'],
  recordings: ['recordings'],
} as const;

/** Who is signed in; null when nobody is. */
export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return unwrap(await api.GET('/me', { signal }));
    } catch (error) {
      if (isUnauthorized(error)) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const runningSessionsQuery = queryOptions({
  queryKey: [...keys.sessions, 'running'],
  queryFn: async ({ signal }) =>
    unwrap(await api.GET('/sessions', { params: { query: { state: 'running', limit: 500 } }, signal }))
      .sessions,
  refetchInterval: pollMs,
});

export const endedSessionsQuery = infiniteQueryOptions({
  queryKey: [...keys.sessions, 'ended'],
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    unwrap(
      await api.GET('/sessions', {
        params: { query: { state: 'ended', limit: 50, ...(pageParam ? { before: pageParam } : {}) } },
        signal,
      }),
    ),
  getNextPageParam: (last) => last.next ?? undefined,
  refetchInterval: 4 * pollMs,
});

export const sessionQuery = (session: string) =>
  queryOptions({
    queryKey: [...keys.sessions, 'one', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/sessions/{session}', { params: { path: { session } }, signal })),
  });

/** What a list of recordings holds. */
export type RecordingFilter = Omit<
  NonNullable<paths['/recordings']['get']['parameters']['query']>,
  'before' | 'limit'
>;

export const recordingsQuery = (filter: RecordingFilter = {}) =>
  infiniteQueryOptions({
    queryKey: [...keys.recordings, 'list', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/recordings', {
          params: { query: { ...filter, limit: 100, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: (before) => before,
    refetchInterval: (query) =>
      query.state.data?.pages.some((page) =>
        page.recordings.some((r) => r.state === 'recording' || r.state === 'uploading'),
      )
        ? pollMs
        : 5 * pollMs,
  });

export const recordingQuery = (session: string) =>
  queryOptions({
    queryKey: [...keys.recordings, 'one', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}', { params: { path: { session } }, signal })),
    refetchInterval: (query) => (query.state.data?.state === 'sealed' ? false : pollMs),
  });

interface Termination {
  session: string;
  reason?: string;
  /** Keeps the session's person from signing in, too. */
  lockUser?: boolean;
}

export function useTerminate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ session, reason, lockUser }: Termination) =>
      unwrap(
        await api.POST('/sessions/{session}/terminate', {
          params: { path: { session } },
          body: { ...(reason ? { reason } : {}), ...(lockUser ? { lock_user: true } : {}) },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
}

export function useForgetCertificate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (target: string) =>
      unwrap(await api.DELETE('/targets/{target}/certificate', { params: { path: { target } } })),
    onSettled: () => client.invalidateQueries({ queryKey: keys.targets }),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => unwrap(await api.POST('/sign-out')),
    onSuccess: () => {
      client.clear();
      client.setQueryData(keys.me, null);
    },
  });
}

/** How often a running recording's index and events are asked for, in milliseconds. */
const livePollMs = 1500;

export const indexQuery = (session: string) =>
  queryOptions({
    queryKey: [...keys.recordings, 'index', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}/index', { params: { path: { session } }, signal })),
    refetchInterval: (query) => (query.state.data?.live ? livePollMs : false),
    structuralSharing: false,
    gcTime: 0,
  });

/** Events asked for at a time, the most the gateway gives. */
const eventPage = 5000;

interface EventLog {
  list: EventList;
  entries: readonly Entry[];
  next: string | undefined;
}

/** The whole event log as list entries; what came since is added to what is there. */
export const eventsQuery = (session: string, live: boolean) => {
  const queryKey = [...keys.recordings, 'events', session];
  return queryOptions({
    queryKey,
    queryFn: async ({ signal, client }): Promise<EventLog> => {
      const before = client.getQueryData<EventLog>(queryKey);
      const list = before?.list ?? new EventList();
      const fresh: RecordingEvent[] = [];
      let next = before?.next;
      let more = true;
      while (more) {
        const page = unwrap(
          await api.GET('/recordings/{session}/events', {
            params: { path: { session }, query: { limit: eventPage, ...(next ? { after: next } : {}) } },
            signal,
          }),
        );
        fresh.push(...page.events);
        // A page that is not last but brings no cursor onwards would be asked for for ever.
        more = page.more && page.next !== undefined && page.next !== next;
        next = page.next ?? next;
      }
      list.add(fresh);
      return { list, entries: [...list.entries], next };
    },
    refetchInterval: live ? 2 * livePollMs : false,
    structuralSharing: false,
    gcTime: 0,
  });
};
