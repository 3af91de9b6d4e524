import {
  infiniteQueryOptions,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
  useSuspenseQuery,
} from '@tanstack/react-query';
import { api, unwrap, type Me } from './client';
import { isUnauthorized } from './problem';

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

/** The signed-in user; only inside pages that require one. */
export function useMe(): Me {
  const { data } = useSuspenseQuery(meQuery);
  if (!data) throw new Error('this page needs a signed-in user');
  return data;
}

export function useCan(): (permission: string) => boolean {
  const { data } = useQuery(meQuery);
  return (permission) => data?.permissions.includes(permission) ?? false;
}

export const targetsQuery = queryOptions({
  queryKey: keys.targets,
  queryFn: async ({ signal }) => unwrap(await api.GET('/targets', { signal })).targets,
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

export const recordingsQuery = infiniteQueryOptions({
  queryKey: [...keys.recordings, 'list'],
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    unwrap(
      await api.GET('/recordings', {
        params: { query: { limit: 100, ...(pageParam ? { before: pageParam } : {}) } },
        signal,
      }),
    ),
  getNextPageParam: (last) => last.next ?? undefined,
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

export function useTerminate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ session, reason }: { session: string; reason?: string }) =>
      unwrap(
        await api.POST('/sessions/{session}/terminate', {
          params: { path: { session } },
          body: reason ? { reason } : {},
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
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
