import { Button, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDeviceDesktop, IconSearchOff } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, unwrap, type Target } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { keys, runningSessionsQuery, sessionQuery, targetsQuery } from '../../api/queries';
import { Tag } from '../../components/badge';
import { PageHead } from '../../components/page';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import { desktopSizeWish } from '../../viewer/geometry';
import { loadDisplayMode } from '../desktop/display-mode';
import { CertificateLine } from './certificate';
import { Connecting } from './connecting';
import { allTags, filterTargets } from './filter';
import classes from './targets.module.css';

export function TargetsPage() {
  useTitle('Targets');
  const { data: targets, error, isPending, refetch } = useQuery(targetsQuery);
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const connect = useConnect();

  const tags = allTags(targets ?? []);
  const shown = filterTargets(targets ?? [], search, chosen);

  function toggle(tag: string) {
    const next = new Set(chosen);
    if (!next.delete(tag)) next.add(tag);
    setChosen(next);
  }

  return (
    <>
      <PageHead title="Targets" sub="Desktops you may open. Every session is recorded.">
        {(targets?.length ?? 0) > 0 && <Search label="Search targets" value={search} onChange={setSearch} />}
      </PageHead>

      {tags.length > 1 && (
        <div className={classes.filter} role="group" aria-label="Filter by tag">
          {tags.map((tag) => (
            <button
              key={tag}
              type="button"
              className={classes.tagButton}
              aria-pressed={chosen.has(tag)}
              onClick={() => toggle(tag)}
            >
              {tag}
            </button>
          ))}
        </div>
      )}

      {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && (
        <div className={classes.grid} aria-hidden="true">
          {[0, 1, 2].map((i) => (
            <Skeleton key={i} height={172} radius="md" />
          ))}
        </div>
      )}
      {targets?.length === 0 && (
        <Empty icon={<IconDeviceDesktop size={38} stroke={1.3} />} title="No targets yet">
          Targets are set up in the gateway’s configuration. Those you may open will appear here.
        </Empty>
      )}
      {targets && targets.length > 0 && shown.length === 0 && (
        <Empty icon={<IconSearchOff size={38} stroke={1.3} />} title="Nothing matches">
          No target holds all of these words and tags.
        </Empty>
      )}
      <div className={classes.grid}>
        {shown.map((target) => (
          <TargetCard key={target.id} target={target} onConnect={() => connect.mutate(target)} />
        ))}
      </div>
      {(connect.isPending || connect.isError) && (
        <Connecting
          target={connect.variables}
          error={connect.error}
          onRetry={() => connect.mutate(connect.variables)}
          onBack={() => connect.reset()}
        />
      )}
    </>
  );
}

/** Opens a session and goes to its desktop. */
function useConnect() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: async (target: Target) => {
      const wish =
        loadDisplayMode() === 'resize'
          ? desktopSizeWish({ width: window.innerWidth, height: window.innerHeight }, window.devicePixelRatio)
          : {};
      return unwrap(await api.POST('/sessions', { body: { target_id: target.id, ...wish } }));
    },
    onSuccess: async (session) => {
      client.setQueryData(sessionQuery(session.id).queryKey, session);
      void client.invalidateQueries({ queryKey: [...keys.sessions, 'running'] });
      await navigate(`/sessions/${session.id}`);
    },
  });
}

function TargetCard({ target, onConnect }: { target: Target; onConnect: () => void }) {
  const me = useMe();
  const can = useCan();
  const navigate = useNavigate();
  const { data: running } = useQuery(runningSessionsQuery);
  const here = running?.filter((s) => s.target.id === target.id) ?? [];
  const mine = here.find((s) => s.user.id === me.id && s.state !== 'connecting');
  return (
    <article className={classes.target}>
      <div className={classes.top}>
        <div className={classes.icon}>
          <IconDeviceDesktop size={21} stroke={1.6} aria-hidden="true" />
        </div>
        <div>
          <h2 className={classes.name}>{target.name}</h2>
          <div className={classes.address}>
            <span className={classes.protocol}>{target.protocol.toUpperCase()}</span>{' '}
            <span className="mono">{target.address}</span>
          </div>
        </div>
      </div>
      {target.description && <p className={classes.description}>{target.description}</p>}
      {target.tags.length > 0 && (
        <div className={classes.tags}>
          {target.tags.map((tag) => (
            <Tag key={tag}>{tag}</Tag>
          ))}
        </div>
      )}
      <CertificateLine target={target} />
      <div className={classes.foot}>
        <span className={classes.address}>{here.length > 0 ? `${here.length} running` : ''}</span>
        <span style={{ display: 'flex', gap: 8 }}>
          {mine && (
            <Button variant="light" size="sm" onClick={() => void navigate(`/sessions/${mine.id}`)}>
              Return
            </Button>
          )}
          <Button
            size="sm"
            variant={mine ? 'default' : 'filled'}
            disabled={!can('connect')}
            aria-label={`Connect to ${target.name}`}
            onClick={onConnect}
          >
            {mine ? 'New session' : 'Connect'}
          </Button>
        </span>
      </div>
    </article>
  );
}
