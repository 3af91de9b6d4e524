import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

export type Health = components['schemas']['Health'];
export type HealthCheck = components['schemas']['HealthCheck'];

/** What keeps sessions from beginning, for who manages the gateway. */
export const healthQuery = queryOptions({
  queryKey: ['system', 'health'],
  queryFn: async ({ signal }): Promise<Health> => unwrap(await api.GET('/system/health', { signal })),
  refetchInterval: 15_000,
  staleTime: 5_000,
});
