import { Button, Skeleton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { groupsQuery } from '../../api/users';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { count } from '../../lib/format';
import { sourceLabel } from '../../lib/roles';
import { useTitle } from '../../lib/use-title';
import { GroupDialog } from './group-dialog';

export function GroupsPage() {
  useTitle('Groups');
  const [search, setSearch] = useState('');
  const [making, setMaking] = useState(false);
  const [q] = useDebouncedValue(search.trim(), 250);
  const query = useInfiniteQuery({ ...groupsQuery(q), placeholderData: keepPreviousData });
  const list = query.data?.pages.flatMap((p) => p.groups) ?? [];

  return (
    <>
      <PageHead title="Groups" sub="Users that policies name together.">
        <Search label="Search groups" value={search} onChange={setSearch} />
        <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
          New group
        </Button>
      </PageHead>
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={240} radius="md" aria-hidden="true" />}
      {query.data && list.length === 0 && (
        <Empty
          icon={<IconUsersGroup size={38} stroke={1.3} />}
          title={q ? 'Nothing matches' : 'No groups yet'}
        >
          {q ? null : 'Groups are made here, or by the identity provider people sign in at.'}
        </Empty>
      )}
      {list.length > 0 && (
        <div className={classes.card}>
          <div className={classes.scroll}>
            <table className={classes.table} aria-label="Groups">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>Description</th>
                  <th>Members</th>
                  <th>From</th>
                </tr>
              </thead>
              <tbody>
                {list.map((g) => (
                  <tr key={g.id}>
                    <td>
                      <Link className={classes.link} to={`/groups/${g.id}`}>
                        {g.name}
                      </Link>
                    </td>
                    <td className={classes.dim}>{g.description}</td>
                    <td className={`${classes.nowrap ?? ''} tabular`}>{count(g.members, 'member')}</td>
                    <td className={classes.nowrap}>{sourceLabel(g.source)}</td>
                  </tr>
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
          More groups
        </Button>
      )}
      {making && <GroupDialog onClose={() => setMaking(false)} />}
    </>
  );
}
