import {
  infiniteQueryOptions,
  useMutation,
  useQuery,
  useQueryClient,
  queryOptions,
} from '@tanstack/react-query';
import { useEffect } from 'react';
import { accessKeys } from './access';
import { api, apiBase, unwrap } from './client';
import { alertKeys } from './detection';
import type { components } from './schema';

export type Notification = components['schemas']['Notification'];

/** How many notifications are unread, and the id of the newest. */
interface Standing {
  unread: number;
  newest: string;
}

export const notificationKeys = {
  standing: ['notifications', 'standing'],
  list: ['notifications', 'list'],
  settings: ['notifications', 'settings'],
} as const;

export const notificationsQuery = infiniteQueryOptions({
  queryKey: notificationKeys.list,
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    unwrap(
      await api.GET('/notifications', {
        params: { query: { limit: 30, ...(pageParam ? { before: pageParam } : {}) } },
        signal,
      }),
    ),
  getNextPageParam: (last) => last.next ?? undefined,
});

export const notificationSettingsQuery = queryOptions({
  queryKey: notificationKeys.settings,
  queryFn: async ({ signal }) => unwrap(await api.GET('/notifications/settings', { signal })),
});

/** How many alerts are new that the signed-in person may see; the number changes with any alert. */
interface AlertStanding {
  new: number;
  revision: number;
}

function isAlertStanding(value: unknown): value is AlertStanding {
  return typeof value === 'object' && value !== null && 'new' in value && 'revision' in value;
}

function isStanding(value: unknown): value is Standing {
  return typeof value === 'object' && value !== null && 'unread' in value && 'newest' in value;
}

/**
 * The standing of notifications, kept by a stream of server-sent events. A page nobody looks at has no stream: it would
 * hold one of the browser's few connections, and keep the sign-in awake. Everything about access is asked for anew when
 * something comes.
 */
export function useStanding(): Standing {
  const client = useQueryClient();
  const { data } = useQuery<Standing>({
    queryKey: notificationKeys.standing,
    queryFn: () => ({ unread: 0, newest: '' }),
    staleTime: Infinity,
  });
  useEffect(() => {
    let source: EventSource | undefined;
    function take(event: MessageEvent<string>) {
      const standing: unknown = JSON.parse(event.data);
      if (!isStanding(standing)) return;
      const before = client.getQueryData<Standing>(notificationKeys.standing);
      client.setQueryData(notificationKeys.standing, standing);
      if (before && before.newest !== standing.newest) {
        void client.invalidateQueries({ queryKey: accessKeys.all });
        void client.invalidateQueries({ queryKey: notificationKeys.list });
      }
    }
    function takeAlerts(event: MessageEvent<string>) {
      const standing: unknown = JSON.parse(event.data);
      if (!isAlertStanding(standing)) return;
      const before = client.getQueryData<AlertStanding>(alertKeys.standing);
      client.setQueryData(alertKeys.standing, standing);
      if (before && before.revision !== standing.revision)
        void client.invalidateQueries({ queryKey: alertKeys.list });
    }
    function follow() {
      source?.close();
      source = undefined;
      if (document.visibilityState === 'hidden' || typeof EventSource === 'undefined') return;
      source = new EventSource(`${apiBase}/notifications/stream`);
      source.addEventListener('standing', take);
      source.addEventListener('alerts', takeAlerts);
    }
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      source?.close();
    };
  }, [client]);
  return data ?? { unread: 0, newest: '' };
}

/** How many alerts are new that the signed-in person may see, 100 standing for more. useStanding keeps it. */
export function useNewAlerts(): number {
  const { data } = useQuery<AlertStanding>({
    queryKey: alertKeys.standing,
    queryFn: () => ({ new: 0, revision: 0 }),
    staleTime: Infinity,
  });
  return data?.new ?? 0;
}

export function useReadNotifications() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (upTo: string) =>
      unwrap(await api.POST('/notifications/read', { body: { up_to: upTo } })),
    onSuccess: () =>
      client.setQueryData<Standing>(notificationKeys.standing, (s) => (s ? { ...s, unread: 0 } : s)),
  });
}

export function useSetNotificationSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (email: boolean) =>
      unwrap(await api.PUT('/notifications/settings', { body: { email } })),
    onSuccess: (settings) => client.setQueryData(notificationKeys.settings, settings),
  });
}
