import { ActionIcon, Button, Menu, Skeleton } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import {
  IconDeviceDesktop,
  IconDots,
  IconDownload,
  IconFileImport,
  IconPlus,
  IconSearchOff,
  IconSettings,
} from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { accessGrantsQuery } from '../../api/access';
import { useCan, useMe } from '../../api/me';
import { nativeClientQuery } from '../../api/native';
import { isProblem } from '../../api/problem';
import { runningSessionsQuery } from '../../api/queries';
import { targetListQuery, type Target, type TargetAccount } from '../../api/targets';
import { Tag } from '../../components/badge';
import { PageHead } from '../../components/page';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { useDebounced } from '../../lib/use-debounced';
import { useNow } from '../../lib/use-now';
import { useTitle } from '../../lib/use-title';
import { grantPhase } from '../access/badges';
import { RequestDialog } from '../access/request-dialog';
import { CertificateLine } from './certificate';
import { ConnectButton } from './connect-button';
import { Connecting } from './connecting';
import { ImportDialog } from './import-dialog';
import { NativeDialog } from './native-dialog';
import { offeredTags } from './tags';
import classes from './targets.module.css';
import { useConnect, type Destination } from './use-connect';

/** How long typing must pause before the gateway searches, in milliseconds. */
const searchPause = 200;

const destination = (target: Target, account?: TargetAccount): Destination => ({
  id: target.id,
  name: target.name,
  protocol: target.protocol,
  address: target.address,
  account: target.accounts.length > 1 ? account?.name : undefined,
});

export function TargetsPage() {
  useTitle('Targets');
  const can = useCan();
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [importing, setImporting] = useState(false);
  const wanted = { search: useDebounced(search.trim(), searchPause), tags: [...chosen] };
  const list = useInfiniteQuery(targetListQuery(wanted));
  const targets = list.data?.pages.flatMap((page) => page.targets);
  const connect = useConnect();
  const [asked, setAsked] = useState<Target | null>(null);
  const [native, setNative] = useState<Target | null>(null);
  // What needs an approval leads to the form that asks for one.
  const unapproved = connect.isError && isProblem(connect.error, 'approval_needed');

  const tags = offeredTags(targets ?? [], chosen);
  const narrowed = wanted.search !== '' || chosen.length > 0;
  const toggle = (tag: string) =>
    setChosen(chosen.includes(tag) ? chosen.filter((t) => t !== tag) : [...chosen, tag]);

  return (
    <>
      <PageHead title="Targets" sub="Desktops you may open. Every session is recorded.">
        {(narrowed || search !== '' || (targets?.length ?? 0) > 0) && (
          <Search label="Search targets" value={search} onChange={setSearch} />
        )}
        {can('manage_targets') && (
          <>
            <Button
              variant="default"
              leftSection={<IconFileImport size={16} stroke={1.6} />}
              onClick={() => setImporting(true)}
            >
              Import
            </Button>
            <Button component={Link} to="/targets/new" leftSection={<IconPlus size={16} stroke={1.8} />}>
              Add target
            </Button>
          </>
        )}
      </PageHead>

      {tags.length > 0 && (
        <div className={classes.filter} role="group" aria-label="Filter by tag">
          {tags.map((tag) => (
            <button
              key={tag}
              type="button"
              className={classes.tagButton}
              aria-pressed={chosen.includes(tag)}
              onClick={() => toggle(tag)}
            >
              {tag}
            </button>
          ))}
        </div>
      )}

      {list.error && <ProblemNotice error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && (
        <div className={classes.grid} aria-hidden="true">
          {[0, 1, 2].map((i) => (
            <Skeleton key={i} height={172} radius="md" />
          ))}
        </div>
      )}
      {targets?.length === 0 && !list.hasNextPage && !narrowed && (
        <Empty icon={<IconDeviceDesktop size={38} stroke={1.3} />} title="No targets yet">
          {can('manage_targets')
            ? 'Add one here, import a file, or set them up in the gateway’s configuration.'
            : 'Those you may open will appear here.'}
        </Empty>
      )}
      {targets?.length === 0 && !list.hasNextPage && narrowed && (
        <Empty icon={<IconSearchOff size={38} stroke={1.3} />} title="Nothing matches">
          No target holds all of these words and tags.
        </Empty>
      )}
      <div className={classes.grid} aria-busy={list.isPlaceholderData}>
        {targets?.map((target) => (
          <TargetCard
            key={target.id}
            target={target}
            onConnect={(account) => connect.mutate(destination(target, account))}
            onAsk={(account) => setAsked(account ? { ...target, accounts: [account] } : target)}
            onNative={(accounts) => setNative({ ...target, accounts })}
          />
        ))}
      </div>
      {list.hasNextPage && <More busy={list.isFetchingNextPage} onMore={() => void list.fetchNextPage()} />}
      <RequestDialog
        target={unapproved ? (targets?.find((t) => t.id === connect.variables.id) ?? null) : asked}
        onClose={() => {
          setAsked(null);
          connect.reset();
        }}
        onGranted={(account) => {
          const target = asked ?? connect.variables;
          setAsked(null);
          if (target) connect.mutate({ ...target, account });
        }}
      />
      {(connect.isPending || (connect.isError && !unapproved)) && (
        <Connecting
          target={connect.variables}
          error={connect.error}
          onRetry={() => connect.mutate(connect.variables)}
          onGive={(given) => connect.mutate({ ...connect.variables, ...given })}
          onBack={() => connect.reset()}
        />
      )}
      <NativeDialog target={native} onClose={() => setNative(null)} />
      <ImportDialog opened={importing} onClose={() => setImporting(false)} />
    </>
  );
}

/** Asks for the next page when it comes into view, or by its button. */
function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  useEffect(() => {
    if (!ref.current || busy || typeof IntersectionObserver === 'undefined') return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) more.current();
      },
      { rootMargin: '400px' },
    );
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [busy]);
  return (
    <div ref={ref} className={classes.more}>
      <Button variant="default" size="sm" loading={busy} onClick={onMore}>
        Show more
      </Button>
    </div>
  );
}

interface TargetCardProps {
  target: Target;
  onConnect: (account?: TargetAccount) => void;
  onAsk: (account?: TargetAccount) => void;
  /** Opens it in a native client, with one of these accounts. */
  onNative: (accounts: TargetAccount[]) => void;
}

function TargetCard({ target, onConnect, onAsk, onNative }: TargetCardProps) {
  const me = useMe();
  const can = useCan();
  const navigate = useNavigate();
  const { data: running } = useQuery(runningSessionsQuery);
  const here = running?.filter((s) => s.target.id === target.id) ?? [];
  const mine = here.find((s) => s.user.id === me.id && s.state !== 'connecting');
  const { data: grants } = useQuery(accessGrantsQuery('own'));
  const now = useNow(true, 5000);
  const ask = can('request_access') || can('break_glass');
  // What needs an approval can be opened while one is there.
  const granted = (grants ?? []).filter((g) => g.target.id === target.id && grantPhase(g, now) === 'now');
  const open = (account: TargetAccount) =>
    account.connect || granted.some((g) => !g.account || g.account === account.name);
  const { data: door } = useQuery(nativeClientQuery);
  const openable = door?.enabled ? target.accounts.filter(open) : [];
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
        <span className={classes.buttons}>
          {(ask || openable.length > 0 || can('manage_targets')) && (
            <Menu position="bottom-end" width={220}>
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" size={36} aria-label={`More about ${target.name}`}>
                  <IconDots size={18} stroke={1.6} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                {openable.length > 0 && (
                  <Menu.Item
                    leftSection={<IconDownload size={16} stroke={1.6} />}
                    onClick={() => onNative(openable)}
                  >
                    Open in RDP client…
                  </Menu.Item>
                )}
                {ask && <Menu.Item onClick={() => onAsk()}>Ask for access…</Menu.Item>}
                {can('manage_targets') && (
                  <Menu.Item
                    component={Link}
                    to={`/targets/${encodeURIComponent(target.id)}`}
                    leftSection={<IconSettings size={16} stroke={1.6} />}
                  >
                    Settings and accounts
                  </Menu.Item>
                )}
              </Menu.Dropdown>
            </Menu>
          )}
          {mine && (
            <Button variant="light" size="sm" onClick={() => void navigate(`/sessions/${mine.id}`)}>
              Return
            </Button>
          )}
          <ConnectButton
            target={target}
            label={mine ? 'New session' : 'Connect'}
            variant={mine ? 'default' : 'filled'}
            open={open}
            mayAsk={ask}
            onConnect={onConnect}
            onAsk={onAsk}
          />
        </span>
      </div>
    </article>
  );
}
