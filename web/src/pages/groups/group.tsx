import { Button, Group as Row, Select, Skeleton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { groupQuery, useDeleteGroup, useMember, usersQuery, type Group } from '../../api/users';
import { Confirm } from '../../components/confirm';
import { PageHead } from '../../components/page';
import table from '../../components/page.module.css';
import { Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import { UserBadge } from '../users/user-badge';
import { GroupDialog } from './group-dialog';

/** One group and its members. */
export function GroupPage() {
  const { group: id = '' } = useParams();
  const query = useQuery(groupQuery(id));
  const navigate = useNavigate();
  const remove = useDeleteGroup(id);
  const [changing, setChanging] = useState(false);
  const [deleting, setDeleting] = useState(false);
  useTitle(query.data?.name ?? 'Group');
  if (query.error) return <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton height={320} radius="md" aria-hidden="true" />;
  const group = query.data;
  return (
    <>
      <PageHead title={group.name} sub={group.description || undefined}>
        <Button variant="default" onClick={() => setChanging(true)}>
          Change
        </Button>
        <Button variant="subtle" color="brick" onClick={() => setDeleting(true)}>
          Delete
        </Button>
      </PageHead>
      <MembersPanel group={group} />
      {changing && <GroupDialog group={group} onClose={() => setChanging(false)} />}
      <Confirm
        opened={deleting}
        title={`Delete ${group.name}?`}
        action="Delete"
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined, { onSuccess: () => void navigate('/groups') })}
        onClose={() => setDeleting(false)}
      >
        Its members stay users. Policies that name it apply to nobody by it any more.
      </Confirm>
    </>
  );
}

function MembersPanel({ group }: { group: Group }) {
  const query = useInfiniteQuery(usersQuery({ q: '', role: '', group: group.id }));
  const change = useMember(group.id);
  const list = query.data?.pages.flatMap((p) => p.users) ?? [];
  return (
    <Panel
      title="Members"
      flush
      tools={
        <AddMember members={list.map((u) => u.id)} onAdd={(user) => change.mutate({ user, member: true })} />
      }
    >
      {change.error && <ProblemNotice error={change.error} />}
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={90} radius={0} aria-hidden="true" />}
      {query.data && list.length === 0 && <div className={classes.none}>Nobody yet.</div>}
      {list.length > 0 && (
        <div className={table.scroll}>
          <table className={table.table} aria-label="Members">
            <tbody>
              {list.map((u) => (
                <tr key={u.id}>
                  <td>
                    <Link className={table.link} to={`/users/${u.id}`}>
                      {u.username}
                    </Link>
                    {u.display_name && <div className={table.small}>{u.display_name}</div>}
                  </td>
                  <td>
                    <UserBadge user={u} />
                  </td>
                  <td>
                    <div className={table.actions}>
                      {u.groups.some((g) => g.id === group.id && g.given) ? (
                        <Button
                          size="xs"
                          variant="default"
                          disabled={change.isPending}
                          aria-label={`Remove ${u.username} from ${group.name}`}
                          onClick={() => change.mutate({ user: u.id, member: false })}
                        >
                          Remove
                        </Button>
                      ) : (
                        <span className={table.small}>From the identity provider</span>
                      )}
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {query.hasNextPage && (
        <Row p="md">
          <Button
            size="xs"
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            More members
          </Button>
        </Row>
      )}
    </Panel>
  );
}

/** Finds a user and adds them. */
function AddMember({ members, onAdd }: { members: string[]; onAdd: (user: string) => void }) {
  const [search, setSearch] = useState('');
  const [q] = useDebouncedValue(search.trim(), 250);
  const query = useInfiniteQuery({ ...usersQuery({ q, role: '' }), placeholderData: keepPreviousData });
  const found = (query.data?.pages[0]?.users ?? []).filter((u) => !members.includes(u.id)).slice(0, 20);
  return (
    <Select
      aria-label="Add a member"
      placeholder="Add a member"
      data={found.map((u) => ({
        value: u.id,
        label: u.display_name ? `${u.username} (${u.display_name})` : u.username,
      }))}
      filter={({ options }) => options}
      searchable
      searchValue={search}
      onSearchChange={setSearch}
      value={null}
      onChange={(user) => {
        if (!user) return;
        onAdd(user);
        setSearch('');
      }}
      nothingFoundMessage="Nobody else"
      w={260}
    />
  );
}
