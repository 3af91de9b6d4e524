import { Button, Select, Skeleton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { IconPlus, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { usersQuery, type Role, type User } from '../../api/users';
import { Tag } from '../../components/badge';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { roleLabel, roles, sourceLabel } from '../../lib/roles';
import { useTitle } from '../../lib/use-title';
import { CreateUserDialog } from './create-dialog';
import { UserBadge } from './user-badge';

export function UsersPage() {
  useTitle('Users');
  const [search, setSearch] = useState('');
  const [role, setRole] = useState<Role | ''>('');
  const [making, setMaking] = useState(false);
  const [q] = useDebouncedValue(search.trim(), 250);
  const query = useInfiniteQuery({ ...usersQuery({ q, role }), placeholderData: keepPreviousData });
  const list = query.data?.pages.flatMap((p) => p.users) ?? [];

  return (
    <>
      <PageHead title="Users" sub="Who may sign in, and what they are to Vitrine.">
        <Select
          aria-label="Filter by role"
          data={[{ value: '', label: 'All roles' }, ...roles.map(({ value, label }) => ({ value, label }))]}
          value={role}
          onChange={(value) => setRole(value ?? '')}
          allowDeselect={false}
          w={160}
        />
        <Search label="Search users" value={search} onChange={setSearch} />
        <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
          New user
        </Button>
      </PageHead>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && list.length === 0 && (
        <Empty icon={<IconUsers size={38} stroke={1.3} />} title="Nothing matches" />
      )}
      {list.length > 0 && (
        <div className={classes.card}>
          <div className={classes.scroll}>
            <table className={classes.table} aria-label="Users">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>Roles</th>
                  <th>Groups</th>
                  <th>From</th>
                  <th>Last sign-in</th>
                  <th>State</th>
                </tr>
              </thead>
              <tbody>
                {list.map((u) => (
                  <Row key={u.id} user={u} />
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
      {query.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          More users
        </Button>
      )}
      {making && <CreateUserDialog onClose={() => setMaking(false)} />}
    </>
  );
}

function Row({ user }: { user: User }) {
  return (
    <tr>
      <td>
        <Link className={classes.link} to={`/users/${user.id}`}>
          {user.username}
        </Link>
        {(user.display_name || user.email) && (
          <div className={classes.small}>{[user.display_name, user.email].filter(Boolean).join(' · ')}</div>
        )}
      </td>
      <td>{user.roles.map(roleLabel).join(', ') || <span className={classes.dim}>None</span>}</td>
      <td>
        <span style={{ display: 'inline-flex', flexWrap: 'wrap', gap: 4 }}>
          {user.groups.map((g) => (
            <Tag key={g.id}>{g.name}</Tag>
          ))}
        </span>
      </td>
      <td className={classes.nowrap}>{sourceLabel(user.source)}</td>
      <td
        className={classes.nowrap}
        title={user.last_sign_in_at ? fullTime(user.last_sign_in_at) : undefined}
      >
        {user.last_sign_in_at ? when(user.last_sign_in_at) : <span className={classes.dim}>Never</span>}
      </td>
      <td>
        <UserBadge user={user} />
      </td>
    </tr>
  );
}
